"""How an adapter reports what it decided: exactly one event per request or call.

Rules of this file: an event is made only if an observer asks for its kind, and a refusal is reported once, however many
places it passes. What callers choose gets into no event.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from bearward.basis import basis_of
from bearward.errors import AuthError
from bearward.events import UNKNOWN, Refused, RulesDecided, StreamEnded, Transport, Verified
from bearward.observers import Observers, notify
from bearward.principal import Principal

__all__ = ["Reporter", "concerning", "correlation_id"]

_CORRELATION_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
"""What the identifiers of gateways and tracers are made of; no JWT is, since those have dots."""


class Reporter:
    """Reports what one gate decides: `transport` says which kind. Made once, by `Reporter(verifier.observers, ...)`."""

    __slots__ = (
        "_annotate",
        "_counts",
        "_emit",
        "_interested",
        "_transport",
        "annotated",
        "identified",
        "verified_wanted",
    )

    def __init__(self, observers: Observers, transport: Transport | None = None) -> None:
        self._annotate = observers.annotate
        self._counts = observers.counts
        self._emit = observers.emit
        self._interested = observers.interested
        self.annotated: bool = observers.annotated
        """Whether `annotate` does anything."""
        self._transport = transport
        self.verified_wanted: bool = observers.verified
        """Whether `verified` does anything: ask before, on a hot path."""
        self.identified: bool = observers.identified
        """Whether `verified` needs an identifier of the request."""

    def counted(self, principal: Principal) -> bool:
        """Whether the caller, who was let in without a duration that could be told, is counted now and needs no event."""
        return self._counts is not None and self._counts(principal.issuer, self._transport)

    def verified(
        self,
        principal: Principal,
        operation: str | None = None,
        correlation_id: str | None = None,
        duration: float | None = None,
    ) -> Verified | None:
        """The caller was let in; returns the event, if there is one. `operation` must not be a name that callers can invent; `duration` is in seconds."""
        if self.verified_wanted:
            basis = basis_of(principal)
            kid = None if basis is None else basis.header.kid
            proof = principal.proof.kind
            event = Verified(principal.issuer, self._transport, operation, kid, correlation_id, duration, proof)
            self._emit(event)
            return event
        return None

    def refused(
        self,
        error: AuthError,
        operation: str | None = None,
        correlation_id: str | Callable[[], str] | None = None,
        duration: float | None = None,
    ) -> Refused | None:
        """The caller was refused with `error`, which is reported once; returns the event, if there is one.

        A `correlation_id` that is a function is called only if an observer sees the event.
        """
        if error.reported:
            return None
        error.reported = True
        issuer = error.issuer or UNKNOWN
        interested = self._interested(error.code, issuer, self._transport)
        if not interested:
            return None
        identifier = correlation_id() if callable(correlation_id) else correlation_id
        event = Refused(error.refusal, issuer, self._transport, operation, error.kid, identifier, duration, error.own)
        for observer in interested:
            notify(observer, event)
        return event

    def ended(self, error: AuthError, principal: Principal, operation: str | None = None) -> None:
        """What was admitted for `principal` is ended with `error`."""
        if not error.reported:
            error.reported = True
            self._emit(StreamEnded(error.refusal, principal.issuer, self._transport, operation))

    def annotate(self, event: Verified | Refused) -> None:
        """The call of `event` is served from here on: for spans that begin only after the decision."""
        self._annotate(event)

    def rules(self, rules: Mapping[str, Any]) -> None:
        """These rules apply from now on."""
        if self._transport is not None:
            self._emit(RulesDecided(self._transport, {name: repr(rule) for name, rule in rules.items()}))


def concerning(error: AuthError, principal: Principal) -> AuthError:
    """The same error, saying whose verified token it is about."""
    if error.issuer is None:
        basis = basis_of(principal)
        error.issuer = principal.issuer
        error.kid = None if basis is None else basis.header.kid
    return error


def correlation_id(given: Callable[[], object]) -> str:
    """The identifier of a request that its caller, or a gateway, gave it; a new one if that is no safe one.

    Safe is what has up to 64 letters, digits and hyphens: nothing that a caller could write a token or a sentence with.
    """
    try:
        value = given()
    except Exception:  # noqa: BLE001  (an application may have its own way to make one, and that may fail)
        value = None
    found = "" if value is None else str(value)
    return found if _CORRELATION_ID.fullmatch(found) else _new_identifier()


def _new_identifier() -> str:
    # It names a line of a log, and is no secret: a tenth of what a random UUID costs each refusal.
    return f"{random.getrandbits(128):032x}"
