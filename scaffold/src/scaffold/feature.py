"""A feature: its fields and options, and the names that the templates use."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from scaffold import service
from scaffold.column import Column
from scaffold.grammar import Field
from scaffold.names import class_name, pluralize, with_article, words
from scaffold.reference import Reference
from scaffold.service import Target, find_target

_MAX_DESCRIPTION_LENGTH = 60


@dataclass(frozen=True)
class Options:
    """The options of the command."""

    plural: str | None = None
    hard_delete: bool = False
    read_only: bool = False
    page: str = "offset"
    search: Sequence[str] = ()
    version: bool = False


@dataclass(frozen=True)
class Feature:
    """A feature to generate."""

    name: str
    fields: Sequence[Field]
    options: Options = field(default_factory=Options)
    # The model of an existing feature to which fields are added.
    existing_model: Target | None = None

    @cached_property
    def plural(self) -> str:
        """The name of the table and of the package."""
        return self.options.plural or pluralize(self.name)

    @property
    def cls(self) -> str:
        """The name of the model class."""
        return class_name(self.name)

    @property
    def view(self) -> str:
        """The name of the constant that holds the view."""
        return self.plural.upper()

    @property
    def path(self) -> str:
        """The path prefix of its endpoints, without slashes."""
        return self.plural.replace("_", "-")

    @property
    def package(self) -> str:
        """The dotted name of its package."""
        if self.existing_model:
            return self.existing_model.module.rpartition(".")[0]
        return f"app.features.{self.plural}"

    @property
    def words(self) -> str:
        """The name of the model in words."""
        return words(self.name)

    @property
    def plural_words(self) -> str:
        """The plural in words."""
        return words(self.plural)

    @property
    def with_article(self) -> str:
        """The name of the model in words, with the indefinite article."""
        return with_article(self.name)

    @property
    def heading(self) -> str:
        """The plural in words, capitalized."""
        return self.plural_words.capitalize()

    @property
    def soft_deletes(self) -> bool:
        """Whether its rows are soft-deleted."""
        return service.soft_deletes() and not self.options.hard_delete

    @property
    def base(self) -> str:
        """The name of the base class of the model."""
        return "TimestampedModel" if self.options.hard_delete else "Model"

    @cached_property
    def columns(self) -> list[Column]:
        """The fields that are columns, without foreign keys."""
        return [Column(each, self.name) for each in self.fields if not each.is_relationship]

    @cached_property
    def references(self) -> list[Reference]:
        """The fields that are relationships."""
        fields = [each for each in self.fields if each.is_relationship]
        targets = [self._target(each) for each in fields]
        tables = Counter(
            target.table if target else self.plural
            for each, target in zip(fields, targets, strict=True)
            if each.kind == "ref"
        )
        tables.update(self.existing_model.referenced_tables if self.existing_model else ())
        return [
            Reference(
                each,
                self.name,
                target,
                needs_foreign_keys=tables[target.table if target else self.plural] > 1,
            )
            for each, target in zip(fields, targets, strict=True)
        ]

    @property
    def to_one(self) -> list[Reference]:
        """The relationships to one row."""
        return [each for each in self.references if not each.is_many]

    @property
    def to_many(self) -> list[Reference]:
        """The relationships to many rows."""
        return [each for each in self.references if each.is_many]

    @property
    def has_service(self) -> bool:
        """Whether creating and updating need a service.py: more than one statement."""
        return bool(self.references) and not self.options.read_only

    @property
    def search_columns(self) -> list[Column]:
        """The columns that the parameter `q` searches."""
        return [each for each in self.columns if each.name in self.options.search]

    @property
    def search_words(self) -> str:
        """The searched columns in words, for the API docs."""
        names = " or ".join(each.words for each in self.search_columns)
        return names if len(names) <= _MAX_DESCRIPTION_LENGTH else "text"

    @property
    def filter_columns(self) -> list[Column]:
        """The columns by which the list can be filtered."""
        kinds = ("enum", "bool")
        return [each for each in self.columns if each.field.kind in kinds and not each.is_array]

    @property
    def filter_parameters(self) -> dict[str, str]:
        """The query parameters that filter the list, with their types."""
        refs = {each.key: "Id" for each in self.to_one}
        return refs | {each.name: each.python_type for each in self.filter_columns}

    @property
    def unique_columns(self) -> list[str]:
        """The names of the unique columns."""
        refs = [each.key for each in self.to_one if each.field.unique]
        return refs + [each.name for each in self.columns if each.field.unique]

    @property
    def indexed_keys(self) -> list[str]:
        """The foreign keys that need an index: a partial unique index does not serve ON DELETE."""
        return [each.key for each in self.to_one if self.soft_deletes or not each.field.unique]

    @property
    def required_fields(self) -> list[str]:
        """The names of the required fields of a creating request."""
        refs = [each.key for each in self.to_one if not each.field.optional]
        return refs + [each.name for each in self.columns if each.is_required]

    def _target(self, each: Field) -> Target | None:
        is_self = each.target in ("self", self.name, self.cls, self.plural)
        return None if is_self else find_target(each.target, f"{each.name}:{each.kind}")
