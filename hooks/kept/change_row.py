"""`Repository.change`, which 0.11.0 removes. Replace it: `View.update`, or `get` and `update`."""

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import inspect
from sqlalchemy.orm.interfaces import ORMOption

from app.kit.db.base import Base
from app.kit.db.ids import Id
from app.kit.queries.repository import Repository

M = TypeVar("M", bound=Base)


async def change_row(
    repository: Repository[M], key: Id, changes: Mapping[str, Any], *options: ORMOption
) -> M:
    """Lock the row with this primary key, and update it like `Repository.update`."""
    row = await repository.get(key, *options, for_update=True)
    await repository.update(row, changes)
    # The flush expires attributes that were set to an SQL expression.
    if expired := inspect(row).expired_attributes:
        await repository.session.refresh(row, expired)
    return row
