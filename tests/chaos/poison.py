"""Somebody who can write to the cache: plants its own key, again and again, and signs tokens with it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio

from bearward.testing import SigningKey
from tests.chaos.scene import Scene
from tests.chaos.traffic import Traffic

__all__ = ["poisoned"]


@asynccontextmanager
async def poisoned(scene: Scene, traffic: Traffic) -> AsyncIterator[None]:
    """While it is open, the cache holds the attacker's key set as often as the attacker manages to write it."""
    planted = SigningKey.generate("ES256")
    client = redis.asyncio.Redis(port=scene.cache.port)
    traffic.bad.append(lambda: scene.issuer.mint(key=planted))
    over = asyncio.Event()
    task = asyncio.create_task(_plant(client, scene, planted, over))
    try:
        yield
    finally:
        over.set()  # redis-py may swallow a cancellation, and the attack would never end
        await task
        await client.flushall()
        await client.aclose()
        traffic.bad.pop()


async def _plant(client: redis.asyncio.Redis, scene: Scene, planted: SigningKey, over: asyncio.Event) -> None:
    while not over.is_set():
        names = [name async for name in client.scan_iter("bearward:*:set")]
        for name in names:
            payload = {
                "format": 1,
                "issuer": scene.issuer.url,
                "fetched_at": time.time() + 5,
                "lifetime": 600,
                "tokens": 0,
                "document": json.dumps({"keys": [planted.public_jwk()]}),
            }
            await client.set(name, json.dumps({"payload": json.dumps(payload), "mac": "0" * 64}))
            await client.set(name.replace(b":set", b":at"), str(time.time()))
        await asyncio.sleep(0.05)
