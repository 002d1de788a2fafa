"""Example data for development. The same seed generates the same rows, except primary keys.

A feature adds rows with a function, called a seeder. List it in SEEDERS in `app.registry`.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.base import Base, table_name
from app.kit.db.session import Database
from app.kit.writes.bulk import Row, insert_returning
from app.kit.writes.copy import copy_rows


@dataclass(frozen=True)
class Seed:
    """The argument of a seeder: the amount, a random generator, and methods that insert rows."""

    session: AsyncSession
    # The value of `--amount`. A seeder decides what it counts, such as users.
    amount: int
    # The value of `--random-seed`. Add it to unique values, so that two seeds do not collide.
    number: int
    random: Random
    # Reports progress: call it with the part of the amount done since the last call.
    advance: Callable[[int], None]
    counts: Counter[str] = field(default_factory=Counter[str])

    async def insert(self, model: type[Base], rows: Iterable[Row]) -> list[Any]:
        """Insert rows and return their primary keys in the order of the rows."""
        keys = await insert_returning(self.session, model, rows)
        self.counts[table_name(model)] += len(keys)
        return keys

    async def copy(self, model: type[Base], rows: Iterable[Row]) -> None:
        """Insert rows by COPY, which is faster than `insert` and returns no keys."""
        count = await copy_rows(self.session, model, rows)
        self.counts[table_name(model)] += count


Seeder = Callable[[Seed], Awaitable[None]]


async def seed_all(
    database: Database,
    seeders: Sequence[Seeder],
    amount: int,
    number: int,
    advance: Callable[[int], None],
) -> dict[str, int]:
    """Run the seeders in one transaction, and return the number of new rows per table."""
    counts = Counter[str]()
    async with database.transaction() as session:
        for seeder in seeders:
            # One generator per seeder: a change of one seeder does not change the rows of others.
            random = Random(f"{number} {_name(seeder)}")  # noqa: S311 - not for cryptography
            await seeder(Seed(session, amount, number, random, advance, counts))
    return dict(counts)


def _name(seeder: Any) -> str:
    return f"{seeder.__module__}.{seeder.__qualname__}"
