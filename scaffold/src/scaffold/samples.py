"""Values for tests, as expressions that use the variable `number` to differ from row to row."""

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
    """Sample values of a column, for tests."""

    name: str
    kind: str
    length: int | None = None
    precision: tuple[int, int] = (12, 2)
    member: str = ""

    @property
    def json(self) -> str:
        """The value in the JSON of a request."""
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
        """The value in Python, for the attribute of a model."""
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
        """The value in the JSON of an example in the API docs."""
        return eval(self.json, {"number": 1})  # noqa: S307 - an expression of this module

    def _text(self) -> str:
        label = words(self.name)
        if self.length is None or len(label) + 5 <= self.length:
            return f"{label.capitalize()} {{number}}"
        return "{number}" if self.length > 3 else "{number % 10}"

    def _decimal(self) -> str:
        digits, places = self.precision
        whole = digits - places
        # As many values as the digits allow: unique columns differ from row to row.
        if whole == 0:
            return "0.{number % 9 + 1}" if places < 2 else f"0.{_TWO_DIGITS}{'0' * (places - 2)}"
        if whole == 1 and places:
            return f"{{number % 9 + 1}}.{{number // 9 % 10}}{'0' * (places - 1)}"
        number = "{number}" if whole > 2 else f"{{number % {10**whole - 1} + 1}}"
        return f"{number}.{'5'.ljust(places, '0')}" if places else number


# The types of columns, subclasses first.
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
_CONSTANTS: list[tuple[type[Any], str]] = [
    (ARRAY, "[]"),
    (LargeBinary, 'b"bytes"'),
    (Interval, "timedelta(hours=1)"),
    (Time, "time(12)"),
]


@dataclass(frozen=True)
class Factory:
    """A function of a test that stores a row of a model that exists already."""

    target: Target
    # Arguments of the model, as expressions.
    values: dict[str, str]
    # The rows that it refers to: by column, the model.
    needs: dict[str, Target]
    # The modules of the names that the values use.
    imports: dict[str, str]

    @property
    def uses_number(self) -> bool:
        """Whether a value differs from row to row."""
        return any("number" in value for value in self.values.values())


def factories_of(targets: list[Target]) -> list[Factory]:
    """Return the functions that store rows of these models, those that others call first."""
    found: dict[str, Factory] = {}

    def add(target: Target) -> None:
        if target.table in found:
            return
        factory = _factory_of(target)
        for needed in factory.needs.values():
            add(needed)
        found[target.table] = factory

    for target in targets:
        add(target)
    return list(found.values())


def _factory_of(target: Target) -> Factory:
    values: dict[str, str] = {}
    needs: dict[str, Target] = {}
    imports: dict[str, str] = {}
    for name, column in target.columns.items():
        has_default = column.default is not None or column.server_default is not None
        if column.nullable or has_default or column.primary_key or column.computed is not None:
            continue
        if column.foreign_keys:
            needs[name] = _referred(target, name, column)
        else:
            values[name] = _value(target, name, column, imports)
    return Factory(target, values, needs, imports)


def _referred(target: Target, name: str, column: Any) -> Target:
    (key,) = column.foreign_keys
    for mapper in mappers():
        if mapper.local_table is key.column.table and not mapper.inherits:
            return Target(mapper.class_)
    raise _cannot(target, name)


def _value(target: Target, name: str, column: Any, imports: dict[str, str]) -> str:
    kind = column.type
    for cls, constant in _CONSTANTS:
        if isinstance(kind, cls):
            return constant
    for cls, known in _KINDS:
        if not isinstance(kind, cls):
            continue
        if isinstance(kind, Enum):
            if kind.enum_class is None:
                return repr(kind.enums[0])
            member = next(iter(kind.enum_class)).name
            imports[kind.enum_class.__name__] = kind.enum_class.__module__
            return f"{kind.enum_class.__name__}.{member}"
        precision = (getattr(kind, "precision", None) or 12, getattr(kind, "scale", None) or 0)
        sample = Sample(name, known, length=getattr(kind, "length", None), precision=precision)
        # A constraint may demand lower case.
        return sample.python.lower() if known == "str" else sample.python
    raise _cannot(target, name)


def _cannot(target: Target, name: str) -> CommandFailed:
    return CommandFailed(
        f"The test needs a row of {target.cls}, whose column `{name}` has a type that scaffold "
        "cannot make a value for: refer to another model."
    )
