"""A service without the answer `auth: oidc` contains nothing about tokens and providers."""

from tests.rendering import Renderer, files_under

WORDS = (b"oidc", b"openid", b"jwt", b"jwk", b"bearer", b"kit/auth/", b"kit.auth.")


def test_service_without_auth_does_not_mention_tokens(render: Renderer) -> None:
    found = {
        name
        for name, content in files_under(render()).items()
        if any(word in content.lower() for word in WORDS)
    }
    # How to add sign-in later.
    assert found == {"docs/updating.md"}
