"""The databases of the tests: one is migrated, the others are its clones.

With DATABASE_URL in the environment they are made on that server, beside the database it names;
without, on a PostgreSQL that is started for this run. `.env` is for development and not read.
"""

import re
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import pytest
from sqlalchemy import URL, make_url

from app.kit.db.migrate import migrate
from app.kit.db.url import parse_url
from app.kit.development import given_database_url
from app.kit.local_postgres import throwaway
from app.settings import Settings
from tests.rig.maintenance import Maintenance

MAINTENANCE = Maintenance()
TEMPLATE = pytest.StashKey[URL]()
# A word of its own: not the end of "contest" or "latest".
_FOR_TESTS = re.compile(r"(^|[_-])tests?(db|ing)?([_-]|\d|$)")


def settings_for(url: URL) -> Settings:
    """The settings of the service on this database."""
    address = url.render_as_string(hide_password=False)
    # Never those of the environment, where a migration may be told to go elsewhere.
    return Settings.load(database={"url": address, "migration_url": None})


def settings_with(url: URL, **database: object) -> Settings:
    """The settings of this database, changed in some of the group's fields."""
    settings = settings_for(url)
    changed = settings.database.model_copy(update=database)
    return settings.model_copy(update={"database": changed})


def template_for_workers(config: pytest.Config) -> str:
    """The template's URL, in a form that can be sent to another process."""
    return template_of(config).render_as_string(hide_password=False)


def template_of(config: pytest.Config) -> URL:
    """The migrated database; the first call of a run makes it."""
    if handed_over := getattr(config, "workerinput", None):
        return make_url(handed_over["template"])
    if TEMPLATE not in config.stash:
        until_the_end = ExitStack()
        config.add_cleanup(until_the_end.close)
        given = until_the_end.enter_context(server())
        config.stash[TEMPLATE] = until_the_end.enter_context(migrated(given))
    return config.stash[TEMPLATE]


@contextmanager
def clone(template: URL) -> Generator[URL]:
    """A database like the template, dropped at the end."""
    name = f"test_{uuid4().hex}"
    # A pooler may keep connections to the template, which could then not be copied.
    freed = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{template.database}'"
    )
    with _created(template, name, freed, f"CREATE DATABASE {name} TEMPLATE {template.database}"):
        yield template.set(database=name)


@contextmanager
def unpooled(template: URL) -> Generator[URL]:
    """A migrated database to clone without a pooler in front, whatever the given one is behind."""
    if settings_for(template).database.pooler == "none":
        yield template
    else:
        with throwaway() as server, migrated(server) as url:
            yield url


@contextmanager
def migrated(server: URL) -> Generator[URL]:
    """A new database on a server, with the schema of the service; dropped at the end."""
    with empty(server) as url:
        migrate(settings_for(url))
        # A pooler keeps its connection, and a database that is in use cannot be cloned.
        MAINTENANCE.execute(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{url.database}'",
        )
        yield url


@contextmanager
def empty(server: URL) -> Generator[URL]:
    """A new database on a server, without a schema; dropped at the end."""
    name = f"test_{uuid4().hex}"
    with _created(server, name, f"CREATE DATABASE {name}"):
        yield server.set(database=name)


@contextmanager
def server() -> Generator[URL]:
    """The server of this run: the given one, if the database it names is for tests."""
    given = given_database_url(env_file=False)
    if given is None:
        with throwaway() as url:
            yield url
        return
    url = parse_url(given)
    if not _FOR_TESTS.search(url.database or ""):
        pytest.exit(
            f"DATABASE_URL names the database {url.database!r}. The tests only go near one with "
            "the word 'test' in its name: name such a database, or unset DATABASE_URL to have a "
            "PostgreSQL started for them.",
            returncode=2,
        )
    yield url


@contextmanager
def _created(server: URL, name: str, *statements: str) -> Generator[None]:
    MAINTENANCE.execute(server, *statements)
    try:
        yield
    finally:
        MAINTENANCE.execute(server, f"DROP DATABASE {name} WITH (FORCE)")
