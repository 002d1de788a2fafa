"""Swagger UI and ReDoc, with their scripts and styles served by the service.

The pages load nothing from other hosts, so they also work without internet access.
"""

import os
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path

import fastapi_offline
from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

# The package also has a FastAPI subclass, which is not used here.
_DIRECTORY = Path(fastapi_offline.__file__).parent / "static"
_ASSETS = "/docs-assets"
_FONTS = re.compile(r'<link href="https://fonts\.[^>]*>')
# FastAPI's pages load the files from other hosts, under the same names.
_FILE = re.compile(r' (src|href)="https://[^"]*(/[\w.-]+)"')
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
# ReDoc creates its styles and its search worker at run time.
_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


class _Files(StaticFiles):
    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        # no-cache: the browser revalidates the file on each use, because an update may change it.
        response.headers["Cache-Control"] = "no-cache"
        return response


def mount_docs(app: FastAPI) -> None:
    """Let the documentation pages that FastAPI has added load their files from the service."""
    if not app.openapi_url:
        return
    pages = {app.docs_url, app.redoc_url, app.swagger_ui_oauth2_redirect_url}
    for position, route in enumerate(app.routes):
        if isinstance(route, Route) and route.path in pages:
            endpoint = _without_other_hosts(route.endpoint)
            app.routes[position] = Route(route.path, endpoint, include_in_schema=False)
    app.mount(_ASSETS, _Files(directory=_DIRECTORY))


def _without_other_hosts(
    page: Callable[[Request], Awaitable[HTMLResponse]],
) -> Callable[[Request], Awaitable[HTMLResponse]]:
    """Return an endpoint whose Content-Security-Policy allows only scripts of the service."""

    async def endpoint(request: Request) -> HTMLResponse:
        # The path prefix of the service behind a proxy.
        assets = request.scope.get("root_path", "").rstrip("/") + _ASSETS
        html = _FONTS.sub("", bytes((await page(request)).body).decode())
        html = _FILE.sub(lambda found: f' {found[1]}="{assets}{found[2]}"', html)
        scripts = ["'self'"]
        for script in _SCRIPT.findall(html):
            digest = b64encode(sha256(script.encode()).digest()).decode()
            scripts.append(f"'sha256-{digest}'")
        policy = _POLICY.format(scripts=" ".join(scripts))
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})

    return endpoint
