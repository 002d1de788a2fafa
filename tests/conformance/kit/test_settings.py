"""Environment variables are validated, and errors name the variable."""

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel, Field, SecretStr
from sqlalchemy import make_url

from app.kit.settings import KitSettings, SettingsError, variables_of
from app.main import create_app
from app.settings import Settings
from tests.support.database import settings_for

SECRET = "s3cret"
SECRET_NAME = re.compile(r"(^|_)(passw\w*|secret|token|key|url|dsn|credential)(_|$)")
URL = f"postgresql://app:{SECRET}@db.example/app"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Remove the database from the environment, and read `.env` in an empty directory."""
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")
    monkeypatch.delenv("DATABASE_URL", raising=False)


def test_missing_database_url_is_reported() -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL: is not set"):
        Settings.load()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_POOL_SIZE", "-1"),
        ("DATABASE_MAX_OVERFLOW", "many"),
        ("DATABASE_POOL_TIMEOUT", "0"),
        ("DATABASE_STATEMENT_TIMEOUT", "-3"),
        ("DATABASE_POOLER", "pgpool"),
        ("DATABASE_URL", f"mysql://app:{SECRET}@db/app"),
        ("DATABASE_URL", f"postgresql://app:{SECRET}@db.example"),
        ("DATABASE_URL", f"postgresql://app:{SECRET}@db/app?sslcert=x"),
        ("DATABASE_URL", f"nonsense {SECRET}"),
        ("DATABASE_URL", f"postgresql://app:p@{SECRET}@db/app"),
        ("DATABASE_URL", f"postgresql://app:{SECRET}@db:99999/app"),
        ("LOG_LEVEL", "LOUD"),
        ("DOCS", "perhaps"),
        ("HTTP_CONCURRENCY", "0"),
        ("HTTP_BODY_LIMIT", "-1"),
        ("HTTP_ORIGINS", f"https://{SECRET}.example/path"),
        ("HTTP_ORIGINS", f"https://good.example,{SECRET}"),
        ("HTTP_ORIGINS", "https://Loud.example"),
        ("HTTP_HOSTS", "https://api.example.org"),
        ("HTTP_HOSTS", "api.*.org"),
    ],
)
def test_invalid_value_names_its_variable_and_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as error:
        Settings.load()
    assert f"  {variable}: " in str(error.value)
    assert SECRET not in str(error.value)


def test_every_invalid_variable_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_POOL_SIZE", "0")
    monkeypatch.setenv("LOG_FORMAT", "xml")
    with pytest.raises(SettingsError) as error:
        Settings.load()
    for variable in ("DATABASE_URL", "DATABASE_POOL_SIZE", "LOG_FORMAT"):
        assert variable in str(error.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_common_schemes_use_the_async_driver(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://app@db.example/app?sslmode=require")
    url = Settings.load().database.sqlalchemy_url
    assert url.drivername == "postgresql+asyncpg"
    assert url.query == {"ssl": "require"}


def test_separate_password_is_taken_literally(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("DATABASE_PASSWORD", "p@ss/w%rd#1")
    assert Settings.load().database.sqlalchemy_url.password == "p@ss/w%rd#1"


def test_environment_overrides_pool_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("DATABASE_POOL_SIZE", "3")
    monkeypatch.setenv("DATABASE_POOL_RECYCLE", "")
    settings = Settings.load().database
    assert settings.pool_size == 3
    assert settings.pool_recycle == type(settings).model_fields["pool_recycle"].default


def test_list_is_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("HTTP_ORIGINS", "https://a.example, http://localhost:3000")
    monkeypatch.setenv("HTTP_HOSTS", "*.example.org")
    # HTTP_PROXY belongs to other programs.
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")
    http = Settings.load().http
    assert http.origins == ("https://a.example", "http://localhost:3000")
    assert http.hosts == ("*.example.org",)


def test_credentials_require_explicit_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("HTTP_ORIGINS", "*")
    assert Settings.load().http.origins == ("*",)
    monkeypatch.setenv("HTTP_CREDENTIALS", "true")
    with pytest.raises(SettingsError, match="HTTP_CREDENTIALS requires HTTP_ORIGINS"):
        Settings.load()


def test_settings_do_not_print_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("DATABASE_REPLICA_URL", URL)
    monkeypatch.setenv("DATABASE_PASSWORD", SECRET)
    settings = Settings.load()
    for printed in (repr(settings), str(settings), settings.model_dump_json()):
        assert SECRET not in printed


def open_secrets(model: type[BaseModel]) -> list[str]:
    """Return the fields whose name suggests a secret, but whose type shows it when printed."""
    found: list[str] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += open_secrets(kind)
        elif SECRET_NAME.search(name) and str in (kind, *get_args(kind)):
            found.append(f"{model.__name__}.{name}")
    return found


def test_every_secret_is_declared_as_secret() -> None:
    assert not open_secrets(Settings), "declare it as SecretStr"


def test_plain_text_secret_is_detected() -> None:
    class Mail(BaseModel):
        token: str | None = None
        password: SecretStr
        sender: str

    class Own(BaseModel):
        mail: Mail
        webhook_url: str

    assert open_secrets(Own) == ["Mail.token", "Own.webhook_url"]


# These variables accept any text.
FREE_TEXT = {
    "AUTH_AUDIENCE",
    "AUTH_CLIENT_ID",
    "AUTH_REQUIRED_SCOPES",
    "AUTH_SCOPE_CLAIMS",
    "DATABASE_APPLICATION_NAME",
    "DATABASE_PASSWORD",
}


def validated_variables() -> list[str]:
    """Return the kit's variables that do not accept any text."""
    return sorted({*variables_of(KitSettings)} - FREE_TEXT)


@pytest.mark.parametrize("variable", validated_variables())
def test_invalid_text_in_any_variable_is_rejected_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv(variable, f"~{SECRET}")
    with pytest.raises(SettingsError) as error:
        Settings.load()
    assert f"  {variable}: " in str(error.value)
    assert SECRET not in str(error.value)


def test_misspelt_variable_is_rejected_with_a_suggestion(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("DATABASE_POOLSIZE", SECRET)
    with pytest.raises(SettingsError) as error:
        Settings.load()
    assert "  DATABASE_POOLSIZE: is not a setting: did you mean DATABASE_POOL_SIZE?" in str(
        error.value
    )
    assert SECRET not in str(error.value)


def test_kubernetes_service_variables_are_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("DATABASE_PORT", "tcp://10.0.0.1:5432")
    monkeypatch.setenv("DATABASE_SERVICE_HOST", "10.0.0.1")
    Settings.load()


def test_all_invalid_variables_are_in_one_message(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_POOLSIZE", "5")
    monkeypatch.setenv("DATABASE_MAX_OVERFLOW", "many")
    monkeypatch.setenv("LOG_LEVL", "INFO")
    monkeypatch.setenv("LOG_COLOUR", "red")
    monkeypatch.setenv("METRICS", "yes")
    monkeypatch.setenv("HTTP_ORIGINS", "https://Loud.example")
    (tmp_path / ".env").write_text("DOCSS=false\nHTTP_TIME_LIMIT=soon\nCOMPOSE_PROJECT_NAME=x\n")
    with pytest.raises(SettingsError) as error:
        Settings.load()
    lines = str(error.value).splitlines()[1:-1]
    assert sorted(line.split(":")[0].strip() for line in lines) == [
        "DATABASE_MAX_OVERFLOW",
        "DATABASE_POOLSIZE",
        "DATABASE_URL",
        "DOCSS",
        "HTTP_ORIGINS",
        "HTTP_TIME_LIMIT",
        "LOG_COLOUR",
        "LOG_LEVL",
        "METRICS",
    ]
    assert "  DOCSS: is not a setting: did you mean DOCS?" in lines
    assert "  LOG_LEVL: is not a setting: did you mean LOG_LEVEL?" in lines


def test_variables_of_other_programs_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(Settings):
        ignored_variables = frozenset({"LOG_DIR"})

    monkeypatch.setenv("DATABASE_URL", URL)
    for name in (
        "DATABASE_URL_UNPOOLED",
        "DATABASE_USER",
        "DATABASE_PORT_5432_TCP_ADDR",
        "LOG_DIR",
    ):
        monkeypatch.setenv(name, "x")
    Own.load()
    with pytest.raises(SettingsError, match="LOG_DIR: is not a setting: remove it, or"):
        Settings.load()


def test_settings_of_the_service_are_validated_like_those_of_the_kit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Smtp(BaseModel):
        host: str = "localhost"
        port: int = 25

    class Mail(BaseModel):
        sender: str
        smtp: Smtp = Smtp()

    class Own(Settings):
        mail: Mail
        colours: list[int] = Field(default=[])
        legacy: int = Field(1, validation_alias="OLD_NAME")

    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("MAIL_SENDR", "a@example.org")
    monkeypatch.setenv("MAIL_SMTP", '{"port": "x"}')
    monkeypatch.setenv("COLOURS", "1,2")
    monkeypatch.setenv("OLD_NAME", "x")
    with pytest.raises(SettingsError) as error:
        Own.load()
    lines = str(error.value).splitlines()[1:-1]
    assert [line.split(": Input")[0] for line in sorted(lines)] == [
        "  COLOURS",
        "  MAIL_SENDER: is not set",
        "  MAIL_SENDR: is not a setting: did you mean MAIL_SENDER?",
        "  MAIL_SMTP: port",
        "  OLD_NAME",
    ]


def test_alias_is_the_only_variable_of_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tracker(BaseModel):
        level: str = Field("info", validation_alias="severity")

    class Own(Settings):
        dsn: str = Field("", validation_alias="SENTRY_DSN")
        tracker: Tracker = Tracker()

    own = {*variables_of(Own)} - {*variables_of(Settings)}
    assert own == {"SENTRY_DSN", "TRACKER_SEVERITY"}
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("SENTRY_DSN", "https://sentry.example")
    monkeypatch.setenv("TRACKER_SEVERITY", "error")
    settings = Own.load()
    assert (settings.dsn, settings.tracker.level) == ("https://sentry.example", "error")


@pytest.mark.parametrize("text", [b"DOCS=perhaps # \xff\n", "DOCS=perhaps\n".encode("utf-16")])
def test_env_file_in_another_encoding_is_reported_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: bytes
) -> None:
    (tmp_path / ".env").write_bytes(text)
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    with pytest.raises(SettingsError) as error:
        Settings.load()
    message = str(error.value)
    assert "  .env: is not valid UTF-8" in message
    assert "  LOG_LEVEL: " in message
    assert "  DATABASE_URL: is not set" in message


def test_env_file_may_start_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={URL}\n", encoding="utf-8-sig")
    assert Settings.load().database.sqlalchemy_url.host == "db.example"


def test_application_has_its_settings() -> None:
    settings = settings_for(make_url(URL))
    assert create_app(settings).state.settings is settings
