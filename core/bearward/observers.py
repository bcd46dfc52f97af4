"""The observers of a verifier: each is called with the events that it asks for.

Rule of this file: an observer cannot break a verification, so whatever it raises is logged here and goes no further.
"""

from __future__ import annotations

import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Final

from bearward.bug_reports import report_bug
from bearward.errors import ConfigurationError
from bearward.events import Event, Observer, Refused, Transport, Verified

__all__ = ["Observers", "notify"]

_LOG: Final = logging.getLogger("bearward.events")


class Ignoring(ABC):
    """An observer of ours that need not see every refusal."""

    @abstractmethod
    def ignores(self, code: str, issuer: str, transport: Transport | None) -> bool:
        """Whether a refusal with this code needs no event, now that it is counted here."""


class Counting(ABC):
    """An observer of ours that counts callers who are let in again without an event, if it can."""

    @abstractmethod
    def counts(self, issuer: str, transport: Transport | None) -> bool:
        """Whether such a caller is counted now; if not, an event is needed. Must not raise."""


class Observers:
    """Calls each observer with what it asks for. Raises `ConfigurationError` for what cannot be one."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self.all: tuple[Observer, ...] = tuple(_checked(observer) for observer in observers)
        self._of_refusals = tuple(
            (one, one.ignores if isinstance(one, Ignoring) else None) for one in self.all if _asks_for(one, Refused)
        )
        self._verified = tuple(one for one in self.all if _asks_for(one, Verified))
        self.verified: bool = bool(self._verified)
        """Whether any asks for `Verified`; if not, requests that pass are not reported."""

        only = self._verified[0] if len(self._verified) == 1 else None
        self.counts: Callable[[str, Transport | None], bool] | None = (
            only.counts if isinstance(only, Counting) else None
        )
        """Of the only one that asks for `Verified`: what it counts, nobody else has to be told."""
        self._annotating: tuple[Any, ...] = tuple(one for one in self.all if hasattr(one, "annotate"))
        self.annotated: bool = bool(self._annotating)
        """Whether any annotates the span of a call, which may begin only after the decision."""
        self.identified: bool = any(getattr(one, "identifies", True) for one in self._verified)
        """Whether any of those uses the identifier of a request."""

    def attach(self, verifier: object) -> None:
        """Give the verifier to each observer that reads its state, by its method `attach`."""
        for observer in self.all:
            attach = getattr(observer, "attach", None)
            if attach is not None:
                attach(verifier)

    def interested(self, code: str, issuer: str, transport: Transport | None) -> list[Observer]:
        """Who must be called with a refusal of this code; of a flood, most are counted and nothing more.

        An observer of ours that has `ignores` is asked first, and has counted what it ignores. Nobody else's is: it
        would have to be guarded.
        """
        return [one for one, ignores in self._of_refusals if ignores is None or not ignores(code, issuer, transport)]

    def annotate(self, event: Event) -> None:
        """The call that `event` is about is being served from here on: have its span annotated."""
        for observer in self._annotating:
            notify(observer.annotate, event)

    def emit(self, event: Event) -> None:
        """Call the observers; any thread may."""
        for observer in self._verified if type(event) is Verified else self.all:
            notify(observer, event)

    def __repr__(self) -> str:
        return f"<Observers: {', '.join(map(repr, self.all)) or 'none'}>"


def notify(observer: Observer, event: Event) -> None:
    """Call one observer, if it asks for such events; what it raises is logged."""
    if not _asks_for(observer, type(event)):
        return
    try:
        observer(event)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as bug:  # noqa: BLE001  (a cancellation, too, would end somebody's request)
        report_bug(_LOG, f"an observer failed with {type(event).__name__}", bug)


def _asks_for(observer: Observer, kind: type) -> bool:
    kinds = getattr(observer, "kinds", None)
    return kinds is None or kind in kinds


def _checked(observer: object) -> Observer:
    function = observer if inspect.isroutine(observer) else getattr(observer, "__call__", None)  # noqa: B004
    if not callable(observer) or isinstance(observer, type):
        raise ConfigurationError("observers", "must be functions of one event: observers=[print]")
    if inspect.iscoroutinefunction(function):
        raise ConfigurationError("observers", "must be plain functions: an event is not awaited")
    return observer
