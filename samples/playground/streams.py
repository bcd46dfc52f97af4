"""Streams that the playground opens with a token, to see them end with it.

Rules of this file: it is a client like any other. What a stream's end is called is what the server said: the event of an
event stream, the close frame of a websocket, the status and trailers of a call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import grpc
import grpc.aio
import httpx2
import websockets
from websockets.asyncio.client import connect

from samples.playground.minting import InvalidInputError, parts_of
from samples.playground.scene import Scene
from samples.playground.sending import Sender, Target
from samples.v1 import sample_pb2 as messages

__all__ = ["KINDS", "Streams"]

KINDS = ("event stream", "websocket", "grpc.aio WatchNotes", "grpc.server WatchNotes")
_MAX_OPEN = 32
_MAX_SHOWN = 40


@dataclass(slots=True)
class Stream:
    """One stream; `expires` is its token's `exp` in seconds since the epoch, None if that cannot be read."""

    number: int
    kind: str
    opened: float
    expires: float | None
    state: str = "opening"
    received: int = 0
    end: str = ""
    ended: float | None = None


class Streams:
    """The open streams and those that ended last; used on one event loop."""

    def __init__(self, scene: Scene, sender: Sender, changed: Callable[[], Awaitable[None]]) -> None:
        self._scene = scene
        self._sender = sender
        self._changed = changed
        self._number = 0
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._streams: dict[int, Stream] = {}

    def snapshot(self) -> list[dict[str, Any]]:
        """For the page, newest first."""
        return [asdict(stream) for stream in sorted(self._streams.values(), key=lambda one: -one.number)]

    async def open(self, kind: str, token: str) -> None:
        """Open one more; raises `InvalidInputError`."""
        if kind not in KINDS:
            raise InvalidInputError(f"kind must be one of {', '.join(KINDS)}")
        if not token or not all("!" <= character <= "~" for character in token):
            raise InvalidInputError("token must be there to open a stream with: mint one or paste one")
        if len(self._tasks) >= _MAX_OPEN:
            raise InvalidInputError(f"streams must be no more than {_MAX_OPEN}: close some first")
        self._number += 1
        expires = (parts_of(token).claims or {}).get("exp")
        known = float(expires) if isinstance(expires, int | float) else None
        stream = self._streams[self._number] = Stream(self._number, kind, time.time(), known)
        self._tasks[stream.number] = asyncio.create_task(self._run(stream, token), name=f"stream {stream.number}")
        await self._changed()

    async def close_all(self) -> None:
        """Close all that are open, as a client does that has seen enough, and forget those that ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._streams.clear()
        await self._changed()

    async def _run(self, stream: Stream, token: str) -> None:
        try:
            follow = {"event stream": self._event_stream, "websocket": self._websocket}.get(stream.kind, self._watch)
            stream.end = await follow(stream, token)
        except (httpx2.HTTPError, OSError, websockets.WebSocketException) as error:
            stream.end = f"broken: {type(error).__name__}"
        finally:
            stream.state, stream.ended = "ended", time.time()
            self._tasks.pop(stream.number, None)
            self._forget_the_oldest()
            await self._changed()

    async def _event_stream(self, stream: Stream, token: str) -> str:
        fields = self._sender.fields(Target("sanic", "GET", "/notes/stream"), token)
        end = "closed by the server"
        async with (
            httpx2.AsyncClient(base_url=self._scene.http, timeout=None, trust_env=False) as client,
            client.stream("GET", "/notes/stream", headers=fields) as response,
        ):
            if response.status_code != 200:
                await response.aread()
                return f"refused: {response.status_code} {response.json().get('code', '')}"
            await self._is_open(stream)
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    end = line.removeprefix("event: ")
                elif line.startswith("data: ") and end == "closed by the server":
                    await self._received(stream)
        return end

    async def _websocket(self, stream: Stream, token: str) -> str:
        url = f"ws{self._scene.http.removeprefix('http')}/notes/ws"
        fields = self._sender.fields(Target("sanic", "GET", "/notes/ws"), token)
        try:
            async with connect(url, additional_headers=fields, proxy=None) as socket:
                await self._is_open(stream)
                while True:
                    await socket.recv()
                    await self._received(stream)
        except websockets.InvalidStatus as refused:
            return f"refused: {refused.response.status_code}"
        except websockets.ConnectionClosed as closed:
            return "broken" if closed.rcvd is None else f"{closed.rcvd.code} {closed.rcvd.reason}".strip()

    async def _watch(self, stream: Stream, token: str) -> str:
        server = stream.kind.partition(" ")[0]
        path = "/bearward.sample.v1.ProtectedService/WatchNotes"
        call = self._sender.stubs[server].WatchNotes(
            messages.WatchNotesRequest(), metadata=tuple(self._sender.fields(Target(server, "POST", path), token))
        )
        try:
            await call.initial_metadata()
            await self._is_open(stream)
            async for _ in call:
                await self._received(stream)
        except grpc.aio.AioRpcError as error:
            trailers: dict[Any, Any] = dict(error.trailing_metadata() or ())
            return f"{error.code().name} {trailers.get('bearward-code', '')}".strip()
        finally:
            call.cancel()
        return "closed by the server"

    async def _is_open(self, stream: Stream) -> None:
        stream.state = "open"
        await self._changed()

    async def _received(self, stream: Stream) -> None:
        stream.received += 1
        await self._changed()

    def _forget_the_oldest(self) -> None:
        for number in list(self._streams)[:-_MAX_SHOWN]:
            if number not in self._tasks:
                with suppress(KeyError):
                    del self._streams[number]
