"""The address guard where it counts: between name resolution and connection (httpcore's network backend).

Rule of this file: a name is resolved once, each address is judged, and the connection goes to a judged address, so
that a second, different answer of the name server (DNS rebinding) changes nothing. TLS still verifies the name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import httpcore2

from bearward.jwks.addresses import is_allowed
from bearward.jwks.errors import FetchError, FetchFailure
from bearward.jwks.resolve import addresses_of

__all__ = ["GuardedBackend"]

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects by TCP to allowed addresses only."""

    def __init__(self, *, unsafe_allow_private: bool) -> None:
        self._unsafe_allow_private = unsafe_allow_private
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (the signature is httpcore's)
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve, judge, and connect to the first allowed address that answers."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError as exc:
            raise httpcore2.ConnectTimeout from exc
        share = None if timeout is None else timeout / len(addresses)
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(addresses[-1], port, share, local_address, socket_options)

    async def _resolve(self, host: str, port: int) -> list[str]:
        try:
            addresses = await addresses_of(host, port)
        except (OSError, UnicodeError) as exc:
            raise httpcore2.ConnectError from exc
        allowed = [one for one in addresses if self._allows(one, host)]
        if not allowed:
            raise FetchError(FetchFailure.ADDRESS_REFUSED)
        return allowed

    def _allows(self, address: str, host: str) -> bool:
        return is_allowed(address, host=host, unsafe_allow_private=self._unsafe_allow_private)

    async def sleep(self, seconds: float) -> None:
        """Part of the backend's interface: httpcore sleeps between retries, of which there are none here."""
        await asyncio.sleep(seconds)
