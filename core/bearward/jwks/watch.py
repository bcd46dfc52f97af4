"""Noticing from outside: what another process fetched, and files that changed.

Rule of this file: one question for all issuers at each interval, for short stamps and not for documents; a cache or a
file that fails is asked again the next time and costs nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from bearward.jwks.issuer_keys import IssuerKeys
from bearward.jwks.runtime import logger
from bearward.jwks.shared_cache import CacheError, SharedCache

__all__ = ["watch"]

_MOST = 256


async def watch(issuers: Callable[[], Iterable[IssuerKeys]], cache: SharedCache, interval: float) -> None:
    """Look every `interval` seconds, for ever. `issuers` answers the most recently used first."""
    while True:
        await asyncio.sleep(interval)
        try:
            watched = [keys for keys, _ in zip(issuers(), range(_MOST), strict=False)]
            await _look_at_stamps(watched, cache)
            for keys in watched:
                await keys.refresh_if_changed()
        except CacheError:
            continue
        except Exception:  # noqa: BLE001  (a custom source may raise anything; it is logged, and we go on)
            logger.exception("watching for new keys failed in an unexpected way")


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
