"""bearward for Sanic: nothing gets past the door without a bearer token, unless a route says so.

    from bearward_sanic import install, public, requires
    install(app, verifier)

Every route, method, static file, view, blueprint and websocket needs a verified token; `@public`, `@optional` and
`@requires(...)` say otherwise. The caller is `request.ctx.principal` and `current_principal()`.
"""

from __future__ import annotations

try:
    import sanic as _sanic  # noqa: F401  (the guard of this import is the point)
except ModuleNotFoundError as _missing:
    if _missing.name != "sanic":
        raise
    raise ImportError("bearward_sanic needs sanic: pip install 'bearward[sanic]'") from _missing

from bearward_sanic.context import current_principal
from bearward_sanic.cookies import CookieCredentials
from bearward_sanic.extension import Bearward, install
from bearward_sanic.marks import Mark, authenticated, optional, public, requires
from bearward_sanic.settings import AdapterSettings
from bearward_sanic.websockets import reauthenticate

__all__ = [
    "AdapterSettings",
    "Bearward",
    "CookieCredentials",
    "Mark",
    "authenticated",
    "current_principal",
    "install",
    "optional",
    "public",
    "reauthenticate",
    "requires",
]
