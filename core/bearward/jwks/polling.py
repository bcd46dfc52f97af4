"""Noticing changes from outside: what another process fetched, and sources that changed.

Rule of this file: one request for all issuers at each interval, for short version texts and not for documents, which
are read if a version changed; a cache or a source that fails or hangs is asked again next time, and delays nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from bearward.bug_reports import report_bug
from bearward.cache.client import CacheError, SharedCache
from bearward.jwks.issuer_keys import IssuerKeys
from bearward.jwks.stored_entry import MAX_VERSION

__all__ = ["poll_for_changes"]

_log = logging.getLogger("bearward.jwks")

_MAX_ISSUERS = 256


async def poll_for_changes(issuers: Callable[[], Iterable[IssuerKeys]], cache: SharedCache, interval: float) -> None:
    """Poll every `interval` seconds, forever. `issuers` returns the most recently used first."""
    asking: set[IssuerKeys] = set()
    async with asyncio.TaskGroup() as group:
        while True:
            await asyncio.sleep(interval)
            polled = [keys for keys, _ in zip(issuers(), range(_MAX_ISSUERS), strict=False)]
            for keys in polled:
                if keys.refresher.is_change_aware and keys not in asking:
                    asking.add(keys)
                    group.create_task(_poll_source(keys, asking))
            await _log_failures(_poll_versions(polled, cache))


async def _poll_source(keys: IssuerKeys, asking: set[IssuerKeys]) -> None:
    """In its own task: a source that hangs or fails holds up neither the cache nor another issuer."""
    try:
        await _log_failures(keys.refresh_if_changed())
    finally:
        asking.discard(keys)


async def _log_failures(poll: Coroutine[Any, Any, None]) -> None:
    """Await it, and log what it raises: there is a next time."""
    try:
        await poll
    except CacheError:  # logged by the cache itself
        pass
    except Exception as exc:  # noqa: BLE001  (a custom source may raise anything; it is logged, and polling continues)
        report_bug(_log, "polling for new keys failed in an unexpected way", exc)


async def _poll_versions(polled: list[IssuerKeys], cache: SharedCache) -> None:
    fleets = [(keys, keys.fleet) for keys in polled]
    shared = [(keys, fleet) for keys, fleet in fleets if fleet is not None]
    if not shared:
        return
    versions = await cache.get([fleet.version_key for _, fleet in shared], max_bytes=MAX_VERSION)
    for (keys, fleet), version in zip(shared, versions, strict=True):
        if version is None or version == fleet.last_version or fleet.is_pausing:
            continue
        entry = await fleet.newer_than(keys.entry)
        fleet.last_version = version
        if entry is not None:
            keys.accept(entry)
