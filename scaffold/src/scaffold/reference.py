"""Fields that refer to rows of a table."""

from dataclasses import dataclass

from scaffold.grammar import Field
from scaffold.names import class_name, singular_of, with_article, words
from scaffold.service import Target


@dataclass(frozen=True)
class Reference:
    """A field that refers to one row, or to many rows through an association table."""

    field: Field
    owner: str
    # None where the model refers to itself.
    target: Target | None
    repeated: bool = False

    @property
    def name(self) -> str:
        """The relationship."""
        return self.field.name

    @property
    def words(self) -> str:
        """The relationship in words."""
        return words(self.name)

    @property
    def target_words(self) -> str:
        """One row that it refers to, in words with the indefinite article."""
        return with_article(self.target.name if self.target else self.owner)

    @property
    def is_many(self) -> bool:
        """Whether it refers to many rows."""
        return self.field.kind == "many"

    @property
    def target_cls(self) -> str:
        """The class of the rows it refers to."""
        return self.target.cls if self.target else class_name(self.owner)

    @property
    def key(self) -> str:
        """The column, or for many the field of requests: customer_id, tag_ids."""
        return f"{singular_of(self.name)}_ids" if self.is_many else f"{self.name}_id"

    @property
    def cls(self) -> str:
        """The class of the association."""
        return f"{class_name(self.owner)}{class_name(singular_of(self.name))}"

    @property
    def schema(self) -> str:
        """The schema that a response shows it as."""
        return f"{self.cls if self.is_many else class_name(self.owner) + class_name(self.name)}Out"

    @property
    def association(self) -> str:
        """The association table."""
        return f"{self.owner}_{self.name}"

    @property
    def target_key(self) -> str:
        """The column of the association that refers to the target."""
        return f"{self.target.name if self.target else self.owner}_id"

    @property
    def label(self) -> str | None:
        """The text column that describes the target."""
        return self.target.label if self.target else None

    @property
    def may_be_hidden(self) -> bool:
        """Whether the row that it refers to may be deleted and hidden."""
        return self.target is not None and self.target.keeps_deleted_rows and not self.is_owned

    @property
    def is_owned(self) -> bool:
        """Whether it is hidden together with the row that it refers to."""
        is_hidden = self.target is not None and self.target.keeps_deleted_rows
        return is_hidden and self.field.ondelete == "CASCADE"
