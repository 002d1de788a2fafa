"""Field specifications such as `number:str:40:unique` and `customer:ref:customers`."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from app.kit.cli.errors import CommandFailed
from scaffold.names import check_field_name

SCALARS = ("str", "text", "int", "bigint", "decimal", "bool", "date", "datetime", "uuid")
KINDS = (*SCALARS, "enum", "json", "ref", "many")
_ALIASES = {
    "string": "str",
    "varchar": "str",
    "integer": "int",
    "boolean": "bool",
    "numeric": "decimal",
    "timestamp": "datetime",
    "jsonb": "json",
    "references": "ref",
    "belongs_to": "ref",
}
_FLAGS = {
    "unique": "unique",
    "uniq": "unique",
    "optional": "optional",
    "nullable": "optional",
    "null": "optional",
    "indexed": "indexed",
    "index": "indexed",
}
_ACTIONS = {"restrict": "RESTRICT", "cascade": "CASCADE", "set_null": "SET NULL"}
_SPEC = re.compile(
    r"(?P<name>[^:?]*)(?P<first>\??):(?P<kind>\w+)(?:[({](?P<size>[\d,. ]+)[)}])?"
    r"(?P<array>\[\])?(?P<second>\??)(?P<rest>(?::.*)?)"
)
_MEMBER = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# A row of an index has at most 2,700 bytes; a character has up to four.
_LONGEST_INDEXED = 600
_LONGEST_DEFAULT = 50


@dataclass(frozen=True)
class Field:
    """A field as the user specified it."""

    name: str
    kind: str
    optional: bool = False
    unique: bool = False
    indexed: bool = False
    default: str | None = None
    # The value of the rows that exist when the field is added.
    existing: str | None = None
    is_array: bool = False
    length: int = 200
    precision: tuple[int, int] = (12, 2)
    members: tuple[str, ...] = ()
    target: str = ""
    ondelete: str = "RESTRICT"

    @property
    def is_relationship(self) -> bool:
        """Whether it refers to rows of a table."""
        return self.kind in ("ref", "many")


def parse_field(spec: str) -> Field:
    """Parse a specification; raises CommandFailed with one sentence about what is wrong."""
    text = spec.strip()
    optional = text.endswith("?")
    found = _SPEC.fullmatch(text.removesuffix("?"))
    if found is None:
        raise CommandFailed(f"`{spec}` is no field: write NAME:TYPE, such as due_on:date.")
    kind = _ALIASES.get(found["kind"], found["kind"])
    words = [word for word in found["rest"].split(":") if word]
    is_array = found["array"] is not None
    if kind == "array":
        is_array, kind = True, words.pop(0) if words else ""
    if kind not in KINDS:
        kinds = ", ".join(KINDS)
        raise CommandFailed(f"`{spec}`: there is no type `{found['kind']}`. The types are {kinds}.")
    values: dict[str, object] = {
        "name": found["name"].removesuffix("_id") if kind == "ref" else found["name"],
        "kind": kind,
        "is_array": is_array,
        "optional": optional or bool(found["first"] or found["second"]),
    }
    # `customer:ref:customers?:set_null`
    marked = [
        word
        for word in words
        if word.endswith("?") and not word.startswith(("default=", "existing="))
    ]
    values["optional"] = values["optional"] or bool(marked)
    words = [word.removesuffix("?") if word in marked else word for word in words]
    if found["size"]:
        words.insert(0, found["size"].replace(" ", ""))
    _read_words(spec, kind, words, values)
    field = Field(**values)  # type: ignore[arg-type]  # each value is of the type of its field
    check_field_name(field.name)
    _check(spec, field)
    return field


def _read_words(spec: str, kind: str, words: list[str], values: dict[str, object]) -> None:
    if kind in ("enum", "ref", "many"):
        what = "its values: status:enum:draft,sent" if kind == "enum" else "a table: :customers"
        if not words:
            raise CommandFailed(f"`{spec}`: the type {kind} needs {what}.")
        first = words.pop(0)
        values["members" if kind == "enum" else "target"] = (
            tuple(first.split(",")) if kind == "enum" else first
        )
    for word in words:
        if flag := _FLAGS.get(word):
            values[flag] = True
        elif word.startswith("default="):
            values["default"] = word.removeprefix("default=")
        elif word.startswith("existing="):
            values["existing"] = word.removeprefix("existing=")
        elif kind == "str" and word.isdigit():
            values["length"] = int(word)
        elif kind == "decimal" and re.fullmatch(r"\d+[,.]\d+", word):
            whole, places = re.split(r"[,.]", word)
            values["precision"] = (int(whole), int(places))
        elif kind == "ref" and word in _ACTIONS:
            values["ondelete"] = _ACTIONS[word]
        else:
            raise CommandFailed(f"`{spec}`: `{word}` is not known for the type {kind}.")


def _check(spec: str, field: Field) -> None:
    for problem in _problems(field):
        raise CommandFailed(f"`{spec}`: {problem}.")


def _problems(field: Field) -> Iterable[str]:
    no_index = field.is_array or field.kind in ("json", "many", "text")
    if field.is_array and field.kind not in SCALARS:
        yield f"an array has items of one of the types {', '.join(SCALARS)}"
    if no_index and (field.unique or field.indexed):
        yield "a column of this type is neither unique nor indexed"
    if field.unique and field.kind in ("bool", "enum"):
        yield "a column of so few values cannot be unique"
    if field.kind == "str" and not 1 <= field.length <= 10_000:
        yield "the length is from 1 to 10000; use the type text for longer values"
    if field.kind == "str" and (field.unique or field.indexed) and field.length > _LONGEST_INDEXED:
        yield f"a column that is unique or indexed has at most {_LONGEST_INDEXED} characters"
    digits, places = field.precision
    if not 1 <= digits <= 100 or not 0 <= places <= digits:
        yield "the precision is from 1 to 100 digits, the scale at most the precision"
    if field.kind == "many" and (field.optional or field.default is not None):
        yield "a list of references is never null and has no default"
    if field.ondelete == "SET NULL" and not field.optional:
        yield "set_null needs an optional reference"
    if field.kind == "enum":
        yield from _enum_problems(field)
    for text in (field.default, field.existing):
        if text is not None and not _is_default(field, text):
            yield f"`{text}` is no default for the type {field.kind}"
    if field.existing is not None and (field.optional or field.default is not None):
        yield "`existing=` is for a required field without a default"


def _enum_problems(field: Field) -> Iterable[str]:
    wrong = [member for member in field.members if not _MEMBER.fullmatch(member)]
    if wrong:
        yield f"`{wrong[0]}` is no value of an enum: use lower_case words"
    if "mro" in field.members or any(len(member) > 40 for member in field.members):
        yield "a value of an enum is a word of at most 40 characters, and not `mro`"
    if len(set(field.members)) < max(2, len(field.members)):
        yield "an enum has at least two values, and none twice"


def _is_default(field: Field, text: str) -> bool:
    checks = _CHECKS.get(field.kind)
    if field.is_array or checks is None or len(text) > _LONGEST_DEFAULT:
        return False
    try:
        return checks(field, text)
    except (ValueError, InvalidOperation):
        return False


def _decimal_fits(field: Field, text: str) -> bool:
    number = Decimal(text)
    digits, places = field.precision
    exponent = number.as_tuple().exponent
    return (
        isinstance(exponent, int) and -exponent <= places and abs(number) < 10 ** (digits - places)
    )


_CHECKS: dict[str, Callable[[Field, str], bool]] = {
    "str": lambda field, text: (
        text.isprintable() and 1 <= len(text) <= field.length and text == text.strip()
    ),
    "text": lambda _, text: text.isprintable(),
    "int": lambda _, text: -(2**31) <= int(text) < 2**31,
    "bigint": lambda _, text: -(2**63) <= int(text) < 2**63,
    "decimal": _decimal_fits,
    "bool": lambda _, text: text in ("true", "false"),
    "date": lambda _, text: bool(date.fromisoformat(text)),
    "enum": lambda field, text: text in field.members,
}
