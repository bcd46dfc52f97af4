"""A token in a cookie, and the protection against cross-site request forgery.

Rules of this file: a browser sends a cookie whichever page made the request, so a cookie alone proves nothing. Unsafe
methods, and every websocket handshake (cross-site pages may open those), also need an `Origin` that is ours, or a
second cookie repeated in a header (double submit).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final, Literal

from sanic import Request

from bearward import AuthError, ConfigurationError, Refusal
from bearward.fetch.urls import is_loopback_host

__all__ = ["CookieCredentials", "cookie_values"]

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""
_TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieCredentials:
    """Accept the token in the cookie `name`.

    `csrf="origin"`: the `Origin` header must be one of `origins`. `csrf="double_submit"`: the cookie `csrf_cookie`
    must be repeated in the header `csrf_header`. Raises `ConfigurationError`.
    """

    name: str = "__Host-access_token"
    csrf: Literal["origin", "double_submit"] = "origin"
    origins: tuple[str, ...] = ()
    csrf_cookie: str = "__Host-csrf_token"
    csrf_header: str = "x-csrf-token"

    def __post_init__(self) -> None:
        """Check what the types do not say."""
        for setting in ("name", "csrf_cookie", "csrf_header"):
            value = getattr(self, setting)
            if not isinstance(value, str) or not value or not _TOKEN.issuperset(value):
                raise ConfigurationError(f"cookie.{setting}", "must be a valid name (RFC 6265, RFC 9110)")
        if self.csrf not in ("origin", "double_submit"):
            raise ConfigurationError("cookie.csrf", "must be 'origin' or 'double_submit'")
        if isinstance(self.origins, str) or not all(_is_origin(origin) for origin in self.origins):
            raise ConfigurationError("cookie.origins", "must be origins, such as ('https://app.example',)")
        if self.csrf == "origin" and not self.origins:
            raise ConfigurationError("cookie.origins", "must name at least one origin, or choose csrf='double_submit'")

    def check(self, request: Request, *, websocket: bool) -> None:
        """Raise `AuthError` unless the request was proven to come from our own pages."""
        if request.method in _SAFE and not websocket:
            return
        proven = self._same_origin(request) if self.csrf == "origin" or websocket else self._submitted_twice(request)
        if not proven:
            raise AuthError(Refusal.CSRF_CHECK_FAILED)

    def _same_origin(self, request: Request) -> bool:
        origins = request.headers.getall("origin", [])
        return len(origins) == 1 and origins[0] in (self.origins or _own_origins(request.headers.get("host", "")))

    def _submitted_twice(self, request: Request) -> bool:
        cookies = cookie_values(request, self.csrf_cookie)
        headers = request.headers.getall(self.csrf_header, [])
        if len(cookies) != 1 or len(headers) != 1 or len(cookies[0]) < 16:
            return False
        return compare_digest(_octets(cookies[0]), _octets(headers[0]))


def _own_origins(host: str) -> tuple[str, ...]:
    """The origins that a websocket may come from where none are configured: no script can set a header on one.

    An origin is scheme, host and port (RFC 6454 section 4). A page that came over plain http may be anybody's who holds
    the network, so it is taken for our own on loopback only, whatever a proxy says of the connection.
    """
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    return (f"https://{host}", f"http://{host}") if is_loopback_host(name.strip("[]")) else (f"https://{host}",)


def cookie_values(request: Request, name: str) -> list[str]:
    """All values that the request's `Cookie` headers have for `name` (RFC 6265 section 5.4), as they stand."""
    return list(_values(request.headers.getall("cookie", []), name))


def _values(headers: Iterable[str], name: str) -> Iterable[str]:
    for header in headers:
        for pair in header.split(";"):
            if name not in pair:  # most are not it, and a caller may send thousands
                continue
            key, found, value = pair.partition("=")
            if found and key.strip() == name:
                yield value.strip().strip('"')


def _is_origin(origin: object) -> bool:
    if not isinstance(origin, str) or not origin.isascii():
        return False
    scheme, found, rest = origin.partition("://")
    return bool(found) and scheme in ("https", "http") and bool(rest) and not set(rest) & set("/?#@ ")


def _octets(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")
