"""Primary keys: integers, counted by PostgreSQL."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import BigInteger, Identity
from sqlalchemy.orm import mapped_column

# Bounded as the column is, so that a larger number is a malformed request, not a database error.
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
PrimaryKey = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
