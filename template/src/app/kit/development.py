"""A database for development where none is configured, and an end for its processes."""

import multiprocessing
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
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
    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8-sig")


def given_database_url(*, env_file: bool) -> str | None:
    """DATABASE_URL from the environment, or with `env_file` from `.env` as well."""
    try:
        given = (_EnvironmentAndFile() if env_file else _Environment()).database_url
    except UnicodeDecodeError:
        # `Settings.load` reports this with everything else that is wrong.
        given = _Environment().database_url
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
        yield settings_class.load(database={"url": address, "migration_url": None})


def end_with_parent() -> None:
    """End this process, as Ctrl-C would, when the one that started it is gone.

    A reloader that is killed cannot take along the process that serves.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGINT)

    Thread(target=wait, daemon=True).start()
