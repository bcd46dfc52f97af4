"""One call over each transport, to the method that any valid token may use: `ok`, or the code of the refusal."""

from __future__ import annotations

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
        self._channel = grpc.aio.insecure_channel(servers["grpc"])
        self._stub: Any = ProtectedServiceStub(self._channel)  # the types know it for a channel that blocks
        self.calls = {"http": self._over_http, "grpc": self._over_grpc}

    async def _over_http(self, token: str) -> str:
        try:
            answer = await self._http.get("/protected", headers={"authorization": f"Bearer {token}"})
        except httpx2.HTTPError as error:
            return f"broken: {type(error).__name__}"
        return OK if answer.status_code == 200 else str(answer.json()["code"])

    async def _over_grpc(self, token: str) -> str:
        try:
            await self._stub.Access(
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
        await self._channel.close()
