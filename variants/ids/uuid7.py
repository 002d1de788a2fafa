"""Primary keys: UUIDs of version 7, ordered by the time of creation (RFC 9562)."""

import sys
from typing import Annotated
from uuid import UUID

from sqlalchemy.orm import mapped_column

if sys.version_info >= (3, 14):
    from uuid import uuid7
else:
    import uuid_utils
    from asyncpg.pgproto import pgproto

    def uuid7() -> UUID:
        """Return a new UUID. The driver's class is created and sent faster than Python's."""
        return pgproto.UUID(uuid_utils.uuid7().bytes)


Id = UUID
# No server default: PostgreSQL generates version 7 since release 18 only, and a random UUID would
# silently break the order. Raw SQL must provide the id.
PrimaryKey = Annotated[UUID, mapped_column(default=uuid7, primary_key=True)]
