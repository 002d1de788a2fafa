"""Rows in the form of a schema: one statement reads what it shows, relations included.

For lists. To load a model with its relations and to read a response from the objects takes several
times as long as to read the columns of the response, with what belongs to each row as JSON. For
what has methods, or is to be changed, load objects with a plan.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Bundle
from typing_extensions import deprecated

from app.kit.queries.columns import Schema, columns_of

# Other modules import these names from here too.
__all__ = ["Projection", "Schema", "columns_of"]

S = TypeVar("S", bound=BaseModel)


@deprecated("use app.kit.queries.view.View; it goes in 0.7.0")
class Projection(Generic[S]):
    """What a schema shows of a model.

    Its fields are named as columns and relations; a relation is shown by a schema, or by a list of
    one, and comes in the order of the relation. What a session hides is hidden there too.
    """

    def __init__(self, schema: type[S], model: type[Any]) -> None:
        self.schema = schema
        self.model = model

    def select(self) -> Select[S]:
        """The statement of all rows; raises TypeError where the schema shows what is not stored."""
        return self._statement

    @cached_property
    def _statement(self) -> Select[S]:
        # With the first use: then every model that a relation names has been imported.
        return select(_Shown(self.schema, columns_of(self.schema, self.model)))


class _Shown(Bundle[S]):
    """Columns that are selected together, and become a schema."""

    def __init__(self, schema: type[S], columns: Sequence[ColumnElement[Any]]) -> None:
        super().__init__(schema.__name__, *columns)
        self.schema = schema

    def create_row_processor(
        self,
        query: object,
        procs: Sequence[Callable[[Any], Any]],
        labels: Iterable[str],
    ) -> Callable[[Any], S]:
        """How a row becomes a schema."""
        validate, fields = self.schema.model_validate, tuple(zip(labels, procs, strict=True))
        return lambda row: validate({name: read(row) for name, read in fields})
