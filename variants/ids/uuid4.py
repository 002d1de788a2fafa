"""Primary keys: random UUIDs."""

from typing import Annotated
from uuid import UUID, uuid4

from sqlalchemy import func
from sqlalchemy.orm import mapped_column

Id = UUID
# The default in Python lets SQLAlchemy batch inserts. The server default is for COPY and raw SQL.
PrimaryKey = Annotated[
    UUID, mapped_column(default=uuid4, primary_key=True, server_default=func.gen_random_uuid())
]
