"""The check of addresses, between name resolution and connection (httpcore's network backend).

Rules of this file: a name is resolved once, every address is checked, and the connection goes to a checked address, so
that a second, different response of the name server (DNS rebinding) changes nothing. TLS still verifies the name. A
connection is closed whatever ends its handshake.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

import httpcore2

from bearward.fetch.addresses import Network, is_allowed, network_of
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.forks import on_fork

__all__ = ["ClosingBackend", "GuardedBackend", "discovered_in", "resolve_host"]

_MAX_LOOKUPS = 256
_MAX_HOSTS = 64


class _Lookups:
    """How many names may still be looked up at the same time; a forked child begins with all of them."""

    def __init__(self) -> None:
        self.free = threading.BoundedSemaphore(_MAX_LOOKUPS)
        on_fork(self)

    def forget_parent(self) -> None:
        """The threads that look names up are the parent's."""
        self.free = threading.BoundedSemaphore(_MAX_LOOKUPS)


_lookups = _Lookups()

discovered_in: ContextVar[Network | None] = ContextVar("discovered_in", default=None)
"""In the task of a request: where the document that named the URL is; None for a URL that the operator wrote."""

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class ClosingBackend(httpcore2.AnyIOBackend):
    """Closes a connection whose TLS handshake is cancelled; httpcore does so only if it fails.

    An issuer could otherwise keep one open for each fetch that was given up.
    """

    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore2.AsyncNetworkStream:
        """Connect."""
        return _ClosingStream(await super().connect_tcp(*args, **options))


class _ClosingStream(httpcore2.AsyncNetworkStream):  # the signatures are httpcore's
    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        try:
            # through an https proxy there is a second handshake, inside this one
            return _ClosingStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))
        except BaseException:
            await self.aclose()
            raise


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects by TCP to allowed addresses only."""

    def __init__(self, *, unsafe_allow_private: bool) -> None:
        self._unsafe_allow_private = unsafe_allow_private
        self._inner = ClosingBackend()
        self._reached: dict[str, Network] = {}

    def network_reached(self, host: str) -> Network | None:
        """The network that the last connection to `host` led to."""
        return self._reached.get(host.lower())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (the signature is httpcore's)
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolve, check, and connect to the first allowed address that responds."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError as exc:
            raise httpcore2.ConnectTimeout from exc
        share = None if timeout is None else timeout / len(addresses)
        for address in addresses[:-1]:
            with contextlib.suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                stream = await self._inner.connect_tcp(address, port, share, local_address, socket_options)
                return self._noted(stream, host, address)
        stream = await self._inner.connect_tcp(addresses[-1], port, share, local_address, socket_options)
        return self._noted(stream, host, addresses[-1])

    def _noted(self, stream: httpcore2.AsyncNetworkStream, host: str, address: str) -> httpcore2.AsyncNetworkStream:
        if len(self._reached) >= _MAX_HOSTS:
            self._reached.clear()
        self._reached[host.lower()] = network_of(address)
        return stream

    async def _resolve(self, host: str, port: int) -> list[str]:
        try:
            addresses = await resolve_host(host, port)
        except (OSError, UnicodeError) as exc:
            raise FetchError(FetchFailure.DNS, detail=getattr(exc, "strerror", None) or str(exc) or None) from exc
        allowed = [one for one in addresses if self._allows(one, host)]
        if not allowed:
            raise FetchError(FetchFailure.ADDRESS_REFUSED)
        return allowed

    def _allows(self, address: str, host: str) -> bool:
        return is_allowed(
            address, host=host, unsafe_allow_private=self._unsafe_allow_private, discovered_in=discovered_in.get()
        )

    async def sleep(self, seconds: float) -> None:
        """Part of the backend's interface: httpcore sleeps between retries, of which there are none here."""
        await asyncio.sleep(seconds)


async def resolve_host(host: str, port: int) -> list[str]:
    """The addresses of `host`, each once, in the order in which they should be tried.

    Raises:
        OSError: there are none, or too many names are being looked up.
        UnicodeError: `host` cannot be a name.
    """
    loop, free = asyncio.get_running_loop(), _lookups.free
    result: asyncio.Future[list[str]] = loop.create_future()

    def look_up() -> None:
        found: list[str] | Exception
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except Exception as exc:  # noqa: BLE001  (raised again where it is awaited)
            found = exc
        finally:
            free.release()
        with contextlib.suppress(RuntimeError):  # the loop is closed: no caller waits any more
            loop.call_soon_threadsafe(_deliver, result, found)

    if not free.acquire(blocking=False):
        raise OSError("too many names are being looked up")
    try:
        threading.Thread(target=look_up, name=f"bearward looks up {host[:64]}", daemon=True).start()
    except RuntimeError as exc:  # the system has no more threads
        free.release()
        raise OSError("no thread to look a name up") from exc
    return await result


def _deliver(result: asyncio.Future[list[str]], found: list[str] | Exception) -> None:
    if result.done():  # given up
        return
    if isinstance(found, Exception):
        result.set_exception(found)
    else:
        result.set_result(found)
