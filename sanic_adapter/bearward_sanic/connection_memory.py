"""What a persistent connection has presented before: its `Authorization` value, and the result.

Rules of this file: remembered, not trusted. A token that was accepted is checked with the verifier again for every
request, which saves only the parsing and hashing of the token. A refusal that cost a signature check is repeated for a
second. The memory is Sanic's own object for a connection (`conn_info`); under ASGI that is new for each request, and
holds nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, Final

from multidict import istr
from sanic import Request

from bearward import AuthError, Principal, Refusal, Verifier
from bearward.token_cache import CacheEntry

__all__ = ["AUTHORIZATION", "NONE", "ONCE", "SEEN", "ConnectionMemory", "SeenCredentials"]

AUTHORIZATION: Final = istr("authorization")
"""Already lower case, and known to be: a look-up takes half as long."""

NONE: Final[list[str]] = []
"""What a request without the header presents; never written to."""

REFUSAL_TTL: Final = 1.0
"""Seconds that a refusal is repeated to the same token on the same connection before it is checked again.

A signature that is wrong stays wrong until the issuer publishes another key by the same name, and an expired token
stays expired. Clients that ask again and again with such a token are common, and each response would cost an RSA
verification.
"""

_REPEATED: Final = frozenset({Refusal.SIGNATURE_INVALID, Refusal.TOKEN_EXPIRED})
ONCE: Final = "_bearward_once"
"""Where it keeps the values that were accepted at first sight, of which nothing else is known yet."""
SEEN: Final = "_bearward_seen"
"""Where the context of a connection keeps its `SeenCredentials`."""


class SeenCredentials:
    """The `Authorization` values of a connection's latest request, and what is known of them."""

    __slots__ = ("entry", "principal", "refusal", "refused_until", "repeated", "tracked", "values")

    def __init__(self, values: list[str]) -> None:
        self.values: list[str] = values
        self.repeated: bool = False
        """Whether they came more than once."""
        self.entry: CacheEntry | None = None
        self.principal: Principal | None = None
        self.tracked: Any = None
        """The stream on which `LiveRequests` tracks the connection already."""
        self.refusal: AuthError | None = None
        self.refused_until: float = 0.0


class ConnectionMemory:
    """Recognizes what was presented before on the same connection."""

    __slots__ = ("_is_still_valid", "_verifier")

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._is_still_valid: Callable[[CacheEntry], bool] = verifier.is_still_valid

    def principal_of(self, seen: SeenCredentials) -> Principal | None:
        """The caller, if the token is as good as it was when it was seen."""
        return seen.principal if seen.entry is not None and self._is_still_valid(seen.entry) else None

    def look_up(self, request: Request, values: list[str]) -> SeenCredentials | None:
        """What is remembered of a request's `Authorization` values; remembers them from now on."""
        conn_info = request.conn_info
        if conn_info is None or len(values) != 1:
            return None
        held = conn_info.ctx.__dict__
        seen: SeenCredentials | None = held.get(SEEN)
        if seen is not None and seen.values == values:
            seen.repeated = True
            return seen
        held[SEEN] = seen = SeenCredentials(values)
        seen.repeated = held.pop(ONCE, None) == values
        return seen

    def recent_refusal(self, seen: SeenCredentials) -> AuthError | None:
        """A refusal like the one that the same token got a moment ago, if it is still repeated."""
        if seen.refusal is None:
            return None
        # A clock that was set back must not make a refusal last.
        if not seen.refused_until - REFUSAL_TTL <= self._verifier.now() < seen.refused_until:
            seen.refusal = None
        return copy(seen.refusal)

    def accept(self, seen: SeenCredentials, token: str) -> None:
        """The token was good; where it came before, find it faster next time, unless it is bound to a certificate."""
        if not seen.repeated:
            return
        entry = self._verifier.cached_entry(token)
        seen.entry = None if entry is None or not self._is_still_valid(entry) else entry
        seen.principal = None if seen.entry is None else seen.entry.principal
        seen.refusal = None

    def refuse(self, seen: SeenCredentials, error: AuthError) -> None:
        """The token was refused, with an error that was not reported yet."""
        seen.entry = None
        if error.refusal in _REPEATED and seen.refusal is None:
            seen.refusal = copy(error)
            seen.refused_until = self._verifier.now() + REFUSAL_TTL
