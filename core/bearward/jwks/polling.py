"""Noticing from outside: what another process fetched, and files that changed.

Rule of this file: one question for all issuers at each interval, for short stamps and not for documents; a cache or a
file that fails or hangs is asked again when it can be, and costs nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from bearward.cache.client import CacheError, SharedCache
from bearward.jwks.issuer_keys import IssuerKeys

__all__ = ["watch"]

_log = logging.getLogger("bearward.jwks")

_MOST = 256


async def watch(issuers: Callable[[], Iterable[IssuerKeys]], cache: SharedCache, interval: float) -> None:
    """Look every `interval` seconds, for ever. `issuers` answers the most recently used first."""
    looking: set[IssuerKeys] = set()
    async with asyncio.TaskGroup() as group:
        while True:
            await asyncio.sleep(interval)
            watched = [keys for keys, _ in zip(issuers(), range(_MOST), strict=False)]
            for keys in watched:
                if keys.watched and keys not in looking:
                    looking.add(keys)
                    group.create_task(_look_at_source(keys, looking))
            await _survive(_look_at_stamps(watched, cache))


async def _look_at_source(keys: IssuerKeys, looking: set[IssuerKeys]) -> None:
    """In a task of its own: a source that hangs or fails holds up neither the cache nor another issuer."""
    try:
        await _survive(keys.refresh_if_changed())
    finally:
        looking.discard(keys)


async def _survive(look: Coroutine[Any, Any, None]) -> None:
    """Let it fail: there is a next time."""
    try:
        await look
    except CacheError:  # is told by the cache itself
        pass
    except Exception:  # noqa: BLE001  (a custom source may raise anything; it is logged, and we go on)
        _log.exception("watching for new keys failed in an unexpected way")


async def _look_at_stamps(watched: list[IssuerKeys], cache: SharedCache) -> None:
    shared = [(keys, keys.fleet) for keys in watched]
    named = [(keys, fleet) for keys, fleet in shared if fleet is not None]
    if not named:
        return
    stamps = await cache.get([fleet.stamp_name for _, fleet in named])
    for (keys, fleet), stamp in zip(named, stamps, strict=True):
        if stamp is None or stamp == fleet.seen:
            continue
        entry = await fleet.newer_than(keys.entry)
        fleet.seen = stamp
        if entry is not None:
            keys.adopt(entry)
