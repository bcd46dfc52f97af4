"""One token of a token endpoint: kept while it lives, and fetched once for all who wait for it.

Rules of this file: a caller that gives up does not stop the others, in threads and on event loops alike; no `repr` shows
a token.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from bearward.client_credentials.grant import Grant, TokenUnavailableError
from bearward.forks import fork_safe, on_fork

__all__ = ["HeldToken"]


class HeldToken:
    """What `ask` granted last, until `refresh_margin` seconds before it expires by `monotonic`."""

    def __init__(self, ask: Callable[[], Grant], *, refresh_margin: float, monotonic: Callable[[], float]) -> None:
        self._ask = ask
        self._refresh_margin = refresh_margin
        self._monotonic = monotonic
        self._lock = fork_safe(threading.Lock())
        on_fork(self)
        self._held: tuple[str, float] | None = None
        self._in_flight: Future[str] | None = None

    def token(self) -> str:
        """A token; blocks while one is fetched. Raises `TokenUnavailableError`."""
        held = self._current()
        return held if held is not None else self._fetching().result()

    async def token_async(self) -> str:
        """A token; awaits while one is fetched. Raises `TokenUnavailableError`."""
        held = self._current()
        return held if held is not None else await asyncio.shield(asyncio.wrap_future(self._fetching()))

    def invalidate(self, token: str) -> None:
        """Forget `token`, unless it was replaced already."""
        with self._lock:
            if self._held is not None and self._held[0] == token:
                self._held = None

    def forget_parent(self) -> None:
        """In a forked child: a fetch that is under way is the parent's; the token is as good here."""
        self._in_flight = None

    def _current(self) -> str | None:
        held = self._held
        return held[0] if held is not None and self._monotonic() < held[1] else None

    def _fetching(self) -> Future[str]:
        """The fetch that is under way, or a new one in its own thread, which no waiter that gives up can stop."""
        with self._lock:
            if self._in_flight is None:
                self._in_flight = self._fetch_in_thread()
            return self._in_flight

    def _fetch_in_thread(self) -> Future[str]:
        in_flight: Future[str] = Future()
        try:
            threading.Thread(target=self._fetch, args=(in_flight,), name="bearward-token", daemon=True).start()
        except RuntimeError as error:  # the system has no more threads now
            raise TokenUnavailableError("no thread to fetch it in") from error
        return in_flight

    def _fetch(self, in_flight: Future[Any]) -> None:
        try:
            asked = self._monotonic()
            grant = self._ask()
            self._store_result(self._kept(grant, asked))
            in_flight.set_result(grant.token)
        except TokenUnavailableError as error:
            self._store_result(None)
            in_flight.set_exception(error)
        except BaseException as error:  # noqa: BLE001  (waiting callers must not wait forever)
            self._store_result(None)
            in_flight.set_exception(TokenUnavailableError(type(error).__name__))

    def _store_result(self, held: tuple[str, float] | None) -> None:
        with self._lock:
            self._held, self._in_flight = held, None

    def _kept(self, grant: Grant, asked: float) -> tuple[str, float]:
        # A token that lives shorter than `refresh_margin` is still used for half of its life.
        return grant.token, asked + max(grant.lifetime - self._refresh_margin, grant.lifetime / 2)
