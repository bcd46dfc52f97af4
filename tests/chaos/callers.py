"""One call over HTTP, or over gRPC: `ok`, or how it was refused. Lean enough to flood a server with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

__all__ = ["METHOD", "OK", "TRANSPORTS", "Caller", "caller"]

OK = "ok"
METHOD = "/Flooded/Call"
TRANSPORTS = ("http", "grpc.aio", "grpc.server")
_TIMEOUT = 60.0
_CONNECTIONS = 16

Caller = Callable[[str], Awaitable[str]]


@asynccontextmanager
async def caller(transport: str, address: str) -> AsyncIterator[Caller]:
    """A caller of the server there, open while the context is."""
    async with (_over_http if transport == "http" else _over_grpc)(address) as call:
        yield call


@asynccontextmanager
async def _over_grpc(address: str) -> AsyncIterator[Caller]:
    async with grpc.aio.insecure_channel(address) as channel:
        method: Any = channel.unary_unary(METHOD)

        async def call(token: str) -> str:
            try:
                await method(b"", metadata=(("authorization", f"Bearer {token}"),), timeout=_TIMEOUT)
            except grpc.aio.AioRpcError as error:
                return error.code().name
            return OK

        yield call


@asynccontextmanager
async def _over_http(address: str) -> AsyncIterator[Caller]:
    """Kept connections of our own: a request line, a status line, and a body of the length that is told."""
    host, _, port = address.rpartition(":")
    idle: asyncio.LifoQueue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.LifoQueue()
    for _ in range(_CONNECTIONS):
        idle.put_nowait(await asyncio.open_connection(host, int(port)))

    async def call(token: str) -> str:
        reader, writer = await idle.get()
        try:
            writer.write(f"GET /call HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _TIMEOUT)
            await asyncio.wait_for(reader.readexactly(_length(head)), _TIMEOUT)
        except (OSError, EOFError, TimeoutError) as error:
            reader, writer = await asyncio.open_connection(host, int(port))
            return f"broken: {type(error).__name__}"
        finally:
            idle.put_nowait((reader, writer))
        status = head.split(b" ", 2)[1].decode()
        return OK if status == "200" else status

    yield call
    while not idle.empty():
        _, writer = idle.get_nowait()
        writer.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
