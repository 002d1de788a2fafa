"""The environment configures the service, or is refused by name."""

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel, Field, SecretStr

from app.kit.settings import KitSettings, SettingsError
from app.settings import Settings
from tests.architecture.test_env_example import variables

SECRET = "s3cret"
TELLS_A_SECRET = re.compile(r"(^|_)(passw\w*|secret|token|key|url|dsn|credential)(_|$)")
URL = f"postgresql://app:{SECRET}@db.example/app"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Nothing but what the test sets: no `.env`, no database."""
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)


def test_without_a_database_url_the_variable_is_named() -> None:
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
def test_a_bad_value_names_its_variable_and_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as error:
        Settings.load()
    assert f"  {variable}: " in str(error.value)
    assert SECRET not in str(error.value)


def test_every_wrong_variable_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_POOL_SIZE", "0")
    monkeypatch.setenv("LOG_FORMAT", "xml")
    with pytest.raises(SettingsError) as error:
        Settings.load()
    for variable in ("DATABASE_URL", "DATABASE_POOL_SIZE", "LOG_FORMAT"):
        assert variable in str(error.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_usual_scheme_reaches_the_async_driver(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://app@db.example/app?sslmode=require")
    url = Settings.load().database.sqlalchemy_url
    assert url.drivername == "postgresql+asyncpg"
    assert url.query == {"ssl": "require"}


def test_a_separate_password_is_taken_literally(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("DATABASE_PASSWORD", "p@ss/w%rd#1")
    assert Settings.load().database.sqlalchemy_url.password == "p@ss/w%rd#1"


def test_the_environment_overrides_the_defaults_of_the_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("DATABASE_POOL_SIZE", "3")
    monkeypatch.setenv("DATABASE_POOL_RECYCLE", "")
    settings = Settings.load().database
    assert settings.pool_size == 3
    assert settings.pool_recycle == type(settings).model_fields["pool_recycle"].default


def test_a_list_is_its_parts_and_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("HTTP_ORIGINS", "https://a.example, http://localhost:3000")
    monkeypatch.setenv("HTTP_HOSTS", "*.example.org")
    # What other programs read is no setting of the service.
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")
    http = Settings.load().http
    assert http.origins == ("https://a.example", "http://localhost:3000")
    assert http.hosts == ("*.example.org",)


def test_cookies_go_to_origins_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("HTTP_ORIGINS", "*")
    assert Settings.load().http.origins == ("*",)
    monkeypatch.setenv("HTTP_CREDENTIALS", "true")
    with pytest.raises(SettingsError, match="HTTP_CREDENTIALS requires HTTP_ORIGINS"):
        Settings.load()


def test_settings_do_not_print_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("DATABASE_REPLICA_URL", URL)
    monkeypatch.setenv("DATABASE_PASSWORD", SECRET)
    settings = Settings.load()
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert SECRET not in shown


def open_secrets(model: type[BaseModel]) -> list[str]:
    """The fields that tell by their name that they hold a secret, and show it when printed."""
    found: list[str] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += open_secrets(kind)
        elif TELLS_A_SECRET.search(name) and str in (kind, *get_args(kind)):
            found.append(f"{model.__name__}.{name}")
    return found


def test_every_setting_that_is_a_secret_is_declared_as_one() -> None:
    assert not open_secrets(Settings), "declare it as SecretStr"


def test_a_secret_that_is_plain_text_is_noticed() -> None:
    class Mail(BaseModel):
        token: str | None = None
        password: SecretStr
        sender: str

    class Own(BaseModel):
        mail: Mail
        webhook_url: str

    assert open_secrets(Own) == ["Mail.token", "Own.webhook_url"]


# Any text is a name or a password.
FREE = {"DATABASE_APPLICATION_NAME", "DATABASE_PASSWORD"}


def fields_of_the_kit() -> list[str]:
    """Every variable that the kit itself reads and that not just any text suits."""
    return sorted(variables(KitSettings) - FREE)


@pytest.mark.parametrize("variable", fields_of_the_kit())
def test_nonsense_in_any_variable_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv(variable, f"~{SECRET}")
    with pytest.raises(SettingsError) as error:
        Settings.load()
    assert f"  {variable}: " in str(error.value)
    assert SECRET not in str(error.value)


def test_a_misspelt_variable_is_refused_with_the_right_name(
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


def test_what_an_orchestrator_sets_for_a_host_named_database_is_no_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("DATABASE_PORT", "tcp://10.0.0.1:5432")
    monkeypatch.setenv("DATABASE_SERVICE_HOST", "10.0.0.1")
    Settings.load()


def test_all_wrong_variables_are_in_one_message(
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


def test_variables_of_other_programs_are_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_settings_of_a_service_are_checked_as_those_of_the_kit(
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


def test_env_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={URL}\n", encoding="utf-8-sig")
    assert Settings.load().database.sqlalchemy_url.host == "db.example"
