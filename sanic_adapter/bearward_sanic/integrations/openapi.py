"""OpenAPI: the rules in the document of sanic-ext, and its page without a CDN.

Rules of this file: sanic-ext is imported only if the application uses it. Its tables are shared by the process, so each
operation is described once, whatever the number of starts; the application's own descriptions are kept.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from sanic import HTTPResponse, Request
from sanic.response import file

from bearward import ConfigurationError
from bearward.access import Access, Kind
from bearward_sanic.context import App
from bearward_sanic.mark_discovery import is_generated
from bearward_sanic.route_rules import RuleTable
from bearward_sanic.settings import AdapterSettings

__all__ = ["describe", "prepare", "serve_redirect_page"]

SCHEME: Final = "bearer"
OAUTH: Final = "oauth2"
COOKIE: Final = "bearerCookie"
_PAGES: Final = "openapi.*"
"""The name of the rule for the pages of sanic-ext."""
_DESCRIBED: Final = "_bearward"
_PAGE: Final = Path(__file__).with_name("docs_page.html")
_ASSETS: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui-standalone-preset.js": "text/javascript",
}


def prepare(app: App, settings: AdapterSettings) -> None:
    """Have the docs page served from a package, where that was asked for; before sanic-ext is set up."""
    if not settings.offline_docs:
        return
    assets = _assets()
    if hasattr(app, "_ext"):
        raise ConfigurationError("offline_docs", "must be set before Extend(app) is called")
    app.config.update(
        OAS_PATH_TO_SWAGGER_HTML=str(_PAGE), OAS_UI_REDOC=False, OAS_UI_DEFAULT="swagger", OAS_UI_SWAGGER=True
    )
    prefix = str(getattr(app.config, "OAS_URL_PREFIX", "/docs")).rstrip("/")
    for name, content_type in _ASSETS.items():
        handler = _asset(assets / name, content_type)
        # Scripts and a style sheet of a public package: as open as the page that needs them.
        page = settings.rules.get(_PAGES)
        app.add_route(
            handler if page is None else page(handler),
            f"{prefix}/assets/{name}",
            name=f"bearward_docs_{name}".replace(".", "_"),
        )


def serve_redirect_page(app: App, settings: AdapterSettings) -> None:
    """Serve the OAuth redirect page from the package too: sanic-ext fetches it from a CDN, blocking the loop."""
    if not settings.offline_docs:
        return
    page = _asset(_assets() / "oauth2-redirect.html", "text/html; charset=utf-8")
    for route in app.router.routes:
        if route.name.endswith(".openapi.oauth2-redirect"):
            route.handler = page


def describe(app: App, settings: AdapterSettings, rules: RuleTable) -> None:
    """Say in the OpenAPI document who may pass."""
    if getattr(app, "_ext", None) is None or not getattr(app.config, "OAS", False):
        return
    from sanic_ext.extensions.openapi.builders import OperationStore, SpecificationBuilder

    document = SpecificationBuilder()
    if settings.oauth_token_url is None:
        document.add_security_scheme(SCHEME, "http", scheme="bearer", bearer_format="JWT")
    else:
        document.add_security_scheme(OAUTH, "oauth2", flows=_flows(settings, rules))
    schemes = [SCHEME if settings.oauth_token_url is None else OAUTH]
    if settings.cookie is not None:
        document.add_security_scheme(COOKIE, "apiKey", location="cookie", name=settings.cookie.name)
        schemes.append(COOKIE)
    store: Any = OperationStore()  # type: ignore[no-untyped-call]
    for (_, method), rule in rules.items():
        handler = None if rule.route is None else rule.route.handler
        if rule.access.kind in (Kind.REQUIRED, Kind.OPTIONAL) and not is_generated(handler):
            _describe(store[_operation(handler, method)], rule.access, schemes)


def _flows(settings: AdapterSettings, rules: RuleTable) -> dict[str, Any]:
    """The OAuth flow by which a client gets a token (OpenAPI 3.0, OAuth Flows Object), and all scopes of the routes."""
    scopes = sorted({name for rule in rules.values() for name in rule.access.scopes})
    flow: dict[str, Any] = {"tokenUrl": settings.oauth_token_url, "scopes": dict.fromkeys(scopes, "")}
    if settings.oauth_authorization_url is None:
        return {"clientCredentials": flow}
    return {"authorizationCode": {"authorizationUrl": settings.oauth_authorization_url, **flow}}


def _describe(operation: Any, access: Access, schemes: list[str]) -> None:
    if getattr(operation, _DESCRIBED, False):
        return
    setattr(operation, _DESCRIBED, True)
    if not operation.security:
        needed = list(access.scopes)
        operation.security.extend([{}] if access.kind is Kind.OPTIONAL else [])
        # OpenAPI 3.0: only an OAuth scheme lists scopes. The list of any other stays empty; they are told in words.
        operation.security.extend({scheme: needed if scheme == OAUTH else []} for scheme in schemes)
        told = f" Needs the scope {' '.join(needed)}." if needed else ""
        _respond(operation, told)


@lru_cache(maxsize=64)
def _refusals(told: str) -> dict[int | str, Any]:
    """What each guarded operation may answer; sanic-ext takes ten milliseconds for each of them."""
    from sanic_ext.extensions.openapi.definitions import Response

    problem = {"application/problem+json": dict}
    return {
        "default": Response.make(None, "OK"),
        401: Response.make(problem, "No token, or none that is good (RFC 6750)."),
        403: Response.make(problem, f"The token does not grant this.{told}"),
        503: Response.make(problem, "The issuer's keys are not available at the moment."),
    }


def _respond(operation: Any, told: str) -> None:
    written = operation._autodoc  # noqa: SLF001  (what the docstring says, which our table would hide)
    held = written["responses"] if written and written.get("responses") else operation.responses
    known = {str(status) for status in held}
    if known:
        known.add("default")
    held.update({status: made for status, made in _refusals(told).items() if str(status) not in known})


def _operation(handler: Any, method: str) -> Any:
    view = getattr(handler, "view_class", None)
    return handler if view is None else getattr(view, method.lower(), handler)


def _assets() -> Path:
    try:
        return Path(str(import_module("swagger_ui_bundle").swagger_ui_path))
    except ModuleNotFoundError:
        raise ConfigurationError("offline_docs", "needs the assets: pip install swagger-ui-bundle") from None


def _asset(path: Path, content_type: str) -> Any:
    async def asset(_: Request) -> HTTPResponse:
        response: HTTPResponse = await file(path, mime_type=content_type, max_age=86_400)
        return response

    return asset
