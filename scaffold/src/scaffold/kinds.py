"""How each type of a field is written: its column, its schema, and values for tests."""

from dataclasses import dataclass

from scaffold.bounds import LINE, bounds_of, default_of
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
# Types whose constraints the schemas share under a name.
_NAMED = ("str", "text", "int", "bigint", "decimal", "json")
_ITEM_LIMIT = 100


@dataclass(frozen=True)
class Column:
    """A field that is a column, as the templates need it."""

    field: Field
    owner: str

    @property
    def name(self) -> str:
        """The attribute and the column."""
        return self.field.name

    @property
    def is_array(self) -> bool:
        """Whether it is an array."""
        return self.field.is_array

    @property
    def is_text(self) -> bool:
        """Whether it is searched as text."""
        return self.field.kind in ("str", "text") and not self.is_array

    @property
    def tells_rows_apart(self) -> bool:
        """Whether the text of one row in tests is not a part of the text of an earlier one."""
        return self.field.kind == "text" or self.field.length > 3

    @property
    def cls(self) -> str:
        """The class of an enum, or the name of the schema type."""
        return f"{class_name(self.owner)}{class_name(self.name)}"

    @property
    def type_name(self) -> str:
        """The type of an enum in the database."""
        return f"{self.owner}_{self.name}"

    @property
    def words(self) -> str:
        """The name in words."""
        return words(self.name)

    @property
    def python(self) -> str:
        """The type of a value in Python."""
        kind = self.cls if self.field.kind == "enum" else _PYTHON[self.field.kind]
        return f"list[{kind}]" if self.is_array else kind

    @property
    def shown(self) -> str:
        """The annotation in a response."""
        kind = self.python.replace("Any", "JsonValue")
        return f"{kind} | None" if self.field.optional else kind

    @property
    def is_named(self) -> bool:
        """Whether its schema type has a name."""
        return self.is_array or self.field.kind in _NAMED

    @property
    def named(self) -> str:
        """The definition of the schema type."""
        value = self._sample.example
        example = f"examples={[[value] if self.is_array else value]!r}"
        if self.is_array:
            annotation = f"list[{self._schema(items=True)}]"
            return f"Annotated[{annotation}, Field(max_length={_ITEM_LIMIT}, {example})]"
        return self._schema(example)

    @property
    def accepted(self) -> str:
        """The annotation in a request, without null."""
        plain = {"datetime": "UtcDatetime", "enum": self.cls}
        return self.cls if self.is_named else plain.get(self.field.kind, self.python)

    @property
    def created(self) -> str:
        """The field of the request that creates a row."""
        if self.field.default is not None:
            return f"{self.name}: {self._or_null} = {self.default}"
        suffix = " = None" if self.field.optional else ""
        return f"{self.name}: {self._or_null}{suffix}"

    @property
    def changed(self) -> str:
        """The field of the request that updates a row."""
        if self.field.optional:
            return f"{self.name}: {self._or_null} = None"
        return f"{self.name}: {self.accepted} = optional_field()"

    @property
    def _or_null(self) -> str:
        return f"{self.accepted} | None" if self.field.optional else self.accepted

    @property
    def default(self) -> str:
        """The default as an expression of Python."""
        return default_of(self.field, self.cls)

    @property
    def is_required(self) -> bool:
        """Whether a request that creates a row must have it."""
        return not self.field.optional and self.field.default is None

    @property
    def sample(self) -> str:
        """A value of a request, as an expression."""
        return f"[{self._sample.json}]" if self.is_array else self._sample.json

    @property
    def python_sample(self) -> str:
        """A value of the model, as an expression."""
        if self.field.kind == "enum":
            return f"{self.cls}.{self.field.members[0].upper()}"
        return f"[{self._sample.python}]" if self.is_array else self._sample.python

    @property
    def _sample(self) -> Sample:
        length = self.field.length if self.field.kind == "str" else None
        member = next(iter(self.field.members), "")
        return Sample(self.name, self.field.kind, length, self.field.precision, member)

    def _type(self) -> list[str]:
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

    def mapped_in(self, base: str) -> str:
        """Return the attribute of a model with this base class."""
        kind = f"{self.python} | None" if self.field.optional else self.python
        # An index of the table lets no two rows share it that are not deleted.
        unique = ["unique=True"] if self.field.unique and base == "TimestampedModel" else []
        arguments = [*self._type(), *unique, *self._options()]
        column = f" = mapped_column({', '.join(arguments)})" if arguments else ""
        return f"{self.name}: Mapped[{kind}]{column}"

    def _options(self) -> list[str]:
        options = ["index=True"] if self.field.indexed and not self.field.unique else []
        if self.field.default is not None:
            text, kind = self.field.default, self.field.kind
            quoted = repr(str(int(text)) if kind in ("int", "bigint") else text)
            server = {"bool": f"{text}()", "enum": self.default}.get(kind, quoted)
            options += [f"default={self.default}", f"server_default={server}"]
        return options

    def _schema(self, example: str = "", *, items: bool = False) -> str:
        if self.field.kind == "str":
            base = "ShortStr" if self.field.length <= LINE else "LongStr"
        else:
            base = {
                "text": "LongStr",
                "datetime": "UtcDatetime",
                "json": "dict[str, JsonValue]",
            }.get(self.field.kind, _PYTHON[self.field.kind])
        arguments = bounds_of(self.field) + ([example] if example else [])
        if items and not arguments:
            return base
        return f"Annotated[{base}, Field({', '.join(arguments)})]"
