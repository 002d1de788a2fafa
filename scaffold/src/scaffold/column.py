"""A field that is a column: its Python code in the model, the schemas and the tests."""

from dataclasses import dataclass

from scaffold.bounds import SHORT_STR_LENGTH, default_expression, pydantic_bounds
from scaffold.grammar import Field
from scaffold.names import class_name, words
from scaffold.samples import Sample

_PYTHON = {
    "str": "str",
    "text": "str",
    "int": "int",
    "bigint": "int",
    "decimal": "Decimal",
    "bool": "bool",
    "date": "date",
    "datetime": "datetime",
    "uuid": "UUID",
    "json": "dict[str, Any]",
}
# Kinds whose constraints both request models need: schemas.py names the type.
_KINDS_WITH_SCHEMA_TYPE = ("str", "text", "int", "bigint", "decimal", "json")
_MAX_ITEMS = 100


@dataclass(frozen=True)
class Column:
    """A field that is a column; the templates read these properties."""

    field: Field
    owner: str

    @property
    def name(self) -> str:
        """The name of the attribute and of the column."""
        return self.field.name

    @property
    def is_array(self) -> bool:
        """Whether it is an array."""
        return self.field.is_array

    @property
    def is_text(self) -> bool:
        """Whether a search can compare it as text."""
        return self.field.kind in ("str", "text") and not self.is_array

    @property
    def has_distinct_samples(self) -> bool:
        """Whether the sample of a row is never a substring of the sample of another row."""
        return self.field.kind == "text" or self.field.length > 3

    @property
    def cls(self) -> str:
        """The name of the enum class or of the named type in schemas.py."""
        return f"{class_name(self.owner)}{class_name(self.name)}"

    @property
    def type_name(self) -> str:
        """The name of the enum type in the database."""
        return f"{self.owner}_{self.name}"

    @property
    def words(self) -> str:
        """The name in words."""
        return words(self.name)

    @property
    def python_type(self) -> str:
        """The type of a value in Python."""
        kind = self.cls if self.field.kind == "enum" else _PYTHON[self.field.kind]
        return f"list[{kind}]" if self.is_array else kind

    @property
    def response_annotation(self) -> str:
        """The annotation in the response model."""
        kind = self.python_type.replace("Any", "JsonValue")
        return f"{kind} | None" if self.field.optional else kind

    @property
    def has_schema_type(self) -> bool:
        """Whether schemas.py defines a named type with its constraints."""
        return self.is_array or self.field.kind in _KINDS_WITH_SCHEMA_TYPE

    @property
    def schema_type(self) -> str:
        """The value of the named type in schemas.py."""
        value = self._sample.example
        example = f"examples={[[value] if self.is_array else value]!r}"
        if self.is_array:
            annotation = f"list[{self._schema(items=True)}]"
            return f"Annotated[{annotation}, Field(max_length={_MAX_ITEMS}, {example})]"
        return self._schema(example)

    @property
    def request_annotation(self) -> str:
        """The annotation in request models, without `| None`."""
        plain = {"datetime": "UtcDatetime", "enum": self.cls}
        return self.cls if self.has_schema_type else plain.get(self.field.kind, self.python_type)

    @property
    def create_field(self) -> str:
        """The line of the field in the request model for creation."""
        if self.field.default is not None:
            return f"{self.name}: {self._nullable_annotation} = {self.default}"
        suffix = " = None" if self.field.optional else ""
        return f"{self.name}: {self._nullable_annotation}{suffix}"

    @property
    def update_field(self) -> str:
        """The line of the field in the request model for updates."""
        if self.field.optional:
            return f"{self.name}: {self._nullable_annotation} = None"
        return f"{self.name}: {self.request_annotation} = optional_field()"

    @property
    def _nullable_annotation(self) -> str:
        return (
            f"{self.request_annotation} | None" if self.field.optional else self.request_annotation
        )

    @property
    def default(self) -> str:
        """The default, as a Python expression."""
        return default_expression(self.field, self.cls)

    @property
    def is_required(self) -> bool:
        """Whether a request that creates a row must have it."""
        return not self.field.optional and self.field.default is None

    @property
    def request_sample(self) -> str:
        """The expression of a JSON value for a test request."""
        return f"[{self._sample.json}]" if self.is_array else self._sample.json

    @property
    def model_sample(self) -> str:
        """The expression of an attribute value for a test row."""
        if self.field.kind == "enum":
            return f"{self.cls}.{self.field.members[0].upper()}"
        return f"[{self._sample.python}]" if self.is_array else self._sample.python

    @property
    def _sample(self) -> Sample:
        length = self.field.length if self.field.kind == "str" else None
        member = next(iter(self.field.members), "")
        return Sample(self.name, self.field.kind, length, self.field.precision, member)

    def _column_type(self) -> list[str]:
        digits, places = self.field.precision
        kinds = {
            "str": f"String({self.field.length})",
            "int": "Integer",
            "bigint": "BigInteger",
            "decimal": f"Numeric({digits}, {places})",
            "enum": f'value_enum({self.cls}, "{self.type_name}")',
            # SQL NULL instead of the JSON value null.
            "json": "JSONB(none_as_null=True)" if self.field.optional else "JSONB",
        }
        items = {
            "text": "Text",
            "bool": "Boolean",
            "date": "Date",
            "datetime": "DateTime(timezone=True)",
            "uuid": "Uuid",
        }
        if self.is_array:
            return [f"ARRAY({(kinds | items)[self.field.kind]})"]
        return [kinds[self.field.kind]] if self.field.kind in kinds else []

    def mapped_attribute(self, base: str) -> str:
        """Return the line of the attribute in a model with this base class."""
        kind = f"{self.python_type} | None" if self.field.optional else self.python_type
        # A soft-deleting model has a partial unique index in __table_args__ instead.
        unique = ["unique=True"] if self.field.unique and base == "TimestampedModel" else []
        arguments = [*self._column_type(), *unique, *self._index_and_default()]
        column = f" = mapped_column({', '.join(arguments)})" if arguments else ""
        return f"{self.name}: Mapped[{kind}]{column}"

    def _index_and_default(self) -> list[str]:
        options = ["index=True"] if self.field.indexed and not self.field.unique else []
        if self.field.default is not None:
            text, kind = self.field.default, self.field.kind
            quoted = repr(str(int(text)) if kind in ("int", "bigint") else text)
            server_default = {"bool": f"{text}()", "enum": self.default}.get(kind, quoted)
            options += [f"default={self.default}", f"server_default={server_default}"]
        return options

    def _schema(self, example: str = "", *, items: bool = False) -> str:
        if self.field.kind == "str":
            base = "ShortStr" if self.field.length <= SHORT_STR_LENGTH else "LongStr"
        else:
            base = {
                "text": "LongStr",
                "datetime": "UtcDatetime",
                "json": "dict[str, JsonValue]",
            }.get(self.field.kind, _PYTHON[self.field.kind])
        arguments = pydantic_bounds(self.field) + ([example] if example else [])
        if items and not arguments:
            return base
        return f"Annotated[{base}, Field({', '.join(arguments)})]"
