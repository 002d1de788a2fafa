"""A small OpenID Connect issuer for development and tests. Never use it in production.

It listens on the loopback interface, generates its keys at start, and signs a token for any
subject without a password:

    with running(audience="orders") as issuer:
        token = issuer.token("alice", "posts:write")
"""

from oidc_issuer.issuer import Issuer
from oidc_issuer.server import running

__all__ = ["Issuer", "running"]
