"""The identity provider: its configuration and its public keys, fetched on demand and cached."""

from asyncio import CancelledError, Task, create_task, shield, timeout, to_thread
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from http import HTTPStatus
from ssl import SSLContext
from time import monotonic
from typing import Any, TypeVar

import structlog
from httpx2 import AsyncClient, HTTPError, InvalidURL, create_ssl_context
from jwt import PyJWK
from jwt.exceptions import PyJWTError
from pydantic import BaseModel, ConfigDict, ValidationError

from app.kit.auth.settings import AuthSettings, check_url
from app.kit.errors.problems import Unavailable

_log = structlog.get_logger(__name__)

# Bytes. The keys of the largest providers are 30 kB.
_SIZE_LIMIT = 500_000
# Seconds until the next attempt after a failure.
_RETRY = 5.0
_MIN_RSA_BITS = 2048
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}

M = TypeVar("M", bound=BaseModel)


class ProviderError(Exception):
    """The provider did not return a valid configuration or key set."""


class Configuration(BaseModel):
    """The provider's configuration (OpenID Connect Discovery 1.0), as far as it is used here."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None


class _KeysDocument(BaseModel):
    keys: list[Any]


class _KeyData(BaseModel):
    # The fields that this module checks. PyJWT reads the others.
    model_config = ConfigDict(extra="allow")

    kty: str
    kid: str | None = None
    use: str | None = None
    key_ops: list[str] | None = None
    alg: str | None = None
    crv: str | None = None
    n: str | None = None

    def fits(self, algorithm: str) -> bool:
        """Return whether tokens with this algorithm can be verified with the key."""
        if self.alg not in (None, algorithm) or self.use not in (None, "sig"):
            return False
        if self.key_ops is not None and "verify" not in self.key_ops:
            return False
        if algorithm == "EdDSA":
            return self.kty == "OKP" and self.crv in ("Ed25519", "Ed448")
        if algorithm in _CURVES:
            return self.kty == "EC" and self.crv == _CURVES[algorithm]
        # Base64 encodes 6 bits per character.
        return self.kty == "RSA" and len(self.n or "") * 6 >= _MIN_RSA_BITS


class KeySet:
    """The public keys of one response of the provider (JSON Web Key Set, RFC 7517)."""

    def __init__(self, keys: Iterable[Any] = ()) -> None:
        self._keys: list[_KeyData] = []
        for key in keys:
            # A key of another kind must not invalidate the others (RFC 7517, section 5).
            with suppress(ValidationError):
                self._keys.append(_KeyData.model_validate(key))
        self._found: dict[tuple[str | None, str], PyJWK] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, kid: str | None, algorithm: str) -> PyJWK | None:
        """Return the key for a token; None if there is none.

        A token without a key id needs a set with a single key for its algorithm.
        """
        wanted = kid, algorithm
        if wanted not in self._found:
            fitting = [key for key in self._keys if key.fits(algorithm) and kid in (None, key.kid)]
            if len(fitting) != 1:
                return None
            try:
                key = PyJWK(fitting[0].model_dump(exclude_none=True), algorithm)
            except (PyJWTError, ValueError):
                return None
            # Unknown ids are not stored: clients choose them.
            self._found[wanted] = key
        return self._found[wanted]


class Provider:
    """Fetches keys for unknown key ids: one request at a time, and at most once per interval.

    The service does not need the provider to start, and keeps using known keys during an outage.
    """

    def __init__(self, settings: AuthSettings) -> None:
        self._settings = settings
        self._configuration: Configuration | None = None
        self._keys = KeySet()
        self._task: Task[None] | None = None
        # Times of the monotonic clock: when the keys are old, and when the next request may start.
        self._refresh_at = float("inf")
        self._next = -float("inf")
        self._is_available = True

    async def find_key(self, kid: str | None, algorithm: str) -> PyJWK | None:
        """Return the key for a token; None if the provider has no such key.

        Raises Unavailable if the provider is unreachable and the key is not cached.
        """
        if key := self.known_key(kid, algorithm):
            return key
        # During an outage, only a service without keys waits. Otherwise requests with unknown keys,
        # which anyone can send, would use the slots of valid requests.
        if (task := self._start()) and (self._is_available or not self._keys):
            # A client that disconnects must not cancel the request that others wait for.
            await shield(task)
            key = self.known_key(kid, algorithm)
        if key is None and not self._is_available:
            raise Unavailable("The identity provider is unavailable. Try again in a moment.")
        return key

    def known_key(self, kid: str | None, algorithm: str) -> PyJWK | None:
        """Return the key if it is cached. Refresh the keys in the background if they are old."""
        if monotonic() >= self._refresh_at:
            self._start()
        return self._keys.find(kid, algorithm)

    async def configuration(self) -> Configuration | None:
        """Return the configuration; None if the provider is unreachable."""
        if self._configuration is None and (task := self._start()):
            await shield(task)
        return self._configuration

    async def close(self) -> None:
        """Cancel the running request."""
        if self._task:
            self._task.cancel()
            with suppress(CancelledError):
                await self._task

    def _start(self) -> Task[None] | None:
        """Return the running refresh. Start one unless the last one was too recent."""
        if self._task is None and monotonic() >= self._next:
            self._task = create_task(self._refresh())
        return self._task

    async def _refresh(self) -> None:
        interval = self._settings.refresh_interval
        try:
            async with timeout(self._settings.timeout):
                await self._fetch()
        except (ProviderError, HTTPError, InvalidURL, TimeoutError, OSError) as error:
            interval = min(interval, _RETRY)
            self._is_available = False
            reason = str(error) if isinstance(error, ProviderError) else type(error).__name__
            _log.warning("identity provider unavailable", error=reason)
        else:
            self._is_available = True
            self._refresh_at = monotonic() + self._settings.keys_lifetime
        finally:
            self._next = monotonic() + interval
            self._task = None

    async def _fetch(self) -> None:
        settings = self._settings
        # Reading the certificates of this host takes 40 ms, so it must not block the event loop.
        context = await to_thread(_ssl_context)
        async with AsyncClient(
            verify=context, timeout=settings.timeout, follow_redirects=False
        ) as client:
            configuration = await _get(client, settings.configuration_url, Configuration)
            if configuration.issuer != settings.issuer:
                raise ProviderError("The configuration of the provider is for another issuer.")
            try:
                url = check_url(configuration.jwks_uri)
            except ValueError as error:
                raise ProviderError(f"`jwks_uri` in the configuration {error}.") from error
            document = await _get(client, url, _KeysDocument)
        self._configuration, self._keys = configuration, KeySet(document.keys)


@cache
def _ssl_context() -> SSLContext:
    return create_ssl_context()


async def _get(client: AsyncClient, url: str, model: type[M]) -> M:
    """Return a JSON document. Raises ProviderError if it is too large or not valid."""
    body = bytearray()
    async with client.stream("GET", url, headers={"Accept": "application/json"}) as response:
        if response.status_code != HTTPStatus.OK:
            raise ProviderError(f"{url} responds with status {response.status_code}.")
        async for part in response.aiter_bytes():
            body += part
            if len(body) > _SIZE_LIMIT:
                raise ProviderError(f"{url} responds with more than {_SIZE_LIMIT} bytes.")
    try:
        return model.model_validate_json(bytes(body))
    except ValidationError as error:
        raise ProviderError(f"{url} does not respond with the expected JSON.") from error
