"""An aiomcache client over a unix socket: aiomcache knows TCP only, and asks its pool for connections."""

from __future__ import annotations

import asyncio

import aiomcache
from aiomcache.pool import Connection, MemcachePool

__all__ = ["UnixSocketClient"]

_POOL_SIZE = 2


class UnixSocketClient(aiomcache.Client):
    """As `aiomcache.Client`, connected to `path`."""

    def __init__(self, path: str) -> None:
        super().__init__(path, pool_size=_POOL_SIZE)
        self._pool = _UnixSocketPool(path)


class _UnixSocketPool(MemcachePool):
    def __init__(self, path: str) -> None:
        super().__init__(path, 0, minsize=1, maxsize=_POOL_SIZE)
        self._path = path

    async def _create_new_conn(self) -> Connection | None:
        if self.size() >= self._maxsize:
            return None
        return Connection(*await asyncio.open_unix_connection(self._path))
