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
from fastapi.openapi.docs import (
    get_redoc_html,
    get_swagger_ui_html,
    get_swagger_ui_oauth2_redirect_html,
)
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

# The package also has a FastAPI subclass, which is not used here.
_DIRECTORY = Path(fastapi_offline.__file__).parent / "static"
_ASSETS = "/docs-assets"
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
# ReDoc creates its styles and its search worker at run time.
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src {scripts}",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "worker-src blob:",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            # Starlette's exception has no `Allow` header.
            raise HTTPException(405, "Use GET or HEAD for this file.", {"Allow": "GET, HEAD"})
        return await super().get_response(path, scope)

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
    """Add Swagger UI and ReDoc at the `docs_url` and `redoc_url` of an application."""
    schema, redirect = app.openapi_url, app.swagger_ui_oauth2_redirect_url
    if not schema:
        return

    def swagger_ui(root: str) -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=f"{root}{schema}",
            title=app.title,
            swagger_js_url=f"{root}{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{root}{_ASSETS}/favicon.png",
            oauth2_redirect_url=redirect and f"{root}{redirect}",
            init_oauth=app.swagger_ui_init_oauth,
            swagger_ui_parameters=app.swagger_ui_parameters,
        )

    def redirect_page(_root: str) -> HTMLResponse:
        return get_swagger_ui_oauth2_redirect_html()

    def redoc(root: str) -> HTMLResponse:
        return get_redoc_html(
            openapi_url=f"{root}{schema}",
            title=app.title,
            redoc_js_url=f"{root}{_ASSETS}/redoc.standalone.js",
            redoc_favicon_url=f"{root}{_ASSETS}/favicon.png",
            with_google_fonts=False,
        )

    for path, page in (
        (app.docs_url, swagger_ui),
        (app.docs_url and redirect, redirect_page),
        (app.redoc_url, redoc),
    ):
        if path:
            app.add_route(path, _endpoint(page), include_in_schema=False)
    app.mount(_ASSETS, _Files(directory=_DIRECTORY))


def _endpoint(page: Callable[[str], HTMLResponse]) -> Callable[[Request], Awaitable[HTMLResponse]]:
    """Return an endpoint whose Content-Security-Policy allows only scripts of the service."""

    async def endpoint(request: Request) -> HTMLResponse:
        # The path prefix of the service behind a proxy.
        root: str = request.scope.get("root_path", "")
        response = page(root.rstrip("/"))
        scripts = ["'self'"]
        for script in _SCRIPT.findall(bytes(response.body).decode()):
            digest = b64encode(sha256(script.encode()).digest()).decode()
            scripts.append(f"'sha256-{digest}'")
        response.headers["Content-Security-Policy"] = _POLICY.format(scripts=" ".join(scripts))
        return response

    return endpoint
