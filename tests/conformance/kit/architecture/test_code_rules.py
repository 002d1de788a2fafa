"""Each code rule detects its violations, and accepts correct code."""

import pytest

from tests.architecture.code_rules import RULES, broken_rules, lint_source

VIOLATIONS = [
    ("commits", "async def f(session): await session.commit()"),
    ("commits", "async def f(session): await session.rollback()"),
    ("tells_naive_time", "from datetime import datetime\nat = datetime.utcnow()"),
    ("tells_naive_time", "import datetime\nat = datetime.datetime.now()"),
    ("creates_tables", "async def f(c): await c.run_sync(Base.metadata.create_all)"),
    ("uses_other_sessions", "from sqlalchemy.orm import scoped_session"),
    ("uses_other_sessions", "from sqlalchemy import create_engine"),
    ("uses_other_sessions", "from sqlalchemy.orm import Session"),
    ("changes_sessions", "sessions = async_sessionmaker(engine, autoflush=False)"),
    ("changes_sessions", "sessions = async_sessionmaker(engine, autocommit=True)"),
    ("reads_environment", "import os\nurl = os.environ['DATABASE_URL']"),
    ("reads_environment", "import os\nurl = os.environ.get('DATABASE_URL')"),
    ("reads_environment", "from os import getenv\nurl = getenv('DATABASE_URL')"),
    ("declares_loading", "from sqlalchemy.orm import Mapped, relationship"),
    ("declares_loading", "posts = orm.relationship('Post')"),
    ("declares_loading", "posts = relationship(lazy='selectin')"),
    ("declares_loading", "posts = relationship(backref='author')"),
    ("decides_on_http", "from fastapi import HTTPException"),
    ("decides_on_http", "def f(): raise fastapi.HTTPException(404)"),
    ("wraps_requests", "from starlette.middleware.base import BaseHTTPMiddleware"),
    ("wraps_requests", "@app.middleware('http')\nasync def f(request, call_next): ..."),
    ("reaches_out_of_the_kit", "from app.settings import Settings"),
    ("reaches_out_of_the_kit", "from app import registry"),
    ("reaches_out_of_the_kit", "import app.main"),
    ("makes_sessions_of_requests", "Own = Annotated[AsyncSession, Depends(get_session)]"),
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
        "from datetime import UTC, datetime\nat = datetime.now(UTC)",
        "import os\nos.environ['DATABASE_URL'] = 'postgresql://'",
        "posts = relationship(back_populates='author')",
        "async def f(s): return (await s.scalars(select(User).limit(10))).all()",
        "from app.kit.errors.problems import NotFound",
        "found = text('SELECT :name').bindparams(name=name)",
    ],
)
def test_correct_code_violates_no_rule(source: str) -> None:
    assert lint_source(source, "app/kit/example.py") == []
