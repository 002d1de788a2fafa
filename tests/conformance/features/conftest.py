"""Fixtures of the conformance suite: those of the service, on a schema with the suite's tables."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.schema import CreateSchema

from app.kit.db.base import Base
from app.kit.migrations.autogenerate.schema_steps import schemas_of
from app.registry import ROUTERS
from tests.conformance.features import ROUTERS as ROUTERS_OF_CONFORMANCE
from tests.conformance.features.migration_project import Project
from tests.support.database import clone, empty

# Runs before the first application is created.
ROUTERS += ROUTERS_OF_CONFORMANCE


@pytest.fixture(scope="session")
def template(template: URL) -> Generator[URL]:
    """The migrated database with the suite's tables, which tests clone. Never write to it.

    All other fixtures of the service (`session`, `client`, `committing_client`, …) derive from it.
    """
    with clone(template) as url:
        asyncio.run(_create_tables(url))
        yield url


async def _create_tables(url: URL) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for schema in sorted(schemas_of(Base.metadata)):
            await connection.execute(CreateSchema(schema, if_not_exists=True))
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()


@pytest.fixture
def project(
    unpooled_template: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[Project]:
    """Alembic with models of the test, in a separate database."""
    with empty(unpooled_template) as url:
        yield Project(url, tmp_path, monkeypatch)
