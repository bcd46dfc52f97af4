"""Where the token is: exactly one credential, from the places that are allowed.

Rules of this file: `Authorization` by default; every other place must be enabled, and two credentials at once are
refused, whichever they are (RFC 6750 section 2). Tokens are not verified here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

from sanic import Request

from bearward import AuthError, ConfigurationError, Refusal
from bearward.credential_place import CredentialPlace
from bearward.credentials import SCHEMES, bearer_token, presented_token
from bearward.sender import Scheme
from bearward_sanic.cookies import cookie_values
from bearward_sanic.settings import AdapterSettings

__all__ = [
    "DPOP_SUBPROTOCOL",
    "SUBPROTOCOL",
    "TICKET_SUBPROTOCOL",
    "PlacedToken",
    "TokenReader",
    "announced_subprotocol",
    "offered_subprotocols",
    "socket_place",
]

PlacedToken: TypeAlias = tuple[str, CredentialPlace | None]
_Other: TypeAlias = tuple[list[str], Callable[[], None], CredentialPlace | None]
"""What stands in a place, what must hold of the request that brings it there, and the issuers' own place, if it is one."""

SUBPROTOCOL: Final = "bearer"
"""The subprotocol that announces a token as the next one: `Sec-WebSocket-Protocol: bearer, <token>`."""

DPOP_SUBPROTOCOL: Final = "dpop"
"""The one that announces a token that is bound to a key, and its proof: `Sec-WebSocket-Protocol: dpop, <token>, <proof>`."""

TICKET_SUBPROTOCOL: Final = "bearward-ticket"
"""The one that announces a one-time ticket: `Sec-WebSocket-Protocol: bearward-ticket, <ticket>`."""

_PARAMETER: Final = "access_token"
_LONGEST_NAME: Final = 3 * len(_PARAMETER)  # each character percent-encoded
_MAX_FIELDS: Final = 1000
_MAX_TRIPLETS: Final = 2048
_FORM: Final = "application/x-www-form-urlencoded"
FORM_AT_MOST: Final = 64 * 1024
"""Octets of a form that are read to look for a token; a longer form has to bring it elsewhere."""


class TokenReader:
    """Finds the one token of a request."""

    __slots__ = ("_header_only", "_headers", "_max_length", "_of_cookie", "_settings")

    def __init__(self, settings: AdapterSettings, places: Collection[CredentialPlace] = ()) -> None:
        self._settings = settings
        self._max_length = settings.max_token_length
        self._headers = tuple(place for place in places if place.header is not None)
        self._of_cookie = _place_of_cookie(settings, places)
        self._header_only = settings.cookie is None and not settings.query and not self._headers

    def read(self, request: Request, presented: list[str], websocket: bool) -> PlacedToken:  # noqa: FBT001  (a hot path)
        """The token, without touching the body, and its place (None: of `Authorization`, or one that all issuers share).

        `presented` are the `Authorization` values. Raises `AuthError`.
        """
        if self._header_only and not websocket:
            return bearer_token(presented, max_length=self._max_length), None
        others = self._others(request, websocket=websocket)
        if not others:
            return bearer_token(presented, max_length=self._max_length), None
        if presented or len(others) > 1:
            raise AuthError(Refusal.CREDENTIALS_REPEATED)
        values, check, place = others[0]
        check()
        if place is not None:  # which has a grammar of its own
            return str(place.token(values, max_length=self._max_length)), place
        return bearer_token([f"Bearer {values[0]}"], max_length=self._max_length), place

    def read_presented(self, request: Request, presented: list[str], websocket: bool) -> tuple[Scheme, str]:  # noqa: FBT001
        """Scheme and token of `Authorization`, beside no other credential; raises `AuthError`."""
        if self._others(request, websocket=websocket):
            raise AuthError(Refusal.CREDENTIALS_REPEATED)
        return presented_token(presented, SCHEMES, max_length=self._max_length)

    def read_subprotocol(self, request: Request, presented: list[str]) -> tuple[str, list[str]]:
        """Token and proofs that the handshake of a websocket offers as `dpop`, beside no other credential; raises `AuthError`."""
        if presented or self._others(request, websocket=True):
            raise AuthError(Refusal.CREDENTIALS_REPEATED)
        offered = offered_subprotocols(request)
        place = offered.index(DPOP_SUBPROTOCOL)
        if DPOP_SUBPROTOCOL in offered[place + 1 :]:
            raise AuthError(Refusal.CREDENTIALS_REPEATED)
        token = offered[place + 1] if place + 1 < len(offered) else ""
        _, token = presented_token([f"DPoP {token}"], SCHEMES, max_length=self._max_length)
        return token, offered[place + 2 : place + 3]

    def offers_proof(self, request: Request) -> bool:
        """Whether the handshake of a websocket announces a token with its proof."""
        return self._settings.websocket_subprotocol and DPOP_SUBPROTOCOL in offered_subprotocols(request)

    def read_ticket(self, request: Request, presented: list[str]) -> str:
        """The ticket that the handshake of a websocket offers, beside no other credential; raises `AuthError`."""
        if presented or len(self._others(request, websocket=True)) != 1:
            raise AuthError(Refusal.CREDENTIALS_REPEATED)
        return _announced(request, TICKET_SUBPROTOCOL)[0]

    def offers_ticket(self, request: Request) -> bool:
        """Whether the handshake of a websocket announces a ticket."""
        return TICKET_SUBPROTOCOL in offered_subprotocols(request)

    def may_be_in_form(self, request: Request) -> bool:
        """Whether the body may hold the token (RFC 6750 section 2.2: form-encoded, in a request that has a body)."""
        if not self._settings.form or request.method in ("GET", "HEAD", "OPTIONS"):
            return False
        return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM

    def read_form(self, request: Request) -> str:
        """The token in the body that was received; raises `AuthError`."""
        tokens = _parameters(request.body)
        if len(tokens) != 1:
            raise AuthError(Refusal.CREDENTIALS_REPEATED if tokens else Refusal.CREDENTIALS_MISSING)
        return bearer_token([f"Bearer {tokens[0]}"], max_length=self._max_length)

    def also_in_form(self, request: Request) -> bool:
        """Whether the body that was received holds a token beside the one that was accepted."""
        return self.may_be_in_form(request) and bool(_parameters(request.body))

    def _others(self, request: Request, *, websocket: bool) -> list[_Other]:
        found = [*self._in_headers(request)] if self._headers else []
        cookie = self._settings.cookie
        if cookie is not None:
            check = partial(cookie.check, request, websocket=websocket)
            found += [([value], check, self._of_cookie) for value in cookie_values(request, cookie.name)]
        if self._settings.query:
            query = request.query_string.encode("utf-8", "replace")
            found += [([value], _nothing, None) for value in _parameters(query)]
        if websocket and self._settings.websocket_subprotocol:
            found += [([value], _nothing, None) for value in _announced(request, SUBPROTOCOL)]
        if websocket and self._settings.socket_tickets is not None:
            found += [([value], _nothing, None) for value in _announced(request, TICKET_SUBPROTOCOL)]
        return found

    def _in_headers(self, request: Request) -> Iterator[_Other]:
        """What the headers of proxies hold, whatever issuer it is of; read once it is known to be the only credential."""
        for place in self._headers:
            values = request.headers.getall(str(place.header), [])
            if values:
                yield values, _nothing, place


def _place_of_cookie(settings: AdapterSettings, places: Collection[CredentialPlace]) -> CredentialPlace | None:
    """The place that the application's cookie is; a browser sends a cookie on its own, so it needs its protection."""
    name = None if settings.cookie is None else settings.cookie.name
    cookies = [place for place in places if place.cookie is not None]
    for place in cookies:
        if place.cookie != name:
            must = f"must be CookieCredentials for the cookie {place.cookie!r}, in which the tokens of an issuer are"
            raise ConfigurationError("cookie", must)
    return cookies[0] if cookies else None


def offered_subprotocols(request: Request) -> list[str]:
    """The subprotocols that the client offers (RFC 6455 section 11.3.4), in its order."""
    lines = request.headers.getall("sec-websocket-protocol", [])
    return [item.strip() for line in lines for item in line.split(",") if item.strip()]


def announced_subprotocol(request: Request) -> str | None:
    """The subprotocol by which the client announces credentials, which the handshake must select."""
    offered = offered_subprotocols(request)
    return next((name for name in (SUBPROTOCOL, DPOP_SUBPROTOCOL, TICKET_SUBPROTOCOL) if name in offered), None)


def socket_place(request: Request) -> str:
    """What a ticket is for: the URL's path, which is the same for the socket, and the page (`Origin`) that asks."""
    return "\n".join((request.path, *request.headers.getall("origin", [])))


def _announced(request: Request, name: str) -> list[str]:
    """What stands behind each offer of the subprotocol `name`."""
    offered = offered_subprotocols(request)
    announced = [place for place, one in enumerate(offered) if one == name]
    # As the last one it announces nothing: an empty token, which is malformed.
    return [offered[place + 1] if place + 1 < len(offered) else "" for place in announced]


def _parameters(encoded: bytes) -> list[str]:
    if b"access_token" not in encoded and b"%" not in encoded:
        return []
    fields = encoded.split(b"&")
    if len(fields) > _MAX_FIELDS:
        raise AuthError(Refusal.CREDENTIALS_MALFORMED)
    pairs = (field.partition(b"=") for field in fields)
    return [_decoded(value) for name, _, value in pairs if _is_parameter(name)]


def _is_parameter(name: bytes) -> bool:
    return len(name) <= _LONGEST_NAME and _decoded(name) == _PARAMETER


def _decoded(text: bytes) -> str:
    """Form-encoded text; of a token, hardly a character needs encoding, and decoding each costs half a microsecond."""
    if text.count(b"%") > _MAX_TRIPLETS:
        raise AuthError(Refusal.CREDENTIALS_MALFORMED)
    return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8", "replace")


def _nothing() -> None:
    """A header or a parameter is not sent by a browser on its own: nothing more to prove."""
