"""The log of a verifier and its adapters: an observer like any other, and always there.

`LogObserver` is the observer, `log_events` the one that every verifier has, and `JSONFormatter` makes one JSON object of
each line. Rules of this file: one INFO line per refusal, and no more than ten a minute of the same code and issuer; what needs a
person is a WARNING, and so is its end. A line is made of the fields of an event, and so holds no token, no claim's value
and nothing that a caller wrote. The same fields are on the record, under the names that spans have: `bearward.code`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from bearward.clock import SystemClock
from bearward.events import (
    Event,
    KeySetChanged,
    KeysRefreshed,
    KeysStateChanged,
    RefreshFailed,
    Refused,
    RevocationStoreDown,
    RevocationStoreUp,
    RulesDecided,
    StreamEnded,
    Transport,
)
from bearward.forks import fork_safe
from bearward.log_output import JSONFormatter, show_unless_configured
from bearward.observers import Ignoring

__all__ = ["JSONFormatter", "LogObserver", "log_events", "show_unless_configured"]

_ADAPTERS: Final = {
    "http": logging.getLogger("bearward.http"),
    "grpc": logging.getLogger("bearward.grpc"),
    None: logging.getLogger("bearward.verifier"),
}
_JWKS: Final = logging.getLogger("bearward.jwks")
_REVOCATION: Final = logging.getLogger("bearward.revocation")

MAX_PER_MINUTE: Final = 10
_MINUTE: Final = 60.0
_MAX_PLACES: Final = 4096
_MAX_TEXT: Final = 120


class LogObserver(Ignoring):
    """Writes each event to the logger of the package that it comes from; requests that pass are not logged."""

    kinds: frozenset[type] = frozenset(
        {
            KeySetChanged,
            KeysRefreshed,
            KeysStateChanged,
            RefreshFailed,
            Refused,
            RevocationStoreDown,
            RevocationStoreUp,
            RulesDecided,
            StreamEnded,
        }
    )

    def __init__(self, monotonic: Callable[[], float] | None = None) -> None:
        self._monotonic = monotonic or SystemClock().monotonic
        self._lock = fork_safe(threading.Lock())
        self._written: dict[tuple[str, str, str], tuple[float, int]] = {}

    def __call__(self, event: Event) -> None:
        """Log one event."""
        if isinstance(event, Refused | StreamEnded):
            self._decision(event)
        elif isinstance(event, RevocationStoreDown | RevocationStoreUp):
            _store(event)
        elif isinstance(event, RulesDecided):
            _ADAPTERS[event.transport].info(
                "%d rules decide who may call what", len(event.rules), extra=_fields(event, "transport")
            )
        elif isinstance(event, KeysRefreshed | RefreshFailed | KeySetChanged | KeysStateChanged):
            _keys(event)

    def ignores(self, code: str, issuer: str, transport: Transport | None) -> bool:
        """Whether a refusal with this `code` gets no line now; it is then counted for the next line."""
        if not _ADAPTERS[transport].isEnabledFor(logging.INFO):
            return True
        key = (Refused.__name__, code, issuer)
        with self._lock:
            since, count = self._written.get(key, (0.0, 0))
            if count < MAX_PER_MINUTE or self._monotonic() - since >= _MINUTE:
                return False
            self._written[key] = (since, count + 1)
        return True

    def forget(self) -> None:
        """Log each refusal again, whatever was logged in the last minute."""
        with self._lock:
            self._written.clear()

    def __repr__(self) -> str:
        return "<LogObserver>"

    def _decision(self, event: Refused | StreamEnded) -> None:
        logger = _ADAPTERS[event.transport]
        if not logger.isEnabledFor(logging.INFO):
            return
        omitted = self._omitted(type(event).__name__, event.code, event.issuer)
        if omitted is None:
            return
        fields = _fields(event, "code", "issuer", "transport", "operation", "kid", "correlation_id")
        said = " ".join(f"{name.removeprefix('bearward.')}={_shown(value)}" for name, value in fields.items())
        what = "refused" if isinstance(event, Refused) else "a stream was ended"
        more = f" ({omitted} more like it were not logged)" if omitted else ""
        logger.info("%s: %s; %s%s", what, event.message, said, more, extra={**fields, "bearward.omitted": omitted})

    def _omitted(self, *place: str) -> int | None:
        """How many like it were left out since the last line; None if this one is to be left out too."""
        key, now = (place[0], place[1], place[2]), self._monotonic()
        with self._lock:
            since, count = self._written.pop(key, (now, 0))
            starts_anew = now - since >= _MINUTE
            self._written[key] = (now, 1) if starts_anew else (since, count + 1)
            if len(self._written) > _MAX_PLACES:
                del self._written[next(iter(self._written))]
        if starts_anew:
            return max(0, count - MAX_PER_MINUTE)
        return 0 if count < MAX_PER_MINUTE else None


def _keys(event: KeysRefreshed | RefreshFailed | KeySetChanged | KeysStateChanged) -> None:
    names: tuple[str, ...]
    if isinstance(event, KeysStateChanged):
        level = logging.WARNING if event.is_problem or event.recovered else logging.INFO
        text, names = f"keys are {event.state}", ("state",)
    elif isinstance(event, KeySetChanged):
        level, text, names = logging.INFO, "the key set changed", ("generation", "added", "removed")
    elif isinstance(event, RefreshFailed):
        level = logging.WARNING if event.is_new else logging.DEBUG
        text, names = "keys cannot be refreshed", ("trigger", "cause")
    else:
        level = logging.WARNING if event.recovered else logging.DEBUG
        text, names = "keys were refreshed" + (" again" if event.recovered else ""), ("trigger", "generation")
    _JWKS.log(level, "%s: %s", text, event.summary or event.issuer, extra=_fields(event, "issuer", *names))


def _store(event: RevocationStoreDown | RevocationStoreUp) -> None:
    if isinstance(event, RevocationStoreUp):
        _REVOCATION.warning("the revocation store responds again")
    else:
        _REVOCATION.warning(
            "the revocation store is failing: %s; %s", event.cause, event.consequence, extra=_fields(event, "cause")
        )


def _fields(event: Event, *names: str) -> dict[str, Any]:
    found = {f"bearward.{name}": getattr(event, name, None) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _shown(value: object) -> str:
    """On one line and short, whatever an issuer calls its keys."""
    text = str(value)
    shown = text if text.isascii() and text.isprintable() and " " not in text else ascii(text)
    return shown if len(shown) <= _MAX_TEXT else f"{shown[:_MAX_TEXT]}…"


log_events: Final = LogObserver()
"""The one that every verifier has; what several verifiers of a process log is limited in sum."""
