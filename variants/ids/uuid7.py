"""Primary keys: UUIDs of version 7, ordered by the time they were made (RFC 9562)."""

from typing import Annotated
from uuid import UUID

from sqlalchemy.orm import mapped_column
from uuid_utils.compat import uuid7

Id = UUID
# No server default: PostgreSQL makes version 7 only from release 18 on, and a random key in its
# place would be a silent change of order. A row written without the service brings its own key.
PrimaryKey = Annotated[UUID, mapped_column(default=uuid7, primary_key=True)]
