"""A Sanic server within this process: a request is octets handed to its protocol, the response what it writes.

Rule of this file: nothing between the two but Sanic, asyncio and the guard; no socket, no client. So what a request takes
is what a server's own code takes, with the caches of the processor as a server leaves them.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from sanic import HTTPResponse, Request, Sanic
from sanic.response import json

from bearward import Verifier
from bearward_sanic import authenticated, install

__all__ = ["InPlace"]

Check = Callable[[str], object]


class _Transport(asyncio.Transport):
    """What the protocol writes to; it keeps nothing but the first octets of the last response."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.written = bytes(data[:12])

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """There is nothing to close."""

    abort = pause_reading = resume_reading = close

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is buffered."""

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """The one that it was made for."""


class InPlace:
    """A server whose handler runs `check` on the `Authorization` value first, or that is guarded by `verifier`."""

    _made = 0

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, check: Check | None = None, verifier: Verifier | None = None
    ) -> None:
        InPlace._made += 1
        self._loop = loop
        app: Sanic[Any, Any] = Sanic(f"footprint-{InPlace._made}", configure_logging=False)
        app.config.update(ACCESS_LOG=False, AUTO_EXTEND=False)
        app.config.TOUCHUP = InPlace._made == 1  # Sanic compiles its own classes, once for all servers of a process

        async def hello(request: Request) -> HTTPResponse:
            if check is not None:
                check(request.headers["authorization"])
            return json({"message": "Access granted"})

        app.add_route(hello, "/", methods=["GET"])
        if verifier is not None:
            install(app, verifier, default=authenticated)
        self._app = app
        loop.run_until_complete(self._start())

    async def _start(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))  # nobody connects
        server: Any = await self._app.create_server(sock=listener, return_asyncio_server=True)
        await server.startup()
        await server.before_start()
        await server.after_start()
        self._server = server
        self._protocol: Any = server.server._protocol_factory()  # noqa: SLF001  (asyncio names it nowhere else)
        self._transport = _Transport()
        self._protocol.connection_made(self._transport)
        await asyncio.sleep(0)

    async def answer(self, request: bytes) -> bytes:
        """The first octets of the response."""
        self._transport.written = b""
        self._protocol.data_received(request)
        while not self._transport.written:  # noqa: ASYNC110  (an event would be one more thing to measure)
            await asyncio.sleep(0)
        return self._transport.written

    def burst(self, requests: list[bytes]) -> None:
        """All of them, one after the other; raises where one is refused."""
        self._loop.run_until_complete(self._burst(requests))

    async def _burst(self, requests: list[bytes]) -> None:
        for request in requests:
            if await self.answer(request) != b"HTTP/1.1 200":
                raise RuntimeError("a request was refused")

    def stop(self) -> None:
        """Let go of everything."""
        self._loop.run_until_complete(self._stop())

    async def _stop(self) -> None:
        self._protocol.connection_lost(None)
        await self._server.before_stop()
        self._server.close()
        await self._server.after_stop()
