"""Settings of authentication by OpenID Connect (`AUTH_…`)."""

import re
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

from app.kit.http.settings import Listed

# Asymmetric algorithms only. With HS256, anyone who has the public key could sign tokens.
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
# The characters of a scope (RFC 6749).
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


def check_url(url: str) -> str:
    """Return a URL of the provider. Raises ValueError unless it is HTTPS, or HTTP on this host."""
    try:
        parts = urlsplit(url)
        host, is_plain = parts.hostname or "", parts.scheme == "http"
        _ = parts.port
    except ValueError as error:
        raise ValueError("is not a URL") from error
    if not host or parts.scheme not in ("https", "http"):
        raise ValueError("is not a URL, such as https://login.example.org/realms/shop")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must not contain a user name, a query or a fragment")
    if is_plain and not _is_loopback(host):
        raise ValueError("must begin with https://. Only a provider on this host may use http://")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class AuthSettings(BaseModel):
    """The identity provider, and which of its tokens are valid. All times are in seconds."""

    # Exactly as in the `iss` claim of tokens, including a slash at the end.
    issuer: str
    # A token is valid for this service if one of these is in its `aud` claim.
    audience: Listed = Field(min_length=1)
    algorithms: Listed = Field(default=("RS256", "ES256", "EdDSA"), min_length=1)
    # Tolerated difference between the clocks of the provider and of this host.
    leeway: float = Field(default=30, ge=0, le=300)
    # Every token needs these scopes.
    required_scopes: Listed = ()
    # Claims that contain scopes, as text or as a list.
    scope_claims: Listed = ("scope", "scp")
    # Time to fetch the configuration and the keys of the provider.
    timeout: float = Field(default=5, gt=0, le=60)
    # An unknown key is looked up at most once in this time.
    refresh_interval: float = Field(default=30, ge=1, le=3_600)
    # Time until the keys are fetched again.
    keys_lifetime: float = Field(default=3_600, ge=10, le=86_400)
    # Bytes.
    token_limit: int = Field(default=8_192, ge=512, le=65_536)
    # Number of verified tokens that are kept in memory until they expire. 0: verify each request.
    cache_size: int = Field(default=2_000, ge=0, le=1_000_000)
    # The client of the API documentation page, for its sign-in.
    client_id: str | None = None
    # How the subject of the caller appears in logs.
    log_subject: Literal["plain", "hashed"] = "plain"

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, issuer: str) -> str:
        return check_url(issuer)

    @field_validator("audience")
    @classmethod
    def _has_no_empty_audience(cls, audience: tuple[str, ...]) -> tuple[str, ...]:
        if not all(audience):
            raise ValueError("has an empty entry")
        return audience

    @field_validator("algorithms")
    @classmethod
    def _are_asymmetric(cls, algorithms: tuple[str, ...]) -> tuple[str, ...]:
        if unsafe := [each for each in algorithms if each not in ALGORITHMS]:
            place = algorithms.index(unsafe[0]) + 1
            raise ValueError(
                f"entry {place} is not an algorithm with a public key: use {', '.join(ALGORITHMS)}"
            )
        return algorithms

    @field_validator("required_scopes")
    @classmethod
    def _are_scopes(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        for place, scope in enumerate(scopes, 1):
            if not _SCOPE.fullmatch(scope):
                raise ValueError(f"entry {place} is not a scope: separate scopes by commas")
        return scopes

    @property
    def configuration_url(self) -> str:
        """The URL of the provider's configuration (OpenID Connect Discovery)."""
        return f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
