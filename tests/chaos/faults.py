"""The faults: what is done to the issuer, the cache or the servers, and how it is undone.

Rule of this file: a fault is an async context manager over the environment; while it is open the fault is there. Faults are
data: their name, and the function.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from bearward.testing import LocalIssuer, Request, Response
from tests.chaos.deployment import authority_rotated, settings_swapped
from tests.chaos.poison import poisoned
from tests.chaos.scene import MAX_AGE, Scene
from tests.chaos.traffic import Traffic

__all__ = ["FAULTS", "Environment", "Fault"]

_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Environment:
    """What a fault may touch, and how long it lasts, in seconds."""

    scene: Scene
    traffic: Traffic
    seconds: float


Fault = Callable[[Environment], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def _none(environment: Environment) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _down(environment: Environment) -> AsyncIterator[None]:
    environment.scene.issuer.down()
    yield
    environment.scene.issuer.up()


@asynccontextmanager
async def _slow(environment: Environment) -> AsyncIterator[None]:
    environment.scene.issuer.slow(1.5)
    yield
    environment.scene.issuer.slow(0)


@asynccontextmanager
async def _silent(environment: Environment) -> AsyncIterator[None]:
    environment.scene.issuer.hold()
    yield
    environment.scene.issuer.release()


def _answering(answer: Callable[[LocalIssuer], Response]) -> Fault:
    """The issuer answers requests for its keys with this instead."""

    @asynccontextmanager
    async def fault(environment: Environment) -> AsyncIterator[None]:
        issuer = environment.scene.issuer

        def respond(_: Request) -> Response:
            return answer(issuer)

        issuer.serve("/jwks", respond)
        yield
        issuer.serve("/jwks", None)

    return fault


def _trickle() -> Iterable[bytes]:
    while True:
        yield b" "
        time.sleep(0.1)


def _truth(issuer: LocalIssuer) -> bytes:
    return json.dumps(issuer.keys.jwks()).encode()


_turn = itertools.count()


def _half_published(issuer: LocalIssuer) -> Response:
    """A file that is being written while it is served: now half of it, now empty, now without its keys."""
    whole = _truth(issuer)
    return Response([whole[: len(whole) // 2], b"", b'{"keys": []}', b"{}"][next(_turn) % 4], 200, _JSON)


@asynccontextmanager
async def _changing(environment: Environment) -> AsyncIterator[None]:
    """Rotation after rotation, each key published for longer than `max_age` before it signs."""
    issuer, traffic = environment.scene.issuer, environment.traffic

    async def rotate() -> None:
        while True:
            issuer.publish_next()
            await asyncio.sleep(MAX_AGE + 1.5)
            traffic.signing_key = issuer.rotate()

    task = asyncio.create_task(rotate())
    yield
    task.cancel()
    await asyncio.wait([task])


@asynccontextmanager
async def _flood(environment: Environment) -> AsyncIterator[None]:
    """Forged tokens with random kids, as fast as they go."""

    async def flood() -> None:
        calls = list(environment.traffic.transports.calls.values())
        while True:
            await asyncio.gather(
                *(environment.traffic.bad_call(call, environment.traffic.forged_kid()) for call in calls * 5)
            )

    tasks = [asyncio.create_task(flood()) for _ in range(2)]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@asynccontextmanager
async def _cache_killed(environment: Environment) -> AsyncIterator[None]:
    environment.scene.cache.stop()
    yield
    environment.scene.cache.start()


@asynccontextmanager
async def _cache_silent(environment: Environment) -> AsyncIterator[None]:
    environment.scene.cache.hang()
    yield
    environment.scene.cache.go_on()


@asynccontextmanager
async def _cache_restarting(environment: Environment) -> AsyncIterator[None]:
    async def restart() -> None:
        while True:
            await asyncio.to_thread(environment.scene.cache.stop)
            await asyncio.sleep(0.5)
            await asyncio.to_thread(environment.scene.cache.start)
            await asyncio.sleep(0.5)

    task = asyncio.create_task(restart())
    yield
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(1)  # a thread may still be at it
    await asyncio.to_thread(environment.scene.cache.stop)
    await asyncio.to_thread(environment.scene.cache.start)


@asynccontextmanager
async def _all_down(environment: Environment) -> AsyncIterator[None]:
    async with _down(environment), _cache_killed(environment):
        yield


@asynccontextmanager
async def _flood_in_an_outage(environment: Environment) -> AsyncIterator[None]:
    async with _down(environment), _flood(environment):
        yield


FAULTS: dict[str, Fault] = {
    "none": _none,
    "issuer down": _down,
    "issuer slow (1.5 s)": _slow,
    "issuer silent": _silent,
    "trickling": _answering(lambda _: Response(_trickle(), 200, _JSON)),
    "error 500": _answering(lambda _: Response(b"oops", 500)),
    "garbage": _answering(lambda _: Response(bytes(range(256)) * 20, 200, _JSON)),
    "huge": _answering(lambda _: Response(itertools.repeat(b" " * 4096), 200, _JSON)),
    "redirecting": _answering(lambda _: Response(b"", 302, {"Location": "https://login.example/jwks"})),
    "an HTML page": _answering(lambda _: Response(b"<html>sign in</html>", 200, {"Content-Type": "text/html"})),
    "wrong content type": _answering(lambda issuer: Response(_truth(issuer), 200, {"Content-Type": "text/html"})),
    "gzip bomb": _answering(
        lambda _: Response(gzip.compress(b" " * 20_000_000), 200, {**_JSON, "Content-Encoding": "gzip"})
    ),
    "half published": _answering(_half_published),
    "rotations, published ahead": _changing,
    "flood of random kids": _flood,
    "flood while the issuer is down": _flood_in_an_outage,
    "cache killed": _cache_killed,
    "cache silent": _cache_silent,
    "cache restarting": _cache_restarting,
    "cache poisoned": lambda environment: poisoned(environment.scene, environment.traffic),
    "issuer and cache down": _all_down,
    "authority rotated": lambda environment: authority_rotated(environment.scene),
    "settings swapped": lambda environment: settings_swapped(environment.scene),
}
