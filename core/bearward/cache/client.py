"""The aiocache boundary: a few operations on short texts, each within a time limit; every failure is a `CacheError`.

Rules of this file: whatever a cache does, callers get a value, None or a CacheError. After a failure the backend is
created again (a cancelled aiomcache call leaves a response in its connection, which the next call would read as its
own), and for a moment operations fail at once, so that a cache that hangs costs one time limit and not one for each
operation. aiocache's own lock works between coroutines only; a lease here is an `add` with a time to live. The caller
decides what a failure means: the log here names the cache and the cause.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from bearward.cache import redis as redis_texts
from bearward.cache.redis import is_redis
from bearward.cache.urls import BackendFactory
from bearward.clock import Clock
from bearward.errors import BearwardError
from bearward.forks import keep_for_parent, on_fork

__all__ = ["DISABLED_BY", "CacheError", "SharedCache", "is_disabled"]

_log = logging.getLogger("bearward.cache")

DISABLED_BY = "AIOCACHE_DISABLE"
"""aiocache's own switch: with `1` its backends do nothing and report success, so that nothing is ever stored."""

_TIME_SLICES = 5
_BUSY_WEIGHT = 0.2
_MAX_VALUE_BYTES = 1_048_576  # memcached's own bound
_MAX_TTL = 30 * 86_400  # memcached takes more for a date


def is_disabled() -> bool:
    """Whether aiocache is switched off by its environment variable; it reads that at each operation."""
    return os.environ.get(DISABLED_BY) == "1"


class CacheError(BearwardError):
    """The shared cache cannot be used at the moment."""


class SharedCache:
    """A cache that several processes share. `timeout` and `pause` are seconds; `purpose` names it in the log."""

    def __init__(
        self,
        make: BackendFactory,
        clock: Clock,
        *,
        timeout: float,
        pause: float = 1.0,
        local: bool = False,
        purpose: str = "keys",
    ) -> None:
        self._make = make
        self._purpose = purpose
        self.local: bool = local
        """Whether it is shared within the process only."""
        self._clock = clock
        self._timeout = timeout
        self._pause = pause
        self._client: _Client | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self._paused_until = -math.inf
        on_fork(self)
        self.state: str = "ok"
        """`ok`, or the class of the last failure while it lasts."""

    async def get(self, keys: Sequence[str], *, max_bytes: int = _MAX_VALUE_BYTES) -> list[str | None]:
        """The texts under `keys`, None if there is none; a longer one than `max_bytes` is given as an empty one.

        Redis sends no more of it than that; memcached cannot send a part of a value.
        """
        values = await self._do(lambda backend: _get(backend, list(keys), max_bytes))
        return [_text(value, max_bytes) for value in values]

    async def put(self, key: str, value: str, ttl: float) -> None:
        """Store `value` for at least `ttl` seconds."""
        await self._do(lambda backend: _set(backend, key, value, _whole_seconds(ttl)))

    async def add_if_absent(self, key: str, value: str, ttl: float) -> bool:
        """Store `value` for at least `ttl` seconds unless there is something already. Whether it was stored."""
        return bool(await self._do(lambda backend: _add(backend, key, value, _whole_seconds(ttl))))

    async def acquire_lease(self, key: str, owner: str, ttl: float) -> bool:
        """Acquire the lease `key` for at most `ttl` seconds; False if another owner holds it."""
        return await self.add_if_absent(key, owner, ttl)

    async def release_lease(self, key: str, owner: str) -> None:
        """Release the lease, if it is still `owner`'s."""
        await self._do(lambda backend: _delete_if(backend, key, owner))

    async def aclose(self) -> None:
        """Close the connections; the next operation makes new ones."""
        self._paused_until = -math.inf
        running = [task for task in self._running if task.get_loop() is asyncio.get_running_loop()]
        if running:  # each ends within its time limit
            await asyncio.wait(running)
        await self._discard(self._client)

    def forget_parent(self) -> None:
        """In a forked child: the connections are the parent's."""
        keep_for_parent(self._client, self._running)
        self._client, self._running = None, set()

    async def _do(self, operation: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        """Run one operation to its end, whatever becomes of the caller: half a call leaves half a connection."""
        if is_disabled():
            disabled = _DisabledError()
            self._failed(disabled)
            raise CacheError(self.state) from disabled
        if self._clock.monotonic() < self._paused_until:
            raise CacheError(self.state)
        task = asyncio.get_running_loop().create_task(self._run(operation))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        _consume_exception(task)  # if the caller is gone

    async def _run(self, operation: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        client = self._client
        if client is None or client.loop is not asyncio.get_running_loop():
            client = self._client = _Client()
        client.users += 1
        try:
            work = operation(await self._backend_of(client))
            # within the process only the process itself is slow
            result = await (work if self.local else _with_time_limit(self._timeout, work))
        except Exception as exc:
            self._failed(exc)
            client.discarded = True
            raise CacheError(self.state) from exc
        finally:
            client.users -= 1
            if client.discarded:
                await self._discard(client)
        if self.state != "ok":
            self.state = "ok"
            _log.warning("the shared cache of %s works again", self._purpose)  # as visible as the failure was
        return result

    async def _backend_of(self, client: _Client) -> Any:
        """The client's backend, created if need be: that imports and reads files, which is not the cache's time."""
        async with client.lock:
            if client.backend is None:
                client.backend = await asyncio.to_thread(self._make)
            return client.backend

    def _failed(self, error: Exception) -> None:
        cause = str(error) if isinstance(error, _DisabledError) else _cause(error)
        if self.state != cause:
            _log.warning("the shared cache of %s is failing: %s", self._purpose, cause)
        self.state = cause
        self._paused_until = self._clock.monotonic() + self._pause

    async def _discard(self, client: _Client | None) -> None:
        """Stop using a client; its last user closes it, so that no connection is left open."""
        if client is None:
            return
        if client is self._client:
            self._client = None
        client.discarded = True
        backend = client.backend
        if client.users == 0 and backend is not None and client.loop is asyncio.get_running_loop():
            client.backend = None
            with contextlib.suppress(Exception):
                async with asyncio.timeout(self._timeout):
                    await _close(backend)


class _Client:
    """A backend, and how many operations use it at the moment. It belongs to one event loop."""

    __slots__ = ("backend", "discarded", "lock", "loop", "users")

    def __init__(self) -> None:
        self.backend: Any = None
        self.loop = asyncio.get_running_loop()
        self.lock = asyncio.Lock()  # created once, however many come first together
        self.users = 0
        self.discarded = False


class _DisabledError(Exception):
    def __init__(self) -> None:
        super().__init__(f"switched off by the environment variable {DISABLED_BY}")


def _cause(error: Exception) -> str:
    return "timed out" if isinstance(error, TimeoutError) else type(error).__name__


async def _with_time_limit(seconds: float, work: Coroutine[Any, Any, Any]) -> Any:
    """The result of `work`; TimeoutError if the cache takes longer.

    Measured in slices: while many requests keep the event loop busy, a response may wait in the socket unread, and that is
    not the cache's fault. Between two slices the loop has polled its sockets; a slice in which it was late itself counts
    for little, since a first operation takes several round trips and each waits for its turn.
    """
    loop, left = asyncio.get_running_loop(), float(_TIME_SLICES)
    task, now = loop.create_task(work), loop.time()
    while left > 0.0:
        if (await asyncio.wait((task,), timeout=seconds / _TIME_SLICES))[0]:
            return task.result()
        before, now = now, loop.time()
        left -= 1.0 if now - before < 2.0 * seconds / _TIME_SLICES else _BUSY_WEIGHT
    task.cancel()
    await asyncio.wait((task,), timeout=seconds)  # a driver may swallow it, and ends when its socket does
    task.add_done_callback(_consume_exception)
    raise TimeoutError


def _consume_exception(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


async def _get(backend: Any, keys: list[str], max_bytes: int) -> Any:
    if is_redis(backend):
        return await redis_texts.get(backend, keys, max_bytes)
    values = await backend.multi_get(keys, timeout=0)
    if not isinstance(values, list | tuple) or len(values) != len(keys):  # a backend that is switched off, or broken
        raise TypeError("the backend does not return a value for each key")
    return values


async def _set(backend: Any, key: str, value: str, ttl: int) -> None:
    if is_redis(backend):
        await redis_texts.put(backend, key, value, ttl)
    else:
        await backend.set(key, value, ttl=ttl, timeout=0)


async def _add(backend: Any, key: str, value: str, ttl: int) -> bool:
    if is_redis(backend):
        return await redis_texts.add(backend, key, value, ttl)
    try:
        return bool(await backend.add(key, value, ttl=ttl, timeout=0))
    except ValueError:  # the key exists
        return False


async def _delete_if(backend: Any, key: str, value: str) -> None:
    if is_redis(backend):
        await redis_texts.delete_if(backend, key, value)
    elif _text(await backend.get(key, timeout=0), _MAX_VALUE_BYTES) == value:
        await backend.delete(key, timeout=0)


async def _close(backend: Any) -> None:
    """Aiocache calls a method of the Redis client that is deprecated."""
    close = getattr(getattr(backend, "client", None), "aclose", None)
    if close is not None:
        await close()
    else:
        await backend.close()


def _text(value: object, max_bytes: int) -> str | None:
    """A value that is no text counts as none: another program stored it. Of one that is too long nothing is used."""
    if isinstance(value, bytes | str) and len(value) > max_bytes:
        return ""
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return None
    return value if isinstance(value, str) else None


def _whole_seconds(ttl: float) -> int:
    """Memcached takes whole seconds; what never grows old (a key set from the configuration) is kept as long as may be."""
    return max(1, math.ceil(min(ttl, _MAX_TTL)))
