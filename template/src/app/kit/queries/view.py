"""Views: read response schemas from the database in one statement, with relationships.

Declare one per response schema: `POSTS = View(PostOut, Post)`. Statements are compiled once and run
by asyncpg directly, without ORM objects. Use a repository to call methods of the model on a row.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

from pydantic import BaseModel
from sqlalchemy import Integer, Select, bindparam, select
from sqlalchemy.sql.cache_key import CacheKey

from app.kit.db.base import primary_key
from app.kit.db.deletion import exclude_deleted
from app.kit.db.session import Database
from app.kit.errors.problems import NotFound
from app.kit.queries.compiled.columns import (
    arguments,
    columns_of,
    insert_row,
    related_fields,
    update_row,
)
from app.kit.queries.compiled.results import RowStream, RowValidator
from app.kit.queries.compiled.statement_cache import Connectable, StatementCache, cache_key
from app.kit.queries.keyset import paginate_keyset
from app.kit.queries.pagination import (
    CursorPageResult,
    CursorQuery,
    PageQuery,
    PageResult,
    count_rows,
    ordered_rows,
    repeats_rows,
)
from app.kit.queries.sorting import CURSOR, SortOrder

__all__ = ["Connectable", "View"]

S = TypeVar("S", bound=BaseModel)


class View(Generic[S]):
    """Reads and writes rows of a model, and returns them as a response schema.

    A field reads the model attribute with the same name: a column, a `column_property`, a
    `hybrid_property` with an SQL expression, or a relationship. A relationship is a schema or a
    list of schemas, sorted by the `order_by` of the relationship.

    Pass a session to run a method in its transaction. Pass the database (`DatabaseDep`) to run
    each statement in its own transaction. The first use raises TypeError if a field cannot be read
    from the model.
    `get`, `page` and `update` need a model with a primary key of one column.
    """

    def __init__(self, schema: type[S], model: type[Any]) -> None:
        self.schema = schema
        self.model = model
        self._statements = StatementCache()
        self._validator = RowValidator(schema, model)

    def select(self) -> Select[Any]:
        """Return `select(model)`, to which you add filters, joins and an order."""
        return self._select

    async def get(self, db: Connectable, key: Any) -> S:
        """Return the row with this primary key, or raise `NotFound`."""
        statement, select_key = self._by_key
        values = {"row__key": key}
        rows = await self._statements.read(db, statement, self._rows, values, select_key)
        return self._one(rows, key)

    async def first(self, db: Connectable, statement: Select[Any]) -> S | None:
        """Return the first row of a statement, or None."""
        return next(iter(await self.list(db, statement.limit(1))), None)

    async def list(self, db: Connectable, statement: Select[Any]) -> list[S]:
        """Return every row of a statement. Limit it if the table can grow."""
        return self._validator.all(await self._statements.read(db, statement, self._rows))

    async def page(
        self, db: Connectable, query: PageQuery, statement: Select[Any]
    ) -> PageResult[S]:
        """Return one page of a statement and the total number of rows.

        The primary key is the last term of ORDER BY. If a join repeats a row, the result contains
        it once per combination of ORDER BY values. Raises TypeError for a statement with LIMIT or
        OFFSET.
        """
        select_key = cache_key(statement)
        build = self._deep_page if query.offset else self._first_page
        values = {"page_limit": query.limit, "page_offset": query.offset}
        rows = await self._statements.read(db, statement, build, values, select_key)
        items = self._validator.all(rows)
        total = query.offset + len(items)
        # A page that is not full is the last one, so its end is the total.
        if len(items) == query.limit or (query.offset and not items):
            [counted] = await self._statements.read(db, statement, self._total, key=select_key)
            total = counted["total"]
        return PageResult(items, total, query.limit, query.offset)

    async def feed(
        self, db: Connectable, query: CursorQuery, statement: Select[Any], order: SortOrder
    ) -> CursorPageResult[S]:
        """Return one page of a statement by cursor (keyset pagination).

        Raises:
            InvalidCursor: the cursor does not belong to this list.
            TypeError: the statement has GROUP BY, LIMIT or OFFSET.

        """
        names = [column.name for column in order.cursor]

        async def find(page: Select[Any]) -> list[Any]:
            rows = await self._statements.read(db, page, self._rows)
            # Not fields of the schema, which may reject or keep unknown fields.
            positions = [[row.pop(name) for name in names] for row in rows]
            items = self._validator.all(rows)
            return [(item, *position) for item, position in zip(items, positions, strict=True)]

        return await paginate_keyset(find, query, statement, order)

    def stream(self, database: Database, statement: Select[Any]) -> RowStream[S]:
        """Return a stream of every row of a statement, for `JsonLines`, `CsvLines` or `async for`.

        It opens its own session, and reads one snapshot with a server-side cursor.
        """
        return RowStream(database, self._rows(statement), self._validator)

    async def insert(self, db: Connectable, new: BaseModel | Mapping[str, Any]) -> S:
        """Insert a row and return it, in one statement.

        With the database instead of a session, the row is committed when this returns. Column
        defaults apply. Validators and events of the model do not run.

        Raises:
            IntegrityError: the row violates a constraint. The response is 409 or 422.
            TypeError: a name is not a column of the model.

        """
        values = dict(new)
        names = frozenset(values)
        build = partial(insert_row, self.schema, self.model, names)
        rows = await self._statements.write(db, ("insert", names), build, arguments(values))
        return self._validator.all(rows)[0]

    async def update(self, db: Connectable, key: Any, changes: BaseModel | Mapping[str, Any]) -> S:
        """Update the fields that are set, and return the row, in one statement.

        With the database instead of a session, it is committed when this returns. `onupdate`
        defaults and the version column apply. Validators and events of the model do not run.

        Raises:
            NotFound: the row does not exist or is soft-deleted.
            IntegrityError: the row violates a constraint. The response is 409 or 422.
            TypeError: a name is not a column of the model.

        """
        values = (
            changes.model_dump(exclude_unset=True)
            if isinstance(changes, BaseModel)
            else dict(changes)
        )
        names = frozenset(values)

        def build() -> Any:
            if not names:
                return self._rows(self._by_key[0])
            return update_row(self.schema, self.model, names)

        parameters = arguments(values) | {"row__key": key}
        rows = await self._statements.write(db, ("update", names), build, parameters)
        return self._one(rows, key)

    @cached_property
    def _select(self) -> Select[Any]:
        return select(self.model)

    @cached_property
    def _by_key(self) -> tuple[Select[Any], CacheKey | None]:
        statement = self.select().where(primary_key(self.model) == bindparam("row__key"))
        return statement, cache_key(statement)

    def _one(self, rows: Sequence[dict[str, Any]], key: Any) -> S:
        if not rows:
            raise NotFound(f"{self.model.__name__} {key} not found.")
        return self._validator.all(rows)[0]

    def _rows(self, statement: Select[Any]) -> Select[Any]:
        """Select the columns of the schema, and of the cursor, instead of the model."""
        columns = columns_of(self.schema, self.model)
        others = statement.column_descriptions[1:]
        columns += [each["expr"] for each in others if str(each["name"]).startswith(CURSOR)]
        return exclude_deleted(statement.with_only_columns(*columns, maintain_column_froms=True))

    def _first_page(self, statement: Select[Any]) -> Select[Any]:
        """Select the rows of a page, with the parameters `page_limit` and `page_offset`.

        PostgreSQL also computes the columns of the rows that OFFSET skips.
        """
        return self._rows(_limited(ordered_rows(statement)))

    def _deep_page(self, statement: Select[Any]) -> Select[Any]:
        """Select the same rows as `_first_page`, by primary keys from a subquery.

        PostgreSQL reads the relationships of these rows only, not of the rows that OFFSET skips.
        """
        if repeats_rows(statement) or not related_fields(self.schema, self.model):
            return self._first_page(statement)
        ordered, key = ordered_rows(statement), primary_key(self.model)
        keys = _limited(ordered).with_only_columns(key, maintain_column_froms=True)
        return self._rows(ordered.where(key.in_(keys.correlate(None))))

    def _total(self, statement: Select[Any]) -> Select[Any]:
        return exclude_deleted(count_rows(statement))


def _limited(statement: Select[Any]) -> Select[Any]:
    limited = statement.limit(bindparam("page_limit", type_=Integer))
    return limited.offset(bindparam("page_offset", type_=Integer))
