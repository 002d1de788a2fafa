"""An index for each order in which users are listed."""

from collections.abc import Sequence

from alembic import op

from app.kit.migrations.operations import outside_transaction

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INDEXES = {
    "ix_users_created_at_id": ["created_at", "id"],
    "ix_users_name_id": ["name", "id"],
}


def upgrade() -> None:
    # The table is in use: nobody who writes to it waits.
    with outside_transaction():
        for name, columns in INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.create_index(name, "users", columns, postgresql_concurrently=True)


def downgrade() -> None:
    with outside_transaction():
        for name in INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
