"""A field that is a relationship."""

from dataclasses import dataclass

from scaffold.grammar import Field
from scaffold.names import class_name, singularize, with_article, words
from scaffold.service import Target


@dataclass(frozen=True)
class Reference:
    """A relationship to one row, or to many rows through an association table."""

    field: Field
    owner: str
    # None if the model refers to itself.
    target: Target | None
    # Whether the model has several foreign keys to the table, so `relationship` must name one.
    needs_foreign_keys: bool = False

    @property
    def name(self) -> str:
        """The name of the relationship."""
        return self.field.name

    @property
    def words(self) -> str:
        """The name of the relationship in words."""
        return words(self.name)

    @property
    def target_words(self) -> str:
        """The name of the target model in words, with the indefinite article."""
        return with_article(self.target.name if self.target else self.owner)

    @property
    def is_many(self) -> bool:
        """Whether it is a relationship to many rows."""
        return self.field.kind == "many"

    @property
    def target_cls(self) -> str:
        """The name of the target model."""
        return self.target.cls if self.target else class_name(self.owner)

    @property
    def key(self) -> str:
        """The foreign key column (customer_id), or the request field with many ids (tag_ids)."""
        return f"{singularize(self.name)}_ids" if self.is_many else f"{self.name}_id"

    @property
    def association_class(self) -> str:
        """The name of the association class."""
        return f"{class_name(self.owner)}{class_name(singularize(self.name))}"

    @property
    def response_schema(self) -> str:
        """The name of the response model of a target row."""
        if self.is_many:
            return f"{self.association_class}Out"
        return f"{class_name(self.owner)}{class_name(self.name)}Out"

    @property
    def association_table(self) -> str:
        """The name of the association table."""
        return f"{self.owner}_{self.name}"

    @property
    def target_key(self) -> str:
        """The association table's foreign key to the target."""
        return f"{self.target.name if self.target else self.owner}_id"

    @property
    def label_column(self) -> str | None:
        """The text column that describes a target row, if it has one."""
        return self.target.label_column if self.target else None

    @property
    def target_may_be_deleted(self) -> bool:
        """Whether this row can remain after its target was soft-deleted."""
        return (
            self.target is not None and self.target.soft_deletes and not self.is_deleted_with_target
        )

    @property
    def is_deleted_with_target(self) -> bool:
        """Whether soft-deleting the target also deletes this row."""
        is_soft_deleted = self.target is not None and self.target.soft_deletes
        return is_soft_deleted and self.field.ondelete == "CASCADE"
