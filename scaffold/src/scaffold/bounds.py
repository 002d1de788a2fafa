"""The bounds and the default of a field, as Python expressions."""

from decimal import Decimal

from scaffold.grammar import Field

# The maximum length of `ShortStr` in app.kit.http.schemas.
SHORT_STR_LENGTH = 200


def pydantic_bounds(field: Field) -> list[str]:
    """Return the arguments of pydantic's `Field` that keep a value within its column."""
    digits, places = field.precision
    match field.kind:
        case "int":
            return ["ge=-(2**31)", "lt=2**31"]
        case "bigint":
            return ["ge=-(2**63)", "lt=2**63"]
        case "decimal":
            return [f"max_digits={digits}", f"decimal_places={places}"]
        case "str" if field.length < SHORT_STR_LENGTH:
            return [f"max_length={field.length}"]
        case "str" if field.length > SHORT_STR_LENGTH:
            return ["min_length=1", f"max_length={field.length}"]
        case _:
            return []


def default_expression(field: Field, enum: str) -> str:
    """Return the default of a field; `enum` is the name of its enum class."""
    text = field.default or ""
    match field.kind:
        case "bool":
            return text.capitalize()
        case "int" | "bigint":
            return str(int(text))
        case "decimal":
            return f"Decimal({str(Decimal(text))!r})"
        case "date":
            return f"date.fromisoformat({text!r})"
        case "enum":
            return f"{enum}.{text.upper()}"
        case _:
            return repr(text)
