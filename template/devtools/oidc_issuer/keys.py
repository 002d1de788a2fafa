"""Signing keys of the issuer."""

from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

ALGORITHM = "ES256"


def _generate() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class SigningKey:
    """A private key with its id."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=_generate)
    kid: str = field(default_factory=lambda: token_hex(8))

    def sign(self, claims: dict[str, Any], **headers: Any) -> str:
        """Return a signed token. `headers` replace those of the token."""
        named = {"kid": self.kid, "typ": "at+jwt", **headers}
        return jwt.encode(claims, self.private, algorithm=ALGORITHM, headers=named)

    def public(self) -> dict[str, Any]:
        """Return the public key as a JSON Web Key."""
        key: dict[str, Any] = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return key | {"kid": self.kid, "use": "sig", "alg": ALGORITHM}
