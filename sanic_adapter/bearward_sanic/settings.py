"""Settings of the adapter, as arguments or `app.config` give them (`app_config.py`).

Rules of this file: frozen, and checked once. What makes a verifier is the core's (`bearward.settings`).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from inspect import signature
from typing import Final, Literal

from sanic import HTTPResponse, Request

from bearward import AuthError, ConfigurationError
from bearward.access import Access, deny
from bearward.client_certificates import ForwardedCertificate, ProvingProxy
from bearward.frozen import FrozenMapping
from bearward.jose.compact import MAX_TOKEN
from bearward.resource_url import checked_resource_url
from bearward.socket_tickets import SocketTickets
from bearward_sanic.cookies import CookieCredentials

__all__ = ["NAMES", "AdapterSettings", "Renderer"]

Renderer = Callable[[Request, AuthError, HTTPResponse], "HTTPResponse | Awaitable[HTTPResponse]"]
"""Called with the request, the refusal and the response that would be sent; returns the response to send."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSettings:
    """The settings of the gate. Raises `ConfigurationError` for invalid ones."""

    default: Access = deny
    """The rule of whatever has none: `deny`, `authenticated` or a requirement."""
    unsafe_default: Access | None = None
    """The same where it lets anonymous callers in: `public` or `optional`."""
    rules: Mapping[str, Access] = field(default_factory=lambda: FrozenMapping({}))
    """Rules by the name of a route (a static route's, say), or `blueprint.*` for what says nothing itself there."""
    hide_unknown_routes: bool = True
    """Whether a caller without a good token is refused alike where there is no such route or method."""
    realm: str | None = "api"
    """The realm of the challenges (RFC 9110 section 11.5)."""
    resource: str | None = None
    """The URL of the protected API: serves its metadata (RFC 9728) and names them in the challenges."""
    resource_metadata: str | None = None
    """The URL of the metadata in the challenges, where something else serves them."""
    resource_name: str | None = None
    """The API's name for people, in its metadata."""
    resource_documentation: str | None = None
    """The URL of the API's documentation, in its metadata."""
    max_token_length: int = MAX_TOKEN
    """Longer tokens, in characters, are refused unread."""
    cookie: CookieCredentials | None = None
    """Accept the token in a cookie, protected against forged requests."""
    form: bool = False
    """Accept `access_token` in a form-encoded body (RFC 6750 section 2.2)."""
    query: bool = False
    """Accept `access_token` in the query (RFC 6750 section 2.3: proxies and logs see it; prefer anything else)."""
    websocket_subprotocol: bool = True
    """Accept `Sec-WebSocket-Protocol: bearer, <token>` on websockets, the one way that browsers have."""
    socket_tickets: SocketTickets | None = None
    """Accept one-time tickets on websockets, which `add_ticket_route` issues."""
    websocket_refusal: Literal["status", "close"] = "status"
    """Refuse a websocket by HTTP status, or accept it and close it with 4401, 4403 or 1013, which a browser can see."""
    stream_expiry: Literal["terminate", "ignore"] = "terminate"
    """Whether streamed requests and responses and websockets end when the token does."""
    stream_leeway: float = 0.0
    """Seconds that a stream may go on after that, beyond the issuer's own leeway."""
    refusal_docs: str | None = None
    """The URL of the catalogue of refusals, where you serve it: `type` of the problem document (RFC 9457 section 3.1.1)
    becomes this with `#` and the code."""
    render_refusal: Renderer | None = None
    """How a refusal looks: a function of request, refusal and response."""
    client_certificate: Callable[[Request], bytes | None] | ForwardedCertificate | None = None
    """Where the client's certificate (DER) is found, once its key was proven, or the field in which a proxy hands it on;
    without it tokens that are bound to one are refused."""
    unsafe_binding_proved_by: ProvingProxy | None = None
    """A proxy that checks itself that a token's certificate is the caller's; nothing is checked here then."""
    oauth_token_url: str | None = None
    """The issuer's token endpoint: the OpenAPI document then has an OAuth flow, and lists the scopes of each route.
    Alone it means client credentials (RFC 6749 section 4.4)."""
    oauth_authorization_url: str | None = None
    """The issuer's authorization endpoint: the flow is that of the authorization code (RFC 6749 section 4.1)."""
    offline_docs: bool = False
    """Serve the docs page of sanic-ext with assets from the package swagger-ui-bundle, from no CDN."""

    def __post_init__(self) -> None:
        """Check what the types do not say."""
        _check_defaults(self.default, self.unsafe_default)
        _check_types(self)
        _check_numbers(self.max_token_length, self.stream_leeway)
        if self.unsafe_binding_proved_by is not None and self.client_certificate is not None:
            raise ConfigurationError("unsafe_binding_proved_by", "must not be given together with client_certificate")
        _check_callable("render_refusal", self.render_refusal, "request, refusal, response")
        if not isinstance(self.client_certificate, ForwardedCertificate):
            _check_callable("client_certificate", self.client_certificate, "request")
        _check_url("resource", self.resource)
        _check_url("resource_metadata", self.resource_metadata)
        _check_url("refusal_docs", self.refusal_docs)
        _check_url("oauth_token_url", self.oauth_token_url)
        _check_url("oauth_authorization_url", self.oauth_authorization_url)
        if self.oauth_token_url is None and self.oauth_authorization_url is not None:
            raise ConfigurationError("oauth_authorization_url", "needs oauth_token_url beside it")

    @property
    def default_rule(self) -> Access:
        """The rule of whatever has none."""
        return self.default if self.unsafe_default is None else self.unsafe_default

    @property
    def accepts_certificates(self) -> bool:
        """Whether tokens that are bound to a client certificate are accepted."""
        return self.client_certificate is not None or self.unsafe_binding_proved_by is not None


_BOOLEANS: Final = ("hide_unknown_routes", "form", "query", "websocket_subprotocol", "offline_docs")
_OBJECTS: Final[Mapping[str, tuple[type, str]]] = {
    "realm": (str, "a string"),
    "resource_name": (str, "a string"),
    "resource_documentation": (str, "a string"),
    "cookie": (CookieCredentials, "a CookieCredentials"),
    "socket_tickets": (SocketTickets, "a SocketTickets"),
    "unsafe_binding_proved_by": (ProvingProxy, "a ProvingProxy"),
}
_WORDS: Final = {"websocket_refusal": ("status", "close"), "stream_expiry": ("terminate", "ignore")}
NAMES: Final = frozenset(field.name for field in fields(AdapterSettings))
"""The names of all settings."""


def _check_defaults(default: object, unsafe_default: object) -> None:
    if not isinstance(default, Access):
        raise ConfigurationError("default", "must be deny, authenticated or requires(...)")
    if default.admits_anonymous:
        raise ConfigurationError(
            "default", f"must not be {default}: mark what is open, or say unsafe_default={default}"
        )
    if unsafe_default is None:
        return
    if not isinstance(unsafe_default, Access) or not unsafe_default.admits_anonymous:
        raise ConfigurationError("unsafe_default", "must be public or optional; what asks for a token is a default")
    if default != deny:
        raise ConfigurationError("unsafe_default", "must not be given together with default")


def _check_types(settings: AdapterSettings) -> None:
    for name in _BOOLEANS:
        if not isinstance(getattr(settings, name), bool):
            raise ConfigurationError(name, "must be true or false")
    for name, words in _WORDS.items():
        if getattr(settings, name) not in words:
            raise ConfigurationError(name, f"must be {words[0]!r} or {words[1]!r}")
    for name, (kind, must) in _OBJECTS.items():
        if not isinstance(getattr(settings, name), kind | None):
            raise ConfigurationError(name, f"must be {must}")


def _check_numbers(max_token_length: object, stream_leeway: object) -> None:
    length = max_token_length
    if isinstance(length, bool) or not isinstance(length, int) or not 0 < length <= MAX_TOKEN:
        raise ConfigurationError("max_token_length", f"must be a number of characters from 1 to {MAX_TOKEN}")
    leeway = stream_leeway
    if isinstance(leeway, bool) or not isinstance(leeway, int | float) or not 0 <= leeway < math.inf:
        raise ConfigurationError("stream_leeway", "must be a finite number of seconds, 0 or more")


def _check_callable(setting: str, value: object, arguments: str) -> None:
    """A function of another number of arguments would fail at the first refusal, and not before."""
    if value is None:
        return
    if not callable(value):
        raise ConfigurationError(setting, f"must be a function of ({arguments})")
    try:
        found = signature(value)
    except (TypeError, ValueError):  # a callable of C without a signature
        return
    try:
        found.bind(*arguments.split(", "))
    except TypeError:
        raise ConfigurationError(setting, f"must be a function of ({arguments}), and takes {found}") from None


def _check_url(setting: str, url: str | None) -> None:
    if url is not None:
        checked_resource_url(setting, url)
