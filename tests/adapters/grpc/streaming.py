"""Streams for the tests: handlers of every form, and what one has to know about each."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import grpc.aio

from bearward.testing import LocalIssuer
from bearward_grpc import current_principal, reauthenticate, reauthenticate_blocking
from tests.adapters.grpc.servers import Running, Seen

FIRST = b"first"
Behaviors = dict[str, Callable[..., Any]]


class StreamControls:
    """What the handlers report to the test, and the other way round."""

    def __init__(self) -> None:
        self.finished = threading.Event()
        self.waiting = threading.Event()
        self.cancelled = threading.Event()
        self.release = threading.Event()

    @contextlib.contextmanager
    def controls(self) -> Iterator[None]:
        """Around a handler's body: records that its `finally` ran."""
        try:
            yield
        finally:
            self.finished.set()

    def async_handlers(self, _: Seen) -> Behaviors:
        """For grpc.aio."""
        return {name: getattr(self, name) for name in dir(self) if name[:2] in {"US", "SU", "SS"}}

    async def US_idle(self, _: bytes, context: Any) -> AsyncIterator[bytes]:  # noqa: N802
        with self.controls():
            yield FIRST
            await asyncio.Event().wait()

    async def US_fast(self, _: bytes, context: Any) -> AsyncIterator[bytes]:  # noqa: N802
        with self.controls():
            yield FIRST
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0)

    async def US_short(self, _: bytes, context: Any) -> AsyncIterator[bytes]:  # noqa: N802
        with self.controls():
            yield FIRST

    async def US_own_timeout(self, _: bytes, context: Any) -> AsyncIterator[bytes]:  # noqa: N802
        with self.controls():
            yield FIRST
            raise TimeoutError

    async def US_own_abort(self, _: bytes, context: Any) -> AsyncIterator[bytes]:  # noqa: N802
        with self.controls():
            yield FIRST
            await context.abort(grpc.StatusCode.DATA_LOSS, "its own")

    async def US_stubborn(self, _: bytes, context: Any) -> AsyncIterator[bytes]:  # noqa: N802
        with self.controls():
            yield FIRST
            try:
                self.waiting.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
            await asyncio.get_running_loop().run_in_executor(None, self.release.wait, 30)
            yield b"never to be seen"

    async def US_writer(self, _: bytes, context: Any) -> None:  # noqa: N802
        with self.controls():
            await context.write(FIRST)
            await asyncio.Event().wait()

    async def US_fast_writer(self, _: bytes, context: Any) -> None:  # noqa: N802
        with self.controls():
            await context.write(FIRST)
            while True:
                await context.write(b"x" * 1000)

    async def US_writing_tasks(self, _: bytes, context: Any) -> None:  # noqa: N802
        async def write() -> None:
            while True:
                await context.write(b"x" * 1000)
                await asyncio.sleep(0)

        with self.controls():
            await context.write(FIRST)
            await asyncio.gather(write(), asyncio.Event().wait())

    async def SS_echo(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:  # noqa: N802
        with self.controls():
            yield FIRST
            async for request in requests:
                yield request

    async def SS_reader(self, _: Any, context: Any) -> None:  # noqa: N802
        with self.controls():
            await context.write(FIRST)
            while (request := await context.read()) is not grpc.aio.EOF:
                await context.write(request)

    async def SS_reauthenticating(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:  # noqa: N802
        with self.controls():
            yield FIRST
            async for token in requests:
                await reauthenticate(token.decode())
                yield _token_id()

    async def SU_idle(self, requests: AsyncIterator[bytes], context: Any) -> bytes:  # noqa: N802
        with self.controls():
            await context.send_initial_metadata((("first", "yes"),))
            return b",".join([request async for request in requests])


class SyncStreamControls(StreamControls):
    """The same with plain functions, for grpc.server and for the pool of grpc.aio."""

    def US_fast(self, _: bytes, context: Any) -> Iterator[bytes]:  # type: ignore[override]  # noqa: N802
        with self.controls():
            yield FIRST
            while True:
                yield b"x" * 1000
                time.sleep(0.001)

    def US_idle(self, _: bytes, context: Any) -> Iterator[bytes]:  # type: ignore[override]  # noqa: N802
        with self.controls():
            yield FIRST
            self.release.wait(30)
            yield b"never to be seen"

    def US_short(self, _: bytes, context: Any) -> Iterator[bytes]:  # type: ignore[override]  # noqa: N802
        with self.controls():
            yield FIRST

    def SS_echo(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:  # type: ignore[override]  # noqa: N802
        with self.controls():
            yield FIRST
            yield from requests

    def SS_reauthenticating(  # type: ignore[override]  # noqa: N802
        self, requests: Iterator[bytes], context: Any
    ) -> Iterator[bytes]:
        with self.controls():
            yield FIRST
            for token in requests:
                reauthenticate_blocking(token.decode())
                yield _token_id()

    def SU_idle(self, requests: Iterator[bytes], context: Any) -> bytes:  # type: ignore[override]  # noqa: N802
        with self.controls():
            context.send_initial_metadata((("first", "yes"),))
            return b",".join(requests)

    def sync_handlers(self, _: Seen) -> Behaviors:
        """Only those that are plain functions."""
        return {name: getattr(self, name) for name in vars(SyncStreamControls) if name[:2] in {"US", "SU", "SS"}}


def revoke(server: Running, issuer: LocalIssuer, token_id: str) -> None:
    """Revoke the token with this `jti`."""
    server.verifier.revocations.revoke_token(issuer.url, token_id, until=time.time() + 3600)


def watched(server: Running) -> int:
    """How many streams the verifier watches at this moment, asked on its own loop."""

    async def count() -> int:
        await asyncio.sleep(0)
        return len(server.verifier._watches)

    number: int = server.on_loop(count())
    return number


def until_unwatched(server: Running) -> None:
    """Wait until no stream is watched any more; a leak is a timeout of the test."""
    deadline = time.monotonic() + 30
    while watched(server):
        if time.monotonic() > deadline:
            raise TimeoutError("a watch was left behind")


def _token_id() -> bytes:
    principal = current_principal()
    return (principal.token_id or "").encode() if principal is not None else b"nobody"
