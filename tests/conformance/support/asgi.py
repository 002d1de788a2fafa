"""ASGI requests without an HTTP client, for tests that observe each message of a response."""

from typing import Any

from tests.support.authentication import client_headers

JSON = (b"content-type", b"application/json")


def http_scope(method: str, path: str, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    """Return the scope of a request by the default client."""
    signed_in = [
        (name.lower().encode(), value.encode()) for name, value in client_headers().items()
    ]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "headers": [*headers, *signed_in],
    }
