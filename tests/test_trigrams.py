"""The migration for a trigram index in docs/database.md of a service works."""

import re
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.rendering import RenderService
from tests.services import Interpreter, database_url

CODE = re.compile(r"```python\n# in (__table_args__|the migration)\n(.*?)```", re.DOTALL)
REVISION = '''"""Create a trigram index for the search."""

from alembic import op

from app.kit.migrations.operations import outside_transaction

revision, down_revision = "{name}", "{before}"


{code}'''
TEST_MODULE = '''"""The search uses the trigram indexes."""

from hashlib import sha256

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.example.users.models import User
from app.example.users.repository import USERS, matching
from app.example.users.schemas import UserQuery
from app.kit.db.session import Database
from tests.example.http_requests import count_rows_scanned


async def test_search_uses_index(session: AsyncSession, database: Database) -> None:
    # Random names: a part of one rarely occurs in another.
    names = [sha256(bytes([number % 256, number // 256])).hexdigest() for number in range(2000)]
    users = [
        {"email": f"{name}@example.org", "name": name[::-1], "hashed_password": "-"}
        for name in names
    ]
    await session.execute(insert(User), users)
    # As VACUUM does: PostgreSQL scans the whole pending list of a GIN index.
    for column in ("name", "email"):
        clean = text("SELECT gin_clean_pending_list(CAST(:index AS regclass))")
        await session.execute(clean, {"index": f"ix_users_{column}_trgm"})
    await session.execute(text("ANALYZE users"))
    # PostgreSQL prefers a sequential scan of a small table.
    await session.execute(text("SET LOCAL enable_seqscan = off"))
    for part in (names[42][:8], names[43][::-1][:8]):
        query = UserQuery.model_validate({"q": part})
        search = USERS.page(session, query, matching(query))
        # One user matches, by email or by name.
        assert await count_rows_scanned(database, session, "users", search) == 1
'''


@pytest.mark.slow
def test_documented_trigram_migration_speeds_up_search(
    service: RenderService, interpreter: Interpreter, server: URL
) -> None:
    directory = service()
    write_revisions(directory)
    (directory / "tests/features/test_search.py").write_text(TEST_MODULE)
    # These tests run the migrations up, down and up, compare them with the models and lint them.
    tests = [f"tests/architecture/test_{name}.py" for name in ("migrations", "migration_lint")]
    found = interpreter.run_module(
        *(directory, "pytest", *tests, "tests/features/test_search.py"),
        DATABASE_URL=database_url(server),
    )
    assert " passed" in found


def write_revisions(directory: Path) -> None:
    """Add the documented index and migration for both columns of the search."""
    code = dict(CODE.findall((directory / "docs/database.md").read_text()))
    models = directory / "src/app/example/users/models.py"
    before = "0008"
    for column in ("name", "email"):
        index, steps = (
            code[where].replace("name_trgm", f"{column}_trgm").replace('"name"', f'"{column}"')
            for where in ("__table_args__", "the migration")
        )
        anchor = "        CheckConstraint("
        models.write_text(models.read_text().replace(anchor, f"{index.rstrip()},\n{anchor}", 1))
        name = f"trigrams_of_{column}"
        text = REVISION.format(name=name, before=before, code=steps)
        (directory / f"migrations/versions/2030_01_01_{name}.py").write_text(text)
        before = name
