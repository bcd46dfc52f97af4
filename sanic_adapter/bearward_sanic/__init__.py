"""bearward for Sanic: every route needs a rule, and a bearer token unless the rule says otherwise.

    from bearward_sanic import authenticated, install, public, requires
    install(app, verifier)

Every route, method, static file, view, blueprint and websocket is denied until a rule covers it: `@authenticated`,
`@requires(...)`, `@optional`, `@public`. The caller is `request.ctx.principal` and `current_principal()`.
"""

from __future__ import annotations

try:
    import sanic as _sanic  # noqa: F401  (the guard of this import is the point)
except ModuleNotFoundError as _missing:
    if _missing.name != "sanic":
        raise
    raise ImportError("bearward_sanic needs sanic: pip install 'bearward[sanic]'") from _missing

# For their effect: marks ask here who was admitted, and applications without a gate refuse.
from bearward.access import Access, authenticated, deny, optional, public, requires
from bearward.socket_tickets import SocketTickets
from bearward_sanic import marks as _marks  # noqa: F401
from bearward_sanic import unguarded as _unguarded  # noqa: F401
from bearward_sanic.context import current_principal
from bearward_sanic.cookies import CookieCredentials
from bearward_sanic.extension import Bearward, check, install, rules
from bearward_sanic.redaction import redact_logs
from bearward_sanic.settings import AdapterSettings
from bearward_sanic.ticket_route import add_ticket_route
from bearward_sanic.websockets import reauthenticate

__all__ = [
    "Access",
    "AdapterSettings",
    "Bearward",
    "CookieCredentials",
    "SocketTickets",
    "add_ticket_route",
    "authenticated",
    "check",
    "current_principal",
    "deny",
    "install",
    "optional",
    "public",
    "reauthenticate",
    "redact_logs",
    "requires",
    "rules",
]
