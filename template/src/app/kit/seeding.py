"""Example data for development: rows in any amount, the same ones for the same number.

A feature adds its rows with a function, a seeder, that is listed in SEEDERS in `app.registry`.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.base import Base, Record, table_name
from app.kit.db.bulk import Row, insert_returning
from app.kit.db.copy import copy_rows
from app.kit.db.ids import Id
from app.kit.db.session import Database


@dataclass(frozen=True)
class Seed:
    """What a seeder is given: how much, whence chance comes, and how to store rows in bulk."""

    session: AsyncSession
    # What `--amount` says; a feature decides what it counts.
    amount: int
    # What `--random-seed` says, for values that must not be there twice.
    number: int
    random: Random
    # To be told how many of the amount are done since the last time.
    advance: Callable[[int], None]
    counts: Counter[str] = field(default_factory=Counter[str])

    async def insert(self, model: type[Record], rows: Iterable[Row]) -> list[Id]:
        """Insert rows and return their keys, in the order of the rows."""
        keys = await insert_returning(self.session, model, rows)
        self.counts[table_name(model)] += len(keys)
        return keys

    async def copy(self, model: type[Base], rows: Iterable[Row]) -> None:
        """Store rows whose keys nobody asks for, in the fastest way."""
        # It asks for no more than a table.
        count = await copy_rows(self.session, cast("type[Record]", model), rows)
        self.counts[table_name(model)] += count


Seeder = Callable[[Seed], Awaitable[None]]


async def seed_all(
    database: Database,
    seeders: Sequence[Seeder],
    amount: int,
    number: int,
    advance: Callable[[int], None],
) -> dict[str, int]:
    """Run the seeders in one transaction; returns how many rows of which table there are more."""
    counts = Counter[str]()
    async with database.transaction() as session:
        for seeder in seeders:
            # Each has chance of its own: what one takes of it changes no other's rows.
            random = Random(f"{number} {_name(seeder)}")  # noqa: S311 - for rows that are made up
            await seeder(Seed(session, amount, number, random, advance, counts))
    return dict(counts)


def _name(seeder: Any) -> str:
    return f"{seeder.__module__}.{seeder.__qualname__}"
