"""Each code rule detects its violations, and accepts correct code."""

import subprocess
import sys

import pytest

from app.kit.migrations.runner import PROJECT_ROOT
from tests.architecture.test_code_rules import RULES, broken_rules, lint_source

# Code that Ruff rejects, with the number of the rule.
REJECTED_BY_RUFF = [
    ("DTZ003", "from datetime import datetime\nat = datetime.utcnow()"),
    ("DTZ004", "from datetime import datetime\nat = datetime.utcfromtimestamp(0)"),
    ("DTZ005", "import datetime\nat = datetime.datetime.now()"),
    ("TID251", "from sqlalchemy.orm import scoped_session"),
    ("TID251", "from sqlalchemy.ext.asyncio import async_scoped_session"),
    ("TID251", "from sqlalchemy import create_engine"),
    ("TID251", "from sqlalchemy.orm import Session"),
    ("TID251", "from sqlalchemy.orm import sessionmaker"),
    ("TID251", "import os\nurl = os.environ['DATABASE_URL']"),
    ("TID251", "import os\nurl = os.environ.get('DATABASE_URL')"),
    ("TID251", "from os import getenv\nurl = getenv('DATABASE_URL')"),
    ("TID251", "from sqlalchemy.orm import Mapped, relationship"),
    ("TID251", "from sqlalchemy import orm\nposts = orm.relationship('Post')"),
    ("TID251", "from fastapi import HTTPException"),
    ("TID251", "import fastapi\ndef f(): raise fastapi.HTTPException(404)"),
    ("TID251", "from fastapi.exceptions import HTTPException"),
    ("TID251", "from starlette.exceptions import HTTPException"),
    ("TID251", "from starlette.middleware.base import BaseHTTPMiddleware"),
    ("TID251", "from app.kit.http.dependencies import get_session"),
    ("TID251", "from app.kit.http.dependencies import get_read_session"),
]

VIOLATIONS = [
    ("commits", "async def f(session): await session.commit()"),
    ("commits", "async def f(session): await session.rollback()"),
    ("creates_tables", "async def f(c): await c.run_sync(Base.metadata.create_all)"),
    ("changes_sessions", "sessions = async_sessionmaker(engine, autoflush=False)"),
    ("changes_sessions", "sessions = async_sessionmaker(engine, autocommit=True)"),
    ("declares_loading", "posts = relationship(lazy='selectin')"),
    ("declares_loading", "posts = relationship(backref='author')"),
    ("wraps_requests", "@app.middleware('http')\nasync def f(request, call_next): ..."),
    ("reaches_out_of_the_kit", "from app.settings import Settings"),
    ("reaches_out_of_the_kit", "from app import registry"),
    ("reaches_out_of_the_kit", "import app.main"),
    ("reads_without_bound", "async def f(s): return (await s.scalars(select(User))).all()"),
    ("reads_without_bound", "async def f(s): return list(await s.scalars(select(User)))"),
    ("builds_sql_from_values", "found = text(f'SELECT {name}')"),
    ("builds_sql_from_values", "found = sqlalchemy.text('SELECT %s' % name)"),
    ("builds_sql_from_values", "found = text('SELECT ' + name)"),
    ("builds_sql_from_values", "found = literal_column('{}'.format(name))"),
    ("builds_sql_from_values", "async def f(c, name): await c.exec_driver_sql(f'DROP {name}')"),
    ("builds_sql_from_values", "async def f(c, name): await c.execute(f'DROP {name}')"),
]


@pytest.mark.parametrize(("rule", "source"), VIOLATIONS)
def test_rule_detects_violation(rule: str, source: str) -> None:
    module = "app/kit/example.py" if rule == "reaches_out_of_the_kit" else "app/features/a.py"
    assert rule in dict(broken_rules(source, module))


def test_every_rule_has_an_example() -> None:
    assert {rule.__name__ for rule in RULES} == {name for name, _ in VIOLATIONS}


@pytest.mark.parametrize(
    "source",
    [
        "async def f(session): await session.flush()",
        "posts = relationship(back_populates='author')",
        "async def f(s): return (await s.scalars(select(User).limit(10))).all()",
        "from app.kit.errors.problems import NotFound",
        "found = text('SELECT :name').bindparams(name=name)",
    ],
)
def test_correct_code_violates_no_rule(source: str) -> None:
    assert lint_source(source, "app/kit/example.py") == []


def run_ruff(source: str, path: str) -> str:
    """Check source code with the configuration of the service, as if it were in this file."""
    command = [sys.executable, "-m", "ruff", "check", "--stdin-filename", path, "-"]
    options = ["--select", "DTZ,TID251", "--output-format", "concise", "--no-cache"]
    ended = subprocess.run(
        [*command, *options],
        input=source,
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not ended.stderr
    return ended.stdout


@pytest.mark.parametrize(("rule", "source"), REJECTED_BY_RUFF)
def test_ruff_rejects_code_of_features(rule: str, source: str) -> None:
    assert f" {rule} " in run_ruff(source, "src/app/features/notes/service.py")


def test_ruff_accepts_database_code_in_tests_and_migrations() -> None:
    source = "from sqlalchemy.orm import Session"
    for path in ("tests/features/test_notes.py", "migrations/versions/0001_notes.py"):
        assert run_ruff(source, path) == "All checks passed!\n"
