"""Connections to one issuer, in two pools: to URLs that the operator configured, and to URLs that a document named.

Rules of this file: the second pool has no client certificate, and connects to a private network only if the document
came from there. Pools belong to one event loop; they are created again when one of their files changed, and a file that
cannot be read leaves the last good pools in use, with one line in the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import ssl
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.settings import HTTPSettings
from bearward.fetch.tls import context_of, default_context, versions_of
from bearward.file_versions import FileVersion
from bearward.forks import keep_for_parent, no_fork, on_fork

if TYPE_CHECKING:
    import httpcore2

    from bearward.fetch.network import GuardedBackend

__all__ = ["PoolKeeper", "Pools"]

_log = logging.getLogger("bearward.fetch")


@dataclass(frozen=True, slots=True)
class Pools:
    """The two connection pools, and the guard that both connect through."""

    configured: httpcore2.AsyncConnectionPool
    discovered: httpcore2.AsyncConnectionPool
    backend: GuardedBackend
    """Checks the addresses of both; knows in which network each host was reached."""
    versions: tuple[FileVersion, ...]

    async def aclose(self) -> None:
        """Close the connections."""
        for pool in (self.configured, self.discovered):
            await pool.aclose()


class PoolKeeper:
    """Makes the pools at the first fetch on a loop, and again when files changed."""

    def __init__(self, settings: HTTPSettings) -> None:
        self._settings = settings
        self._pools: Pools | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unusable: tuple[FileVersion, ...] | None = None
        on_fork(self)

    async def get(self) -> Pools:
        """The pools of the running loop; those of a loop that ended can be neither used nor closed."""
        pools = self._pools if self._loop is asyncio.get_running_loop() else None
        self._pools = await asyncio.to_thread(self._renewed, pools)
        self._loop = asyncio.get_running_loop()
        return self._pools

    def forget_parent(self) -> None:
        """In a forked child: the connections are the parent's."""
        keep_for_parent(self._pools)
        self._pools = None

    async def aclose(self) -> None:
        """Close the connections."""
        pools, self._pools = self._pools, None
        if pools is not None and self._loop is asyncio.get_running_loop():
            await pools.aclose()

    def _renewed(self, pools: Pools | None) -> Pools:
        """Runs in a thread: reading certificates from disk blocks, and so does importing the transport."""
        versions = versions_of(self._settings)
        if pools is not None and pools.versions == versions:
            self._recovered("TLS files are as they were, and can be used again")
            return pools
        try:
            with no_fork:
                made = _make_pools(self._settings, versions)
        except (OSError, ValueError) as exc:  # ssl.SSLError is an OSError
            if pools is None:
                raise FetchError(FetchFailure.FILE, detail=_which_file(self._settings, exc)) from exc
            if versions != self._unusable:
                self._unusable = versions
                _log.warning(
                    "TLS files changed and cannot be used, the last good ones stay in use: %s",
                    _which_file(self._settings, exc),
                )
            return pools
        # no connection is kept alive, so nothing of the old pools has to be closed
        if not self._recovered("TLS files can be used again, and were read") and pools is not None:
            _log.info("TLS files changed and were read again")
        return made

    def _recovered(self, message: str) -> bool:
        """Whether the files could not be used until now: the end of a warning is a warning, so that both are seen."""
        failed, self._unusable = self._unusable is not None, None
        if failed:
            _log.warning(message)
        return failed


def _make_pools(settings: HTTPSettings, versions: tuple[FileVersion, ...]) -> Pools:
    _import_transport()
    import httpcore2

    from bearward.fetch.network import ClosingBackend, GuardedBackend

    backend = GuardedBackend(unsafe_allow_private=settings.unsafe_allow_private_addresses)

    def pool(*, with_certificate: bool) -> httpcore2.AsyncConnectionPool:
        return httpcore2.AsyncConnectionPool(
            ssl_context=context_of(settings, with_certificate=with_certificate),
            proxy=_proxy(settings.proxy) if settings.proxy is not None else None,
            max_connections=4,
            max_keepalive_connections=0,  # fetches are minutes apart
            # the operator chose the proxy, wherever it is; behind it the proxy resolves the names
            network_backend=backend if settings.proxy is None else ClosingBackend(),
        )

    return Pools(pool(with_certificate=True), pool(with_certificate=False), backend, versions)


@cache
def _import_transport() -> None:
    """All that a fetch needs, at once: anyio imports each of its parts when it is first used, which would be on the loop."""
    import encodings.idna  # noqa: F401  (what a look-up of a name imports, in a thread of its own)

    import anyio  # what httpcore2[asyncio] is written on

    # In a context of its own: where the program itself runs by anyio, sniffio would say that this thread does already.
    with contextlib.suppress(RuntimeError):  # then it is imported later
        contextvars.Context().run(anyio.run, anyio.sleep, 0.0)


def _proxy(url: str) -> httpcore2.Proxy:
    """The transport takes credentials and address separately (RFC 7617: user and password, in UTF-8)."""
    import httpcore2

    parts = urlsplit(url)
    auth = None
    if parts.username is not None:
        auth = unquote(parts.username).encode(), unquote(parts.password or "").encode()
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    context = default_context() if parts.scheme == "https" else None
    return httpcore2.Proxy(origin, auth=auth, ssl_context=context)


def _which_file(settings: HTTPSettings, error: Exception) -> str:
    """The setting whose file is at fault, found by trying each alone, and why."""
    for name in ("ca_file", "client_cert"):
        path = getattr(settings, name)
        if path is None:
            continue
        with contextlib.suppress(OSError, ValueError), no_fork:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if name == "ca_file":
                context.load_verify_locations(path)
            else:
                context.load_cert_chain(path, settings.client_key)
            continue
        also = " or client_key" if name == "client_cert" and settings.client_key is not None else ""
        return f"jwks_options.{name}{also} ({path}): {_reason(error)}"
    return _reason(error)


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
