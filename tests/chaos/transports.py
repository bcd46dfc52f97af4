"""One call over each transport, to the method that any valid token may use: `ok`, or the code of the refusal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

import grpc
import httpx2

from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub

__all__ = ["OK", "Transports"]

OK = "ok"
_TIMEOUT = 20.0


class Transports:
    """Clients of both servers. A call that gets no answer is `broken: …`."""

    def __init__(self, servers: dict[str, str]) -> None:
        limits = httpx2.Limits(max_connections=32, max_keepalive_connections=32)
        self._http = httpx2.AsyncClient(base_url=f"http://{servers['http']}", timeout=_TIMEOUT, limits=limits)
        self._channels = {name: grpc.aio.insecure_channel(servers[name]) for name in servers if name != "http"}
        stubs: dict[str, Any] = {name: ProtectedServiceStub(channel) for name, channel in self._channels.items()}
        self.calls: dict[str, Callable[[str], Awaitable[str]]] = {"http": self._over_http}
        self.calls |= {name: partial(self._over_grpc, stub) for name, stub in stubs.items()}

    async def _over_http(self, token: str) -> str:
        try:
            answer = await self._http.get("/protected", headers={"authorization": f"Bearer {token}"})
        except httpx2.HTTPError as error:
            return f"broken: {type(error).__name__}"
        return OK if answer.status_code == 200 else str(answer.json()["code"])

    @staticmethod
    async def _over_grpc(stub: Any, token: str) -> str:
        try:
            await stub.Access(
                messages.AccessRequest(), metadata=(("authorization", f"Bearer {token}"),), timeout=_TIMEOUT
            )
        except grpc.aio.AioRpcError as error:
            trailers = {name: value for name, value in error.trailing_metadata() or ()}  # noqa: C416  (dict() fails on grpcio 1.66)
            return str(trailers.get("bearward-code", f"broken: {error.code().name}"))
        return OK

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()
        for channel in self._channels.values():
            await channel.close()
