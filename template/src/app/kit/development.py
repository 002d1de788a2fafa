"""A database for development where none is configured."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.kit.local_postgres import development
from app.kit.settings import KitSettings

S = TypeVar("S", bound=KitSettings)

PROJECT_ROOT = Path(__file__).resolve().parents[3]


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    database_url: SecretStr | None = None


class _EnvironmentAndFile(_Environment):
    model_config = SettingsConfigDict(env_file=".env")


def given_database_url(*, env_file: bool) -> str | None:
    """DATABASE_URL from the environment, or with `env_file` from `.env` as well."""
    given = (_EnvironmentAndFile() if env_file else _Environment()).database_url
    return given.get_secret_value() if given else None


@contextmanager
def local_settings(settings_class: type[S]) -> Generator[S]:
    """The settings of the environment; without DATABASE_URL, those of a local server.

    The server lives as long as the block, or any other process that uses it.
    """
    if given_database_url(env_file=True):
        yield settings_class.load()
        return
    with development(PROJECT_ROOT) as url:
        address = url.render_as_string(hide_password=False)
        yield settings_class.load(database={"url": address})
