"""A stream of requests that can be sent once more, from its first message.

Rules of this file: the first messages are kept until the call has got a response, up to `MAX_KEPT`; a stream that has
sent more is not repeated, since nobody has its beginning any more. What the application's iterator yields while a call
is being given up belongs to the next one: nothing is lost, and nothing is sent twice to a call.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final, NamedTuple

from bearward.forks import fork_safe

__all__ = ["MAX_KEPT", "AsyncRepeatableRequests", "RepeatableRequests", "is_written_by_caller"]

MAX_KEPT: Final = 16
"""Messages."""


class _Failed(NamedTuple):
    """In place of a message: the application's iterator raised."""

    error: BaseException


_END: Final = object()


class _Kept:
    """What was read of the application's iterator, and which call may send it."""

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._first = 0  # the number of the first message that is held
        self._attempt = object()
        self._is_whole = True

    def settle(self) -> None:
        """The call goes on: what was sent need not be kept."""
        self._is_whole = False

    def _renew(self) -> bool:
        """Have the next reader start at the first message, and no other read on; whether it is still held."""
        self._attempt = object()
        return self._is_whole

    def _has(self, number: int) -> bool:
        return number < self._first + len(self._messages)

    def _message(self, number: int) -> Any:
        """A message that is held, `_END` after the last one; raises what the application's iterator raised."""
        message = self._messages[number - self._first]
        self._is_whole = self._is_whole and len(self._messages) <= MAX_KEPT
        if not self._is_whole and message is not _END:
            del self._messages[: number + 1 - self._first]
            self._first = number + 1
        if isinstance(message, _Failed):
            raise message.error
        return message


class RepeatableRequests(_Kept):
    """The requests of a sync call; grpc reads them in a thread of its own."""

    def __init__(self, requests: Iterator[Any]) -> None:
        super().__init__()
        self._source = iter(requests)
        self._lock = fork_safe(threading.Lock())

    def __iter__(self) -> Iterator[Any]:
        """The requests, for the first call."""
        return _Reader(self, self._attempt)

    def again(self) -> Iterator[Any] | None:
        """The same requests for a second call; None if that is too late."""
        return _Reader(self, self._attempt) if self._renew() else None

    def take(self, attempt: object, number: int) -> Any:
        """A message by its number, or `_END`, also for a call that was given up; may block."""
        with self._lock:
            if attempt is self._attempt and not self._has(number):
                self._messages.append(self._read())
            return self._message(number) if attempt is self._attempt else _END

    def _read(self) -> Any:
        try:
            return next(self._source, _END)
        except BaseException as error:  # noqa: BLE001  (raised where it is read)
            return _Failed(error)


class _Reader:
    def __init__(self, requests: RepeatableRequests, attempt: object) -> None:
        self._requests, self._attempt, self._number = requests, attempt, 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        message = self._requests.take(self._attempt, self._number)
        if message is _END:
            raise StopIteration
        self._number += 1
        return message


class AsyncRepeatableRequests(_Kept):
    """The requests of an aio call, from a plain iterator or an asynchronous one."""

    def __init__(self, requests: Any) -> None:
        super().__init__()
        self._next = _next_of(requests)
        self._reading: asyncio.Task[None] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        """The requests, for the first call."""
        return self._read_by(self._attempt)

    def again(self) -> AsyncIterator[Any] | None:
        """The same requests for a second call; None if that is too late."""
        return self._read_by(self._attempt) if self._renew() else None

    async def _read_by(self, attempt: object) -> AsyncIterator[Any]:
        number = 0
        while (message := await self._take(attempt, number)) is not _END:
            number += 1
            yield message

    async def _take(self, attempt: object, number: int) -> Any:
        while attempt is self._attempt and not self._has(number):
            if self._reading is None:
                self._reading = asyncio.get_running_loop().create_task(self._read())
            # A call that is given up must not cancel what another reads on from.
            await asyncio.shield(self._reading)
        return self._message(number) if attempt is self._attempt else _END

    async def _read(self) -> None:
        try:
            self._messages.append(await self._next())
        except BaseException as error:  # noqa: BLE001  (raised where it is read)
            self._messages.append(_Failed(error))
        finally:
            self._reading = None


def is_written_by_caller(requests: Any) -> bool:
    """Whether the requests of an aio call are what its caller will `write`: then grpc makes the iterator itself."""
    frame = getattr(requests, "ag_frame", None)
    return frame is not None and str(frame.f_globals.get("__name__")).startswith("grpc.")


def _next_of(requests: Any) -> Callable[[], Awaitable[Any]]:
    if hasattr(requests, "__aiter__"):
        later = aiter(requests)

        async def next_later() -> Any:
            return await anext(later, _END)

        return next_later
    now = iter(requests)

    async def next_now() -> Any:
        return next(now, _END)

    return next_now
