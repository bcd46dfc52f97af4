"""`memory://`: the cache that the verifiers of one event loop share, an aiocache backend with bounds.

Rules of this file: the number of texts is bounded, and the oldest is dropped first (aiocache's own memory backend has
no bound); an expired text is absent when it is read, without a timer that would keep its event loop alive.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from aiocache.base import BaseCache
from aiocache.serializers import NullSerializer

from bearward.clock import SystemClock
from bearward.forks import fork_safe

__all__ = ["forget_all", "process_cache"]

_MAX_TEXTS = 2048
_lock = fork_safe(threading.Lock())
_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, _ProcessCache] = WeakKeyDictionary()


def process_cache(loop: asyncio.AbstractEventLoop) -> Any:
    """The cache of `loop`; any thread may call."""
    with _lock:
        return _shared.setdefault(loop, _ProcessCache())


def forget_all() -> None:
    """Empty the caches of all loops: for tests that share a loop; any thread may call."""
    with _lock:
        for cache in tuple(_shared.values()):
            cache.forget()


class _ProcessCache(BaseCache):  # type: ignore[misc]
    """What the store needs of an aiocache backend, in memory. Times to live are seconds."""

    NAME = "memory"

    def __init__(self, max_texts: int = _MAX_TEXTS) -> None:
        super().__init__(serializer=NullSerializer(), timeout=None)
        self._max_texts = max_texts
        self._texts: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._monotonic = SystemClock().monotonic

    async def _get(self, key: str, encoding: str | None = None, _conn: object = None) -> str | None:
        text, until = self._texts.get(key, (None, 0.0))
        return text if self._monotonic() < until else None

    async def _multi_get(
        self,
        keys: Sequence[str],
        encoding: str | None = None,
        _conn: object = None,
    ) -> list[str | None]:
        return [await self._get(key, encoding) for key in keys]

    async def _set(self, key: str, value: str, ttl: float, _cas_token: object = None, _conn: object = None) -> bool:
        self._texts[key] = (value, self._monotonic() + ttl)
        self._texts.move_to_end(key)
        if len(self._texts) > self._max_texts:
            self._texts.popitem(last=False)
        return True

    async def _add(self, key: str, value: str, ttl: float, _conn: object = None) -> bool:
        if await self._get(key) is not None:
            raise ValueError("the key exists")  # as aiocache's backends say it
        return await self._set(key, value, ttl)

    async def _delete(self, key: str, _conn: object = None) -> int:
        return int(self._texts.pop(key, None) is not None)

    def forget(self) -> None:
        """Drop every text."""
        self._texts.clear()
