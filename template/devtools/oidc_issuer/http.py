"""HTTP endpoints of the issuer."""

import json
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from string import Template
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from oidc_issuer.issuer import Issuer, OAuthError

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sign in for development</title>
<style>
body { font: 1rem/1.5 sans-serif; margin: 4rem auto; max-width: 26rem; padding: 0 1rem }
input { box-sizing: border-box; font: inherit; margin-bottom: 1rem; padding: .5rem; width: 100% }
</style>
<h1>Sign in</h1>
<p>The development issuer signs in anyone, without a password.</p>
<form>
$hidden
<label>Subject<input name="subject" value="alice" required autofocus></label>
<label>Scopes<input name="scope" value="$scope"></label>
<input type="submit" value="Sign in">
</form>
</html>
""")


class IssuerServer(ThreadingHTTPServer):
    """Serves an issuer on a port of the loopback interface."""

    daemon_threads = True

    def __init__(self, audience: str, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.issuer = Issuer(f"http://127.0.0.1:{self.server_port}", audience)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        issuer, address = self._begin()
        if issuer.is_down:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE)
        elif address.path == "/.well-known/openid-configuration":
            self._send_json(issuer.configuration())
        elif address.path == "/jwks.json":
            self._send_json(issuer.jwks())
        elif address.path == "/authorize":
            self._authorize(issuer, dict(parse_qsl(address.query)))
        else:
            self._send(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        issuer, address = self._begin()
        form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if issuer.is_down:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE)
        elif address.path != "/token":
            self._send(HTTPStatus.NOT_FOUND)
        else:
            try:
                self._send_json(issuer.exchange(dict(parse_qsl(form))))
            except OAuthError as error:
                self._send_json({"error": str(error)}, HTTPStatus.BAD_REQUEST)

    def do_OPTIONS(self) -> None:
        self._send(HTTPStatus.NO_CONTENT)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as in the base class
        """Log nothing: the output belongs to the service."""

    def _begin(self) -> tuple[Issuer, Any]:
        issuer, address = cast("IssuerServer", self.server).issuer, urlsplit(self.path)
        issuer.requests.append(address.path)
        return issuer, address

    def _authorize(self, issuer: Issuer, query: dict[str, str]) -> None:
        if problem := _problem_of(query):
            answer = {"error": "invalid_request", "error_description": problem}
            self._send_json(answer, HTTPStatus.BAD_REQUEST)
        elif not query.get("subject"):
            page = _sign_in_page(query).encode()
            self._send(HTTPStatus.OK, page, "text/html; charset=utf-8")
        else:
            answer = {"code": issuer.grant(query, query["subject"]), "iss": issuer.url}
            if "state" in query:
                answer["state"] = query["state"]
            separator = "&" if "?" in query["redirect_uri"] else "?"
            location = f"{query['redirect_uri']}{separator}{urlencode(answer)}"
            self._send(HTTPStatus.SEE_OTHER, location=location)

    def _send_json(self, content: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(status, json.dumps(content).encode(), "application/json")

    def _send(
        self, status: HTTPStatus, body: bytes = b"", kind: str = "", location: str = ""
    ) -> None:
        headers = {
            "Content-Length": str(len(body)),
            "Content-Type": kind,
            "Location": location,
            "Cache-Control": "no-store",
            # The API docs page has another port, so it is another origin.
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Headers": "*",
        }
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _problem_of(query: dict[str, str]) -> str:
    """Return why an authorization request is invalid, or an empty text."""
    if query.get("response_type") != "code":
        return "response_type must be code"
    if not query.get("client_id"):
        return "client_id is missing"
    if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
        return "PKCE with code_challenge_method S256 is required"
    address = urlsplit(query.get("redirect_uri", ""))
    if address.scheme not in ("http", "https") or address.hostname not in _LOOPBACK:
        return "redirect_uri must be a loopback address"
    return ""


def _sign_in_page(query: dict[str, str]) -> str:
    hidden = "\n".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in query.items()
        if name not in ("scope", "subject")
    )
    return _PAGE.substitute(hidden=hidden, scope=escape(query.get("scope", "")))
