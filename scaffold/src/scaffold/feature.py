"""A feature: the fields of its model with all names that the generated files use."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from scaffold import service
from scaffold.grammar import Field
from scaffold.kinds import Column
from scaffold.names import class_name, plural_of, with_article, words
from scaffold.reference import Reference
from scaffold.service import Target, find_target

_LONGEST_DESCRIPTION = 60


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
    specified: Sequence[Field]
    options: Options = field(default_factory=Options)
    # The model that has the feature already, when it gets new fields.
    existing: Target | None = None

    @cached_property
    def plural(self) -> str:
        """The table and the package."""
        return self.options.plural or plural_of(self.name)

    @property
    def cls(self) -> str:
        """The class of the model."""
        return class_name(self.name)

    @property
    def view(self) -> str:
        """The constant with the view."""
        return self.plural.upper()

    @property
    def path(self) -> str:
        """The path of its endpoints."""
        return self.plural.replace("_", "-")

    @property
    def package(self) -> str:
        """The package with its modules."""
        if self.existing:
            return self.existing.module.rpartition(".")[0]
        return f"app.features.{self.plural}"

    @property
    def words(self) -> str:
        """One row, in words."""
        return words(self.name)

    @property
    def all_words(self) -> str:
        """Many rows, in words."""
        return words(self.plural)

    @property
    def one(self) -> str:
        """One row, in words with the indefinite article."""
        return with_article(self.name)

    @property
    def heading(self) -> str:
        """Many rows, at the beginning of a sentence."""
        return self.all_words.capitalize()

    @property
    def keeps_deleted_rows(self) -> bool:
        """Whether its deleted rows are hidden."""
        return service.keeps_deleted_rows() and not self.options.hard_delete

    @property
    def base(self) -> str:
        """The base class of the model."""
        return "TimestampedModel" if self.options.hard_delete else "Model"

    @cached_property
    def columns(self) -> list[Column]:
        """The fields that are columns and refer to nothing."""
        return [Column(each, self.name) for each in self.specified if not each.is_relationship]

    @cached_property
    def references(self) -> list[Reference]:
        """The fields that refer to rows of a table."""
        given = [each for each in self.specified if each.is_relationship]
        targets = [self._target(each) for each in given]
        tables = Counter(
            target.table if target else self.plural
            for each, target in zip(given, targets, strict=True)
            if each.kind == "ref"
        )
        tables.update(self.existing.referred if self.existing else ())
        return [
            Reference(
                each,
                self.name,
                target,
                repeated=tables[target.table if target else self.plural] > 1,
            )
            for each, target in zip(given, targets, strict=True)
        ]

    @property
    def refs(self) -> list[Reference]:
        """The references to one row."""
        return [each for each in self.references if not each.is_many]

    @property
    def manys(self) -> list[Reference]:
        """The references to many rows."""
        return [each for each in self.references if each.is_many]

    @property
    def has_service(self) -> bool:
        """Whether creating and updating need more than one statement."""
        return bool(self.references) and not self.options.read_only

    @property
    def searched(self) -> list[Column]:
        """The columns that a search compares."""
        return [each for each in self.columns if each.name in self.options.search]

    @property
    def searched_words(self) -> str:
        """The columns that a search compares, in words."""
        names = " or ".join(each.words for each in self.searched)
        return names if len(names) <= _LONGEST_DESCRIPTION else "text"

    @property
    def filters(self) -> list[Column]:
        """The columns that a list can be filtered by."""
        kinds = ("enum", "bool")
        return [each for each in self.columns if each.field.kind in kinds and not each.is_array]

    @property
    def filtered(self) -> dict[str, str]:
        """The parameters that filter the list, with their types."""
        refs = {each.key: "Id" for each in self.refs}
        return refs | {each.name: each.python for each in self.filters}

    @property
    def unique(self) -> list[str]:
        """The columns whose values are unique."""
        refs = [each.key for each in self.refs if each.field.unique]
        return refs + [each.name for each in self.columns if each.field.unique]

    @property
    def required(self) -> list[str]:
        """The fields that a request that creates a row must have."""
        refs = [each.key for each in self.refs if not each.field.optional]
        return refs + [each.name for each in self.columns if each.is_required]

    def _target(self, each: Field) -> Target | None:
        is_self = each.target in ("self", self.name, self.cls, self.plural)
        return None if is_self else find_target(each.target, f"{each.name}:{each.kind}")
