"""The rig of the tests keeps its own promises."""

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.kit.db.session import Database, SessionDep
from tests.rig.database import clone, template_of
from tests.rig.statements import Statements, counting, counting_round_trips

CREATE = text("CREATE TABLE rig (number int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")


@pytest.mark.parametrize("name", ["production", "app", "contest_results"])
def test_a_database_that_is_not_named_for_tests_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch, pytester_config: pytest.Config
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@127.0.0.1:1/{name}")
    with pytest.raises(pytest.exit.Exception, match=name):
        template_of(pytester_config)
