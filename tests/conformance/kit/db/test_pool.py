"""Connection settings on the server, and an exhausted pool."""

from sqlalchemy import URL, text

from app.about import NAME
from app.kit.db.engine import build_migration_engine
from app.kit.db.session import Database
from app.kit.http.dependencies import SessionDep
from app.main import create_app
from tests.support.app import client_of, running
from tests.support.database import settings_with


async def test_timeouts_and_application_name_apply_on_the_server(own_database_url: URL) -> None:
    settings = settings_with(
        own_database_url,
        pooler="none",
        application_name="reports",
        statement_timeout=1.5,
        lock_timeout=0.25,
        idle_in_transaction_timeout=7,
        jit=True,
    )
    database = Database.open(settings.database, NAME)
    for engine in (database.engine, database.read_engine):
        async with engine.connect() as connection:
            assert await connection.scalar(text("SHOW statement_timeout")) == "1500ms"
            assert await connection.scalar(text("SHOW lock_timeout")) == "250ms"
            idle = text("SHOW idle_in_transaction_session_timeout")
            assert await connection.scalar(idle) == "7s"
            assert await connection.scalar(text("SHOW jit")) == "on"
            mine = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
            assert await connection.scalar(text(mine)) == "reports"
    await database.close()
    engine = build_migration_engine(settings.database, NAME)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SHOW application_name")) == "reports migrate"
    await engine.dispose()


async def test_jit_is_off_by_default(own_database_url: URL) -> None:
    settings = settings_with(own_database_url, pooler="none")
    database = Database.open(settings.database, NAME)
    async with database.engine.connect() as connection:
        assert await connection.scalar(text("SHOW jit")) == "off"
    await database.close()


async def test_exhausted_pool_is_a_503_with_retry_after(own_database_url: URL) -> None:
    settings = settings_with(
        own_database_url, pooler="none", pool_size=1, max_overflow=0, pool_timeout=0.05
    )
    app = create_app(settings)

    @app.get("/kit/one")
    async def one(session: SessionDep) -> int | None:
        found: int | None = await session.scalar(text("SELECT 1"))
        return found

    async with running(app), client_of(app) as client:
        async with app.state.database.engine.connect():
            response = await client.get("/kit/one")
            # Stays ready: moving requests to other processes would only exhaust those.
            assert (await client.get("/health/ready")).status_code == 200
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
        assert (await client.get("/kit/one")).status_code == 200
