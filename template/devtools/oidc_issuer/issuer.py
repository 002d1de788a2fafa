"""The state of the issuer: keys and authorization codes. `http.py` serves it."""

import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Any

from oidc_issuer.keys import ALGORITHM, SigningKey

# Seconds.
TOKEN_LIFETIME = 8 * 3600
CODE_LIFETIME = 60


class OAuthError(Exception):
    """A request that the issuer rejects. The text is an error code of OAuth 2.0 (RFC 6749)."""


@dataclass(frozen=True)
class Grant:
    """A sign-in that a client may exchange for tokens."""

    client_id: str
    redirect_uri: str
    challenge: str
    subject: str
    scope: str
    nonce: str
    expires_at: float


@dataclass
class Issuer:
    """An issuer with its URL. Tests rotate its keys and simulate outages."""

    url: str
    audience: str
    keys: list[SigningKey] = field(default_factory=lambda: [SigningKey()])
    # With `is_down`, every response has status 503.
    is_down: bool = False
    # Paths of the requests that the issuer received.
    requests: list[str] = field(default_factory=list[str])
    _grants: dict[str, Grant] = field(default_factory=dict[str, Grant])

    def token(
        self,
        subject: str,
        scope: str = "",
        *,
        key: SigningKey | None = None,
        headers: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Return an access token. `claims` replace its claims; None removes a claim."""
        now = int(time.time())
        content: dict[str, Any] = {
            "iss": self.url,
            "aud": self.audience,
            "sub": subject,
            "scope": scope,
            "iat": now,
            "nbf": now,
            "exp": now + TOKEN_LIFETIME,
            "jti": token_urlsafe(8),
            **claims,
        }
        sent = {name: value for name, value in content.items() if value is not None}
        return (key or self.keys[0]).sign(sent, **(headers or {}))

    def rotate(self, *, keep_old: bool = True) -> SigningKey:
        """Sign new tokens with a new key. Without `keep_old`, remove the old keys."""
        self.keys = [SigningKey(), *(self.keys if keep_old else [])]
        return self.keys[0]

    def configuration(self) -> dict[str, Any]:
        """Return the discovery document."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks.json",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "scopes_supported": ["openid"],
        }

    def jwks(self) -> dict[str, Any]:
        """Return the JSON Web Key Set."""
        return {"keys": [key.public() for key in self.keys]}

    def grant(self, query: dict[str, str], subject: str) -> str:
        """Return an authorization code for a sign-in."""
        code = token_urlsafe(16)
        self._grants[code] = Grant(
            client_id=query["client_id"],
            redirect_uri=query["redirect_uri"],
            challenge=query["code_challenge"],
            subject=subject,
            scope=query.get("scope", ""),
            nonce=query.get("nonce", ""),
            expires_at=time.monotonic() + CODE_LIFETIME,
        )
        return code

    def exchange(self, form: dict[str, str]) -> dict[str, Any]:
        """Return the response of the token endpoint. Raises OAuthError."""
        match form.get("grant_type"):
            case "authorization_code":
                return self._redeem(form)
            case "client_credentials" if form.get("client_id"):
                # The client is the subject. There is no secret, so any client may ask.
                scope = form.get("scope", "")
                return self._answer(form["client_id"], scope)
            case "client_credentials":
                raise OAuthError("invalid_client")
            case _:
                raise OAuthError("unsupported_grant_type")

    def _redeem(self, form: dict[str, str]) -> dict[str, Any]:
        # A code is valid once.
        grant = self._grants.pop(form.get("code", ""), None)
        digest = sha256(form.get("code_verifier", "").encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            grant is None
            or grant.expires_at < time.monotonic()
            or grant.client_id != form.get("client_id")
            or grant.redirect_uri != form.get("redirect_uri")
            or not compare_digest(grant.challenge.encode(), challenge.encode())
        ):
            raise OAuthError("invalid_grant")
        answer = self._answer(grant.subject, grant.scope)
        if "openid" in grant.scope.split():
            identity: dict[str, Any] = {"aud": grant.client_id, "nonce": grant.nonce or None}
            answer["id_token"] = self.token(grant.subject, headers={"typ": "JWT"}, **identity)
        return answer

    def _answer(self, subject: str, scope: str) -> dict[str, Any]:
        return {
            "access_token": self.token(subject, scope),
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFETIME,
            "scope": scope,
        }
