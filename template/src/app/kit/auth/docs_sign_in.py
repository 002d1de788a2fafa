"""Sign-in on the API documentation page: authorization code flow with PKCE."""

from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.kit.auth.openapi import CONFIGURATION_PATH, all_scopes
from app.kit.auth.provider import Provider
from app.kit.auth.settings import AuthSettings
from app.kit.errors.problems import Unavailable


def add_sign_in(app: FastAPI, settings: AuthSettings, provider: Provider) -> None:
    """Configure the sign-in of Swagger UI, and let the page send requests to the provider."""
    if not (app.openapi_url and app.docs_url):
        return
    app.swagger_ui_init_oauth = {
        "clientId": settings.client_id or "",
        "usePkceWithAuthorizationCodeGrant": True,
        "scopes": " ".join(("openid", *settings.required_scopes)),
        # For Auth0. Other providers ignore it.
        "additionalQueryStringParams": {"audience": settings.audience[0]},
    }

    async def configuration(_request: Request) -> Response:
        found = await provider.configuration()
        if found is None:
            raise Unavailable("The identity provider is unavailable. Try again in a moment.")
        # Swagger UI offers every grant and scope in this document: name only those of this service.
        scopes = dict.fromkeys(["openid", *settings.required_scopes, *all_scopes(app)])
        return JSONResponse(
            found.model_dump(exclude_none=True)
            | {"grant_types_supported": ["authorization_code"], "scopes_supported": [*scopes]}
        )

    app.add_route(f"/{CONFIGURATION_PATH}", configuration, include_in_schema=False)
    for position, route in enumerate(app.routes):
        if isinstance(route, Route) and route.path == app.docs_url:
            app.routes[position] = _with_sources(route, provider)


def _with_sources(page: Route, provider: Provider) -> Route:
    """Return the route of the page with the provider in its Content-Security-Policy."""

    async def endpoint(request: Request) -> Response:
        response: Response = await page.endpoint(request)
        if (found := await provider.configuration()) and found.token_endpoint:
            parts = urlsplit(found.token_endpoint)
            policy = response.headers["Content-Security-Policy"]
            response.headers["Content-Security-Policy"] = policy.replace(
                "connect-src 'self'", f"connect-src 'self' {parts.scheme}://{parts.netloc}"
            )
        return response

    return Route(page.path, endpoint, include_in_schema=False)
