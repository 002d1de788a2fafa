"""Give the check on users the name that its model gives it: 0001 had the prefix twice."""

from collections.abc import Sequence

from alembic import op

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TWICE = "ck_users_ck_users_email_is_lower_case"
ONCE = "ck_users_email_is_lower_case"


def upgrade() -> None:
    op.execute(f"ALTER TABLE users RENAME CONSTRAINT {TWICE} TO {ONCE}")


def downgrade() -> None:
    op.execute(f"ALTER TABLE users RENAME CONSTRAINT {ONCE} TO {TWICE}")
