"""What the adapter is told: by arguments, or by `app.config` as `BEARWARD_*`.

Rules of this file: frozen, checked once, and a setting that nothing reads is refused: a misspelt word must not mean
the default. Arguments win over `app.config`. What makes a verifier is the core's (`bearward.settings`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from sanic import HTTPResponse, Request

from bearward import AuthError, ConfigurationError, Verifier
from bearward.settings import Settings
from bearward_sanic.cookies import CookieCredentials
from bearward_sanic.marks import Mark, as_mark, authenticated

__all__ = ["AdapterSettings", "Renderer", "adapter_settings", "verifier_from"]

Renderer = Callable[[Request, AuthError, HTTPResponse], "HTTPResponse | Awaitable[HTTPResponse]"]
"""Called with the request, the refusal and the response that would be sent; answers the response to send."""

PREFIX: Final = "BEARWARD_"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSettings:
    """The settings of the front door. Raises `ConfigurationError` for one that cannot be meant."""

    default: Mark = authenticated
    """The mark of whatever has none; anything but public."""
    public_routes: tuple[str, ...] = ()
    """Names of routes that anyone may call, such as a static route's."""
    public_blueprints: tuple[str, ...] = ()
    """Names of blueprints that anyone may call where nothing else is said, such as `openapi`."""
    hide_unknown: bool = True
    """Whether a caller without a good token is refused alike where there is no such route or method."""
    realm: str | None = "api"
    """The realm of the challenges (RFC 9110 section 11.5)."""
    resource: str | None = None
    """The URL of the protected API: serves its metadata (RFC 9728) and names them in the challenges."""
    resource_name: str | None = None
    """The API's name for people, in its metadata."""
    resource_documentation: str | None = None
    """The URL of the API's documentation, in its metadata."""
    max_token_length: int = 16 * 1024
    """Longer tokens, in characters, are refused unread."""
    cookie: CookieCredentials | None = None
    """Accept the token in a cookie, protected against forged requests."""
    form: bool = False
    """Accept `access_token` in a form-encoded body (RFC 6750 section 2.2)."""
    query: bool = False
    """Accept `access_token` in the query (RFC 6750 section 2.3: proxies and logs see it; prefer anything else)."""
    websocket_subprotocol: bool = True
    """Accept `Sec-WebSocket-Protocol: bearer, <token>` on websockets, the one way that browsers have."""
    websocket_refusal: Literal["status", "close"] = "status"
    """Refuse a websocket by HTTP status, or accept it and close it with 4401, 4403 or 1013, which a browser can see."""
    streams_end: bool = True
    """Whether streamed responses and websockets end when the token does."""
    render: Renderer | None = None
    """How a refusal looks: a function of request, refusal and response."""
    client_certificate: Callable[[Request], bytes | None] | None = None
    """Where the client's certificate (DER) is found, once its key was proven; without it bound tokens are refused."""
    offline_docs: bool = False
    """Serve the docs page of sanic-ext with assets from the package swagger-ui-bundle, from no CDN."""

    def __post_init__(self) -> None:
        """Check what the types do not say."""
        if self.default.kind.value == "public":
            raise ConfigurationError("default", "must not be public: mark what is public")
        for name in _BOOLEANS:
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(name, "must be true or false")
        if self.websocket_refusal not in ("status", "close"):
            raise ConfigurationError("websocket_refusal", "must be 'status' or 'close'")
        length = self.max_token_length
        if isinstance(length, bool) or not isinstance(length, int) or not 0 < length <= 1024 * 1024:
            raise ConfigurationError("max_token_length", "must be a number of characters from 1 to 1048576")
        if self.cookie is not None and not isinstance(self.cookie, CookieCredentials):
            raise ConfigurationError("cookie", "must be a CookieCredentials")
        for name in ("render", "client_certificate"):
            if getattr(self, name) is not None and not callable(getattr(self, name)):
                raise ConfigurationError(name, "must be callable")
        if self.resource is not None:
            _check_resource(self.resource)


_BOOLEANS: Final = ("hide_unknown", "form", "query", "websocket_subprotocol", "streams_end", "offline_docs")
_NAMES: Final = frozenset(field.name for field in fields(AdapterSettings))
_FROM_CONFIG: Final = _NAMES - {"cookie", "render", "client_certificate"}
_OF_CORE: Final = frozenset(
    (
        *("ISSUER", "AUDIENCE", "JWKS_URI", "ALGORITHMS", "LEEWAY", "CACHE", "CACHE_SECRET"),
        *("REVOCATIONS_ON_FAILURE", "REVOCATIONS_CACHE", "REVOCATIONS_NAME", "UNSAFE_ALLOW_HTTP", "CONFIG"),
    )
)


def adapter_settings(config: Mapping[str, Any], arguments: Mapping[str, Any]) -> AdapterSettings:
    """The settings of `arguments`, and of `config` where they say nothing; raises `ConfigurationError`."""
    for name in arguments:
        if name not in _NAMES:
            raise ConfigurationError(name, f"is no setting; there are {', '.join(sorted(_NAMES))}")
    chosen = {name: value for name, value in _configured(config).items() if name not in arguments}
    chosen.update(arguments)
    for name in ("public_routes", "public_blueprints"):
        if name in chosen:
            chosen[name] = _names(chosen[name], name)
    if "default" in chosen:
        chosen["default"] = as_mark(chosen["default"], "default")
    return AdapterSettings(**chosen)


def verifier_from(config: Mapping[str, Any]) -> Verifier:
    """The verifier of `BEARWARD_ISSUER` and its companions in `config`; raises `ConfigurationError`."""
    ours = {key: str(value) for key, value in config.items() if key.startswith(PREFIX)}
    of_core = {key: value for key, value in ours.items() if key.removeprefix(PREFIX) in _OF_CORE}
    return Settings.load(of_core).verifier()


def _configured(config: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in config.items():
        if not key.startswith(PREFIX):
            continue
        name = key.removeprefix(PREFIX).lower()
        if name in _FROM_CONFIG:
            found[name] = value
        elif key.removeprefix(PREFIX) not in _OF_CORE:
            raise ConfigurationError(key, "is no setting of bearward")
    return found


def _names(value: Collection[str] | str, setting: str) -> tuple[str, ...]:
    """Names as a collection or, as the environment has them, separated by commas."""
    names = value.split(",") if isinstance(value, str) else list(value)
    if any(not isinstance(name, str) for name in names):
        raise ConfigurationError(setting, "must be names")
    return tuple(name.strip() for name in names if name.strip())


def _check_resource(resource: str) -> None:
    """RFC 9728 section 1.2: an https URL without a fragment; http on loopback, for development."""
    must = "must be an https URL without a fragment (http on loopback), such as https://api.example/v1"
    try:
        parts = urlsplit(resource)
        loopback = parts.hostname in ("127.0.0.1", "::1", "localhost")
    except (ValueError, AttributeError, TypeError):
        raise ConfigurationError("resource", must) from None
    good = parts.scheme == "https" or (parts.scheme == "http" and loopback)
    if not good or not parts.netloc or parts.fragment or not resource.isascii() or " " in resource or '"' in resource:
        raise ConfigurationError("resource", must)
