"""What is done to a deployment that must cost no call: a rotated authority, and settings that are swapped.

Rule of this file: files are swapped as Kubernetes swaps them, and left as they were found.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from bearward.testing.tls import ThrowAwayAuthority
from tests.chaos.scene import MAX_AGE, Scene

__all__ = ["authority_rotated", "settings_swapped"]


@asynccontextmanager
async def _repeated(step: Callable[[int], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Step after step, until the end; one that is under way is finished."""
    stop = asyncio.Event()

    async def run() -> None:
        for number in count():
            if stop.is_set():
                return
            await step(number)

    task = asyncio.create_task(run())
    yield
    stop.set()
    await task


@asynccontextmanager
async def authority_rotated(scene: Scene) -> AsyncIterator[None]:
    """The issuer's certificate comes from one new authority after another; the bundle is ahead of it, and broken at times."""

    async def rotate(_: int) -> None:
        old, new = scene.issuer_ca, ThrowAwayAuthority()
        scene.mount({"ca.pem": old + new.ca_pem})
        await asyncio.sleep(MAX_AGE / 2)
        scene.present(new)
        scene.mount({"ca.pem": new.ca_pem})
        await asyncio.sleep(MAX_AGE / 2)
        scene.mount({"ca.pem": b"-----BEGIN CERTIFICATE-----\n"})
        await asyncio.sleep(MAX_AGE / 2)
        scene.mount({"ca.pem": new.ca_pem})

    async with _repeated(rotate):
        yield


@asynccontextmanager
async def settings_swapped(scene: Scene) -> AsyncIterator[None]:
    """Another issuer comes and goes, times change, and now and then the file cannot be used."""
    texts = _texts(scene.config)

    async def swap(_: int) -> None:
        scene.mount({"servers.toml": next(texts)})
        await asyncio.sleep(0.7)

    with contextlib.ExitStack() as undone:
        undone.callback(lambda: scene.mount({"servers.toml": scene.config.encode()}))
        async with _repeated(swap):
            yield


def _texts(config: str) -> Iterator[bytes]:
    other = '\n[[issuers]]\nissuer = "https://login.invalid"\naudience = "https://api.example"\n'
    while True:
        yield (config + other).encode()
        yield config.replace("cooldown = 1", "cooldown = 2").encode()
        yield config[: len(config) // 2].encode()
        yield config.replace("audience = ", "leeway = 1\naudience = ").encode()
