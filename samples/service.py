"""The protected service itself, written once: what both transports serve.

Rules of this file: it knows neither HTTP nor gRPC, and does no authorization; its callers were authorized by an adapter.
`ProtectedService` blocks; `ServiceThread` is the same service for an event loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from bearward import Principal, scope
from samples.notes import Note, NoteStore

__all__ = [
    "READ",
    "WRITE",
    "ImportBatch",
    "InvalidNoteError",
    "ProtectedService",
    "ServiceThread",
    "until_stopped",
    "validated_text",
]

READ = scope("notes:read")
WRITE = scope("notes:write")

MAX_TEXT = 1 << 20
"""Bytes of UTF-8 in one note."""
MAX_IMPORT = 16 << 20
"""Bytes of UTF-8 in one import; it is stored whole or not at all, so it is held until its end."""
_LOOK_AGAIN = 0.25
"""Seconds after which a watcher looks for notes that another process wrote."""

T = TypeVar("T")


class InvalidNoteError(ValueError):
    """An invalid note; the text says what a note must be."""


class ProtectedService:
    """Access, whoami and notes."""

    def __init__(self, store: NoteStore) -> None:
        self.store = store

    def access(self) -> str:
        """For any caller with a valid token."""
        return "Access granted"

    def whoami(self, principal: Principal) -> dict[str, Any]:
        """The claims of the caller's token."""
        return principal.to_dict()

    def notes(self) -> list[Note]:
        """All notes."""
        return self.store.after(0)

    def add_note(self, principal: Principal, text: str) -> Note:
        """Store one note; an empty text is a valid one. Raises `InvalidNoteError`."""
        (note,) = self.store.add(_author(principal), [validated_text(text)])
        return note

    def import_notes(self, principal: Principal, texts: Iterable[str]) -> int:
        """Store all of these or none; returns how many. Raises `InvalidNoteError`."""
        return len(self.store.add(_author(principal), [validated_text(text) for text in texts]))

    def last(self) -> int:
        """Where a watcher that starts now begins."""
        return self.store.last()

    def watch(self, last: int, going_on: Callable[[], bool]) -> Iterator[Note]:
        """Each note after `last`, as it comes, while `going_on()` is true; blocks."""
        news = threading.Event()
        with self.store.listening(news.set):
            while going_on():
                news.clear()
                for note in self.store.after(last):
                    last = note.id
                    yield note
                news.wait(_LOOK_AGAIN)


class ServiceThread:
    """The service for an event loop: the database is only ever touched in one thread of its own."""

    def __init__(self, service: ProtectedService) -> None:
        self.service = service
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="notes")

    async def do(self, call: Callable[..., T], *values: Any) -> T:
        """`call(*values)` in the thread: `await service_thread.do(service.add_note, principal, text)`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *values)

    async def watch(self, last: int) -> AsyncGenerator[Note, None]:
        """Each note after `last`, as it comes, without end."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        patience = _LOOK_AGAIN if self.service.store.shared else None

        def wake() -> None:
            loop.call_soon_threadsafe(news.set)

        with self.service.store.listening(wake):
            while True:
                news.clear()
                for note in await self.do(self.service.store.after, last):
                    last = note.id
                    yield note
                try:
                    async with asyncio.timeout(patience):
                        await news.wait()
                except TimeoutError:
                    continue

    def close(self) -> None:
        """End the thread and close the notes."""
        self._thread.shutdown()
        self.service.store.close()


async def until_stopped(stopping: asyncio.Event, items: AsyncIterator[T]) -> AsyncIterator[T]:
    """The items as they come, until there are no more or `stopping` is set: a server stops without cancelling tasks."""
    stop = asyncio.ensure_future(stopping.wait())
    following: asyncio.Future[T | None] | None = None
    try:
        while True:
            following = asyncio.ensure_future(_next(items))
            await asyncio.wait((following, stop), return_when=asyncio.FIRST_COMPLETED)
            if not following.done() or (item := following.result()) is None:
                return
            yield item
    finally:
        waiting = [future for future in (stop, following) if future is not None]
        for future in waiting:
            future.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


class ImportBatch:
    """Collects the texts of one import, within bounds."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._size = 0

    def add(self, text: str) -> None:
        """One more text; raises `InvalidNoteError`."""
        # An empty text takes room too, so that no number of them is free.
        self._size += len(validated_text(text).encode()) + 64
        if self._size > MAX_IMPORT:
            raise InvalidNoteError(f"an import must not be larger than {MAX_IMPORT} bytes")
        self.texts.append(text)


def validated_text(text: object) -> str:
    """The text of a note; raises `InvalidNoteError` for what cannot be one."""
    if not isinstance(text, str):
        raise InvalidNoteError("text must be a string")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidNoteError("text must be Unicode without lone surrogates") from None
    if size > MAX_TEXT:
        raise InvalidNoteError(f"text must not be longer than {MAX_TEXT} bytes")
    return text


async def _next(items: AsyncIterator[T]) -> T | None:
    # None for the end: a task that raises StopAsyncIteration is one more exception to look after.
    return await anext(items, None)


def _author(principal: Principal) -> str:
    return principal.subject or principal.client_id or principal.issuer
