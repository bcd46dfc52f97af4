"""The few Redis commands that a shared cache of texts needs, bypassing aiocache's serializers.

Rules of this file: a backend passed in by a user may have any serializer, but texts are stored and read unchanged; its
namespace is kept. The number of octets read of a value is bounded: whoever can write to the cache can store half a
gigabyte under our keys, and every process would fetch it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["add", "delete_if", "get", "is_redis", "put"]

_RELEASE = "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end"


def is_redis(backend: Any) -> bool:
    """Whether `backend` is aiocache's Redis backend."""
    return hasattr(backend, "RELEASE_SCRIPT")


async def get(backend: Any, keys: Sequence[str], max_bytes: int) -> list[Any]:
    """What is stored under `keys`, None for nothing and for what is no text; in one round trip.

    Of a value that is longer than `max_bytes` one octet more is read, and so it is seen that it is.
    """
    async with backend.client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.exists(backend.build_key(key))
            pipeline.getrange(backend.build_key(key), 0, max_bytes)
        answers = await pipeline.execute(raise_on_error=False)
    for answer in answers:
        if isinstance(answer, Exception) and not str(answer).startswith("WRONGTYPE"):
            raise answer
    pairs = zip(answers[::2], answers[1::2], strict=True)
    return [value if there and not isinstance(value, Exception) else None for there, value in pairs]


async def put(backend: Any, key: str, value: str, ttl: int) -> None:
    """Store a text for `ttl` seconds."""
    await backend.raw("set", backend.build_key(key), value, ex=ttl, timeout=0)


async def add(backend: Any, key: str, value: str, ttl: int) -> bool:
    """Store a text for `ttl` seconds unless there is something already. Whether it was stored."""
    return bool(await backend.raw("set", backend.build_key(key), value, ex=ttl, nx=True, timeout=0))


async def delete_if(backend: Any, key: str, value: str) -> None:
    """Delete what is stored if it is `value`, in one step."""
    await backend.raw("eval", _RELEASE, 1, backend.build_key(key), value, timeout=0)
