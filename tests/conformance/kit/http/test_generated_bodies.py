"""Both validators of a body accept the same generated values."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, OnErrorOmit, ValidationError, WrapValidator, create_model
from pydantic_core import SchemaValidator

from app.kit.http.schemas import RequestModel
from app.kit.http.validation.value_checks import new_budget
from tests.conformance.kit.http.test_validation import Rate, none_if_invalid, validator_of
from tests.support.fuzz import fuzz_settings


@dataclass(frozen=True)
class Shape:
    """A type, and a strategy for its values, some of which are invalid."""

    kind: Any
    values: st.SearchStrategy[Any]


WRONG = st.sampled_from([None, True, 7, "x", 1.5, [], {}, ["x"], [7], {"first": 7}])


def shape(kind: Any, valid: st.SearchStrategy[Any]) -> Shape:
    return Shape(kind, st.one_of(valid, valid, valid, WRONG))


class Node(BaseModel):
    """A recursive model."""

    values: list[int] | list[str] = Field([])
    children: "list[Node] | dict[str, Node]" = Field([])


def _nodes(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    nested = st.one_of(
        st.lists(children, max_size=3), st.dictionaries(st.sampled_from("ab"), children)
    )
    values = st.lists(st.sampled_from([7, "x"]), max_size=3)
    return st.fixed_dictionaries({}, optional={"values": values, "children": nested})


NUMBERS, TEXTS = st.integers(0, 3), st.sampled_from(["", "x", "1"])
SIMPLE = [
    shape(int, NUMBERS),
    shape(str, TEXTS),
    shape(float, st.sampled_from([1, 0.5])),
    shape(Rate, st.sampled_from([1, 0.5])),
    shape(Literal["x", 7], st.sampled_from(["x", 7])),
    shape(set[int], st.lists(NUMBERS, max_size=4)),
    shape(frozenset[str], st.lists(TEXTS, max_size=4)),
    shape(dict[int, int], st.dictionaries(st.sampled_from(["1", "2", "x"]), NUMBERS)),
    shape(Node, st.recursive(_nodes(st.just({})), _nodes, max_leaves=6)),
]


def generic(origin: Any, *arguments: Any) -> Any:
    """Return a type such as `list[int]`."""
    return origin[arguments]


def lists_of(item: Shape) -> st.SearchStrategy[Shape]:
    values = st.lists(item.values, max_size=4)
    names = st.dictionaries(st.sampled_from("abcd"), item.values)
    items = generic(list, item.kind)
    replaced = generic(Annotated, item.kind, WrapValidator(none_if_invalid))
    return st.sampled_from(
        [
            shape(items, values),
            shape(generic(Annotated, items, Field(min_length=1)), values),
            shape(generic(tuple, item.kind, ...), values),
            shape(generic(list, generic(OnErrorOmit, item.kind)), values),
            shape(generic(dict, str, item.kind), names),
            Shape(replaced, item.values),
        ]
    )


def pairs_of(first: Shape, second: Shape) -> st.SearchStrategy[Shape]:
    fields: Any = {"first": (first.kind, ...), "second": (second.kind, None)}
    optional = {"second": second.values, "more": WRONG}
    body = st.fixed_dictionaries({"first": first.values}, optional=optional)
    kinds: list[Any] = []
    bodies: list[st.SearchStrategy[Any]] = []
    for name, each in (("one", first), ("other", second)):
        tagged: Any = {"kind": (generic(Literal, name), ...), "first": (each.kind, ...)}
        kinds.append(create_model(name, **tagged))
        bodies.append(st.fixed_dictionaries({"kind": st.just(name), "first": each.values}))
    choice = generic(Annotated, generic(Union, *kinds), Field(discriminator="kind"))
    return st.sampled_from(
        [
            shape(create_model("Lenient", __base__=BaseModel, **fields), body),
            shape(create_model("Forbidding", __base__=RequestModel, **fields), body),
            Shape(generic(Union, first.kind, second.kind), first.values | second.values),
            shape(generic(tuple, first.kind, second.kind), st.tuples(first.values, second.values)),
            shape(choice, st.one_of(bodies)),
        ]
    )


SHAPES = st.recursive(
    st.sampled_from(SIMPLE),
    lambda parts: st.one_of(
        parts.flatmap(lists_of),
        st.tuples(parts, parts).flatmap(lambda pair: pairs_of(*pair)),
    ),
    max_leaves=6,
)


def accepts(validator: SchemaValidator, value: Any) -> bool:
    new_budget()
    try:
        validator.validate_python(value, from_attributes=False)
    except ValidationError:
        return False
    return True


@fuzz_settings(300)
@given(body=SHAPES, limit=st.integers(0, 2), data=st.data())
def test_both_validators_of_a_body_accept_the_same_values(
    body: Shape, limit: int, data: st.DataObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.kit.http.validation.value_checks._MAX_COUNTED", limit)
    fast, reporting = [validator_of(body.kind, fail_fast=each) for each in (True, False)]
    for value in data.draw(st.lists(body.values, min_size=1, max_size=20)):
        assert accepts(fast, value) == accepts(reporting, value), value
