"""Sample values for tests: expressions in which the variable `number` makes rows differ."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Time,
    Uuid,
)

from app.kit.cli.errors import CommandFailed
from scaffold.names import words
from scaffold.service import Target, mappers

_TWO_DIGITS = "{number % 99 + 1:02}"
_DAY = "{number % 28 + 1:02}"


@dataclass(frozen=True)
class Sample:
    """The sample expressions of a column."""

    name: str
    kind: str
    length: int | None = None
    precision: tuple[int, int] = (12, 2)
    member: str = ""

    @property
    def json(self) -> str:
        """The expression of a value in a JSON request."""
        match self.kind:
            case "str" | "text":
                return f'f"{self._text()}"'
            case "int" | "bigint":
                return "number"
            case "decimal":
                return f'f"{self._decimal()}"'
            case "bool":
                return "True"
            case "date":
                return f'f"2026-01-{_DAY}"'
            case "datetime":
                return f'f"2026-01-{_DAY}T12:00:00Z"'
            case "uuid":
                return 'f"00000000-0000-4000-8000-{number:012}"'
            case "enum":
                return f'"{self.member}"'
            case _:
                return '{"number": number}'

    @property
    def python(self) -> str:
        """The expression of a value for an attribute of a model."""
        match self.kind:
            case "decimal":
                return f"Decimal({self.json})"
            case "date":
                return "date(2026, 1, number % 28 + 1)"
            case "datetime":
                return "datetime(2026, 1, number % 28 + 1, 12, tzinfo=UTC)"
            case "uuid":
                return f"UUID({self.json})"
            case _:
                return self.json

    @property
    def example(self) -> Any:
        """The first JSON value, as an example in the API docs."""
        return eval(self.json, {"number": 1})  # noqa: S307 - an expression of this module

    def _text(self) -> str:
        label = words(self.name)
        if self.length is None or len(label) + 5 <= self.length:
            return f"{label.capitalize()} {{number}}"
        return "{number}" if self.length > 3 else "{number % 10}"

    def _decimal(self) -> str:
        digits, places = self.precision
        integer_digits = digits - places
        # Use as many different values as the digits allow, for unique columns.
        if integer_digits == 0:
            return "0.{number % 9 + 1}" if places < 2 else f"0.{_TWO_DIGITS}{'0' * (places - 2)}"
        if integer_digits == 1 and places:
            return f"{{number % 9 + 1}}.{{number // 9 % 10}}{'0' * (places - 1)}"
        number = "{number}" if integer_digits > 2 else f"{{number % {10**integer_digits - 1} + 1}}"
        return f"{number}.{'5'.ljust(places, '0')}" if places else number


# The kind of field for each SQLAlchemy type, subclasses first.
_KINDS: list[tuple[type[Any], str]] = [
    (Enum, "enum"),
    (String, "str"),
    (BigInteger, "int"),
    (SmallInteger, "int"),
    (Integer, "int"),
    (Float, "int"),
    (Numeric, "decimal"),
    (Boolean, "bool"),
    (Date, "date"),
    (DateTime, "datetime"),
    (Uuid, "uuid"),
    (JSON, "json"),
]
_CONSTANT_SAMPLES: list[tuple[type[Any], str]] = [
    (ARRAY, "[]"),
    (LargeBinary, 'b"bytes"'),
    (Interval, "timedelta(hours=1)"),
    (Time, "time(12)"),
]


@dataclass(frozen=True)
class Factory:
    """A test function `make_…`, which stores a row of an existing model."""

    target: Target
    # The expression of each required attribute.
    values: dict[str, str]
    # The model that each required foreign key refers to.
    references: dict[str, Target]
    # The module of each enum class in the values.
    imports: dict[str, str]

    @property
    def uses_number(self) -> bool:
        """Whether a value uses the variable `number`."""
        return any("number" in value for value in self.values.values())


def factories_for(targets: list[Target]) -> list[Factory]:
    """Return the factories of these models, after the factories that they call."""
    found: dict[str, Factory] = {}

    def add(target: Target) -> None:
        if target.table in found:
            return
        factory = _factory_for(target)
        for needed in factory.references.values():
            add(needed)
        found[target.table] = factory

    for target in targets:
        add(target)
    return list(found.values())


def _factory_for(target: Target) -> Factory:
    values: dict[str, str] = {}
    references: dict[str, Target] = {}
    imports: dict[str, str] = {}
    for name, column in target.columns.items():
        has_default = column.default is not None or column.server_default is not None
        if column.nullable or has_default or column.primary_key or column.computed is not None:
            continue
        if column.foreign_keys:
            references[name] = _referenced_target(target, name, column)
        else:
            values[name] = _sample_value(target, name, column, imports)
    return Factory(target, values, references, imports)


def _referenced_target(target: Target, name: str, column: Any) -> Target:
    (key,) = column.foreign_keys
    for mapper in mappers():
        if mapper.local_table is key.column.table and not mapper.inherits:
            return Target(mapper.class_)
    raise _no_sample_error(target, name)


def _sample_value(target: Target, name: str, column: Any, imports: dict[str, str]) -> str:
    type_ = column.type
    for cls, constant in _CONSTANT_SAMPLES:
        if isinstance(type_, cls):
            return constant
    for cls, kind in _KINDS:
        if not isinstance(type_, cls):
            continue
        if isinstance(type_, Enum):
            if type_.enum_class is None:
                return repr(type_.enums[0])
            member = next(iter(type_.enum_class)).name
            imports[type_.enum_class.__name__] = type_.enum_class.__module__
            return f"{type_.enum_class.__name__}.{member}"
        precision = (getattr(type_, "precision", None) or 12, getattr(type_, "scale", None) or 0)
        sample = Sample(name, kind, length=getattr(type_, "length", None), precision=precision)
        # A constraint may demand lower case.
        return sample.python.lower() if kind == "str" else sample.python
    raise _no_sample_error(target, name)


def _no_sample_error(target: Target, name: str) -> CommandFailed:
    return CommandFailed(
        f"The test needs a row of {target.cls}, whose column `{name}` has a type that scaffold "
        "cannot make a value for: refer to another model."
    )
