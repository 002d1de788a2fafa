"""An index for each order in which products and orders are listed."""

from collections.abc import Sequence

from alembic import op

from app.kit.migrations.operations import outside_transaction

revision: str = "0008"
down_revision: str | Sequence[str] | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INDEXES = {
    "ix_products_name_id": ("products", ["name", "id"]),
    "ix_products_created_at_id": ("products", ["created_at", "id"]),
    "ix_products_price_cents_id": ("products", ["price_cents", "id"]),
    "ix_orders_created_at_id": ("orders", ["created_at", "id"]),
}


def upgrade() -> None:
    with outside_transaction():
        for name, (table, columns) in INDEXES.items():
            # An interrupted build leaves an invalid index.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.create_index(name, table, columns, postgresql_concurrently=True)


def downgrade() -> None:
    with outside_transaction():
        for name in INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
