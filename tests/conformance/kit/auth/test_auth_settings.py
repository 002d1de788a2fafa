"""Settings of sign-in: incomplete and unsafe values prevent the start."""

import pytest

from app.kit.settings import KitSettings, SettingsError

DATABASE = {"url": "postgresql://localhost/nowhere"}


def load(**auth: object) -> str:
    """Return the error message, or an empty text."""
    usual = {"issuer": "https://login.example.org/realms/shop", "audience": "shop"}
    try:
        KitSettings.load(database=DATABASE, auth=usual | auth)
    except SettingsError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        ({"issuer": "http://login.example.org"}, "AUTH_ISSUER: must begin with https://"),
        ({"issuer": "login.example.org"}, "AUTH_ISSUER: is not a URL"),
        ({"issuer": "https://user@example.org"}, "AUTH_ISSUER: must not contain a user name"),
        ({"issuer": "https://example.org?a=b"}, "AUTH_ISSUER: must not contain"),
        ({"audience": "a,"}, "AUTH_AUDIENCE: has an empty entry"),
        ({"audience": ()}, "AUTH_AUDIENCE: "),
        ({"algorithms": "ES256,HS256"}, "AUTH_ALGORITHMS: entry 2 is not an algorithm with"),
        ({"algorithms": "none"}, "AUTH_ALGORITHMS: entry 1"),
        ({"required_scopes": "a b"}, "AUTH_REQUIRED_SCOPES: entry 1 is not a scope"),
        ({"leeway": 301}, "AUTH_LEEWAY: "),
        ({"scopes": "a"}, "AUTH_SCOPES: is not a setting"),
    ],
)
def test_unsafe_setting_is_rejected(auth: dict[str, object], message: str) -> None:
    assert f"\n  {message}" in load(**auth)


@pytest.mark.parametrize(
    "auth",
    [
        {"issuer": "https://login.example.org/"},
        {"issuer": "http://127.0.0.1:8080"},
        {"issuer": "http://[::1]:8080"},
        {"issuer": "http://localhost:8080"},
        {"audience": "a,b", "algorithms": "ES256", "required_scopes": "a,b:c"},
    ],
)
def test_safe_settings_are_accepted(auth: dict[str, object]) -> None:
    assert load(**auth) == ""


def test_missing_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTH_ISSUER", "AUTH_AUDIENCE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError, match="AUTH_ISSUER: is not set\n  AUTH_AUDIENCE: is not set"):
        KitSettings.load(database=DATABASE, _env_file=None)
