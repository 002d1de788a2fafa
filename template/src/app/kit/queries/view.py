"""Views: read response schemas from the database in one statement, with relationships.

Declare one per response schema: `POSTS = View(PostOut, Post)`. Statements are compiled once and run
by asyncpg directly, without ORM objects. Use a repository to call methods of the model on a row.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel
from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import aliased
from sqlalchemy.sql.cache_key import CacheKey

from app.kit.db.base import primary_key
from app.kit.db.deletion import exclude_deleted
from app.kit.db.session import Database
from app.kit.errors.problems import NotFound
from app.kit.queries.compiled.columns import CURSOR, ViewSelects, columns_of
from app.kit.queries.compiled.insert_update import (
    arguments,
    insert_defaults,
    insert_row,
    update_defaults,
    update_row,
)
from app.kit.queries.compiled.results import RowStream, RowValidator
from app.kit.queries.compiled.statement_cache import Connectable, StatementCache, cache_key
from app.kit.queries.keyset import paginate_keyset
from app.kit.queries.pagination import CursorPageResult, CursorQuery, PageQuery, PageResult
from app.kit.queries.sorting import SortOrder

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
        self._selects = ViewSelects(schema, model)
        self._statements = StatementCache()
        self._validator = RowValidator(schema, model)

    def select(self) -> Select[Any]:
        """Return `select(model)`, to which you add filters, joins and an order."""
        return self._select

    async def get(self, db: Connectable, key: Any) -> S:
        """Return the row with this primary key, or raise `NotFound`."""
        statement, select_key = self._by_key
        values = {"row__key": key}
        rows = await self._statements.read(db, statement, self._selects.rows, values, select_key)
        if not rows:
            raise self._not_found(key)
        return self._validator.one(rows[0])

    async def first(self, db: Connectable, statement: Select[Any]) -> S | None:
        """Return the first row of a statement, or None."""
        return next(iter(await self.list(db, statement.limit(1))), None)

    async def list(self, db: Connectable, statement: Select[Any]) -> list[S]:
        """Return every row of a statement. Limit it if the table can grow."""
        return self._validator.all(await self._statements.read(db, statement, self._selects.rows))

    async def page(
        self, db: Connectable, query: PageQuery, statement: Select[Any]
    ) -> PageResult[S]:
        """Return one page of a statement and the total number of rows.

        The primary key is the last term of ORDER BY. If a join repeats a row, the result contains
        it once per combination of ORDER BY values. Raises TypeError for a statement with LIMIT or
        OFFSET.
        """
        select_key = cache_key(statement)
        build = self._selects.deep_page if query.offset else self._selects.first_page
        values = {"page_limit": query.limit, "page_offset": query.offset}
        rows = await self._statements.read(db, statement, build, values, select_key)
        items = self._validator.all(rows)
        total = query.offset + len(items)
        # A page that is not full is the last one, so its end is the total.
        if len(items) == query.limit or (query.offset and not items):
            [counted] = await self._statements.read(
                db, statement, self._selects.total, key=select_key
            )
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

        async def find(page: Select[Any]) -> list[Any]:
            rows = await self._statements.read(db, page, self._selects.rows_with_cursor)
            columns = rows[0] if rows else ()
            names = [name for name in columns if name.startswith(CURSOR)]
            # Not fields of the schema, which may reject or keep unknown fields.
            positions = [[row.pop(name) for name in names] for row in rows]
            items = self._validator.all(rows)
            return [(item, *position) for item, position in zip(items, positions, strict=True)]

        return await paginate_keyset(find, query, statement, order)

    def stream(self, database: Database, statement: Select[Any]) -> RowStream[S]:
        """Return a stream of every row of a statement, for `JsonLines`, `CsvLines` or `async for`.

        It opens its own session, and reads one snapshot with a server-side cursor.
        """
        return RowStream(database, self._selects.rows(statement), self.schema, self._validator)

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
        defaults = insert_defaults(cast("Any", self.model), names)
        values |= {name: default() for name, default in defaults.items()}

        def build() -> Any:
            table: Any = self.model.__table__
            statement = cast("Any", insert_row(self.model, values))
            # SQLAlchemy does not correlate a subquery with the table of an INSERT, so select the
            # relationships from a CTE.
            inserted = statement.returning(*table.c).cte("inserted")
            return select(*columns_of(self.schema, aliased(self.model, inserted)))

        [row] = await self._statements.write(db, ("insert", names), build, arguments(values))
        return self._validator.one(row)

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
        if names:
            defaults = update_defaults(cast("Any", self.model), names)
            values |= {name: default() for name, default in defaults.items()}

        def build() -> Any:
            if not names:
                return self._selects.rows(self._by_key[0])
            columns = columns_of(self.schema, self.model)
            return exclude_deleted(update_row(self.model, values).returning(*columns))

        parameters = arguments(values) | {"row__key": key}
        rows = await self._statements.write(db, ("update", names), build, parameters)
        if not rows:
            raise self._not_found(key)
        return self._validator.one(rows[0])

    @cached_property
    def _select(self) -> Select[Any]:
        return select(self.model)

    @cached_property
    def _by_key(self) -> tuple[Select[Any], CacheKey | None]:
        statement = self.select().where(primary_key(self.model) == bindparam("row__key"))
        return statement, cache_key(statement)

    def _not_found(self, key: Any) -> NotFound:
        return NotFound(f"{self.model.__name__} {key} not found.")
