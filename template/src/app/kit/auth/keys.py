"""The public keys of the identity provider (JSON Web Key Set, RFC 7517)."""

from collections.abc import Iterable, Iterator
from typing import Any

from jwt import PyJWK
from jwt.exceptions import PyJWKError, PyJWTError
from pydantic import BaseModel, ConfigDict, ValidationError

_MIN_RSA_BITS = 2048
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


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
    """The keys of one response of the provider."""

    def __init__(self, keys: Iterable[Any] = ()) -> None:
        self._keys = list(_readable(keys))
        self._found: dict[tuple[str | None, str], PyJWK | None] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, kid: str | None, algorithm: str) -> PyJWK | None:
        """Return the key for a token; None if there is none.

        A token without a key id needs a set with a single key for its algorithm.
        """
        wanted = kid, algorithm
        if wanted in self._found:
            return self._found[wanted]
        fitting = [each for each in self._keys if each.fits(algorithm)]
        if kid is not None:
            fitting = [each for each in fitting if each.kid == kid]
        key = _parsed(fitting[0], algorithm) if len(fitting) == 1 else None
        if key:
            # Unknown ids are not stored: clients choose them.
            self._found[wanted] = key
        return key


def _readable(keys: Iterable[Any]) -> Iterator[_KeyData]:
    for key in keys:
        try:
            yield _KeyData.model_validate(key)
        except ValidationError:
            # A key of another kind must not invalidate the others (RFC 7517, section 5).
            continue


def _parsed(key: _KeyData, algorithm: str) -> PyJWK | None:
    try:
        return PyJWK(key.model_dump(exclude_none=True), algorithm)
    except (PyJWKError, PyJWTError, ValueError):
        return None
