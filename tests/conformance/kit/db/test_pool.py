"""The service's own pool, and what it tells the server about its connections."""

from sqlalchemy import URL, text

from app.about import NAME
from app.kit.db.session import Database, SessionDep
from app.main import create_app
from tests.rig.app import client_of, running
from tests.rig.database import settings_with


async def test_the_limits_of_the_settings_hold_on_the_server(own_database_url: URL) -> None:
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
    for engine in (database.engine, database.reading_engine):
        async with engine.connect() as connection:
            assert await connection.scalar(text("SHOW statement_timeout")) == "1500ms"
            assert await connection.scalar(text("SHOW lock_timeout")) == "250ms"
            idle = text("SHOW idle_in_transaction_session_timeout")
            assert await connection.scalar(idle) == "7s"
            assert await connection.scalar(text("SHOW jit")) == "on"
            mine = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
            assert await connection.scalar(text(mine)) == "reports"
    await database.close()


async def test_no_plan_is_compiled_unless_the_settings_say_so(own_database_url: URL) -> None:
    settings = settings_with(own_database_url, pooler="none")
    database = Database.open(settings.database, NAME)
    async with database.engine.connect() as connection:
        assert await connection.scalar(text("SHOW jit")) == "off"
    await database.close()


async def test_a_busy_pool_is_a_503_that_says_when_to_come_back(own_database_url: URL) -> None:
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
            # Busy is not broken: to send requests elsewhere would only make the others busier.
            assert (await client.get("/health/ready")).status_code == 200
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
        assert (await client.get("/kit/one")).status_code == 200
