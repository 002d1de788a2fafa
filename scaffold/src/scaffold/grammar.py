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
_ONDELETE = {"restrict": "RESTRICT", "cascade": "CASCADE", "set_null": "SET NULL"}
_SPEC = re.compile(
    r"(?P<name>[^:?]*)(?P<mark_after_name>\??):(?P<kind>\w+)(?:[({](?P<size>[\d,. ]+)[)}])?"
    r"(?P<array>\[\])?(?P<mark_after_type>\??)(?P<parts>(?::.*)?)"
)
_ENUM_VALUE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# An index entry has at most 2,700 bytes; a character has up to four.
_MAX_INDEXED_LENGTH = 600
_MAX_DEFAULT_LENGTH = 50


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
        """Whether it is a reference to rows of a table."""
        return self.kind in ("ref", "many")


def parse_field(spec: str) -> Field:
    """Parse a specification; raises CommandFailed with one sentence about the problem."""
    text = spec.strip()
    optional = text.endswith("?")
    match = _SPEC.fullmatch(text.removesuffix("?"))
    if match is None:
        raise CommandFailed(f"`{spec}` is no field: write NAME:TYPE, such as due_on:date.")
    kind = _ALIASES.get(match["kind"], match["kind"])
    parts = [part for part in match["parts"].split(":") if part]
    is_array = match["array"] is not None
    if kind == "array":
        is_array, kind = True, parts.pop(0) if parts else ""
    if kind not in KINDS:
        kinds = ", ".join(KINDS)
        raise CommandFailed(f"`{spec}`: there is no type `{match['kind']}`. The types are {kinds}.")
    attributes: dict[str, object] = {
        "name": match["name"].removesuffix("_id") if kind == "ref" else match["name"],
        "kind": kind,
        "is_array": is_array,
        "optional": optional or bool(match["mark_after_name"] or match["mark_after_type"]),
    }
    # A part may have the `?`, too: `customer:ref:customers?:set_null`.
    marked = [
        part
        for part in parts
        if part.endswith("?") and not part.startswith(("default=", "existing="))
    ]
    attributes["optional"] = attributes["optional"] or bool(marked)
    parts = [part.removesuffix("?") if part in marked else part for part in parts]
    if match["size"]:
        parts.insert(0, match["size"].replace(" ", ""))
    _parse_parts(spec, kind, parts, attributes)
    field = Field(**attributes)  # type: ignore[arg-type]  # each value has the type of its field
    check_field_name(field.name)
    _check(spec, field)
    return field


def _parse_parts(spec: str, kind: str, parts: list[str], attributes: dict[str, object]) -> None:
    if kind in ("enum", "ref", "many"):
        what = "its values: status:enum:draft,sent" if kind == "enum" else "a table: :customers"
        if not parts:
            raise CommandFailed(f"`{spec}`: the type {kind} needs {what}.")
        first = parts.pop(0)
        attributes["members" if kind == "enum" else "target"] = (
            tuple(first.split(",")) if kind == "enum" else first
        )
    for part in parts:
        if flag := _FLAGS.get(part):
            attributes[flag] = True
        elif part.startswith("default="):
            attributes["default"] = part.removeprefix("default=")
        elif part.startswith("existing="):
            attributes["existing"] = part.removeprefix("existing=")
        elif kind == "str" and part.isdigit():
            attributes["length"] = int(part)
        elif kind == "decimal" and re.fullmatch(r"\d+[,.]\d+", part):
            digits, places = re.split(r"[,.]", part)
            attributes["precision"] = (int(digits), int(places))
        elif kind == "ref" and part in _ONDELETE:
            attributes["ondelete"] = _ONDELETE[part]
        else:
            raise CommandFailed(f"`{spec}`: `{part}` is not known for the type {kind}.")


def _check(spec: str, field: Field) -> None:
    for problem in _problems(field):
        raise CommandFailed(f"`{spec}`: {problem}.")


def _problems(field: Field) -> Iterable[str]:
    cannot_be_indexed = field.is_array or field.kind in ("json", "many", "text")
    if field.is_array and field.kind not in SCALARS:
        yield f"an array has items of one of the types {', '.join(SCALARS)}"
    if cannot_be_indexed and (field.unique or field.indexed):
        yield "a column of this type is neither unique nor indexed"
    if field.unique and field.kind in ("bool", "enum"):
        yield "a column of so few values cannot be unique"
    if field.kind == "str" and not 1 <= field.length <= 10_000:
        yield "the length is from 1 to 10000; use the type text for longer values"
    if (
        field.kind == "str"
        and (field.unique or field.indexed)
        and field.length > _MAX_INDEXED_LENGTH
    ):
        yield f"a column that is unique or indexed has at most {_MAX_INDEXED_LENGTH} characters"
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
        if text is not None and not _is_valid_default(field, text):
            yield f"`{text}` is no default for the type {field.kind}"
    if field.existing is not None and (field.optional or field.default is not None):
        yield "`existing=` is for a required field without a default"


def _enum_problems(field: Field) -> Iterable[str]:
    wrong = [member for member in field.members if not _ENUM_VALUE.fullmatch(member)]
    if wrong:
        yield f"`{wrong[0]}` is no value of an enum: use lower_case words"
    if "mro" in field.members or any(len(member) > 40 for member in field.members):
        yield "a value of an enum is a word of at most 40 characters, and not `mro`"
    if len(set(field.members)) < max(2, len(field.members)):
        yield "an enum has at least two values, and none twice"


def _is_valid_default(field: Field, text: str) -> bool:
    check = _DEFAULT_CHECKS.get(field.kind)
    if field.is_array or check is None or len(text) > _MAX_DEFAULT_LENGTH:
        return False
    try:
        return check(field, text)
    except (ValueError, InvalidOperation):
        return False


def _decimal_fits(field: Field, text: str) -> bool:
    number = Decimal(text)
    digits, places = field.precision
    exponent = number.as_tuple().exponent
    return (
        isinstance(exponent, int) and -exponent <= places and abs(number) < 10 ** (digits - places)
    )


_DEFAULT_CHECKS: dict[str, Callable[[Field, str], bool]] = {
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
