"""Posts are published at a time, and listed in more orders."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | Sequence[str] | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("posts", sa.Column("published_at", sa.DateTime(timezone=True)))
    op.create_index("ix_posts_author_id_created_at_id", "posts", ["author_id", "created_at", "id"])
    op.drop_index("ix_posts_author_id", "posts")
    op.create_index("ix_posts_title_id", "posts", ["title", "id"])
    op.create_index(
        "ix_posts_published_at",
        "posts",
        [sa.text("published_at DESC NULLS LAST"), "title", "id"],
    )


def downgrade() -> None:
    op.drop_index("ix_posts_published_at", "posts")
    op.drop_index("ix_posts_title_id", "posts")
    op.create_index("ix_posts_author_id", "posts", ["author_id"])
    op.drop_index("ix_posts_author_id_created_at_id", "posts")
    op.drop_column("posts", "published_at")
