"""What the store's tests share: a store on a clock that stands still, in front of a real issuer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bearward import TrustedIssuer
from bearward.clock import Clock
from bearward.jwks.issuer_keys import IssuerKeys
from bearward.jwks.options import JWKSOptions
from bearward.jwks.store import JWKSStore
from bearward.testing import LocalIssuer
from tests.core.fake_clock import FakeClock

__all__ = ["eventually", "policy", "started"]

DEADLINE = 30.0


def policy(
    issuer: LocalIssuer, *, discover: bool = False, unsafe_allow_http: bool = False, **options: Any
) -> TrustedIssuer:
    """Trust in `issuer`; `options` are those of `JWKSOptions`, lazy unless they say otherwise."""
    return TrustedIssuer(
        issuer.url,
        audience=issuer.audience,
        jwks_uri=None if discover else issuer.jwks_uri,
        unsafe_allow_http=unsafe_allow_http,
        keys=JWKSOptions(**{"start": "lazy", **options}),
    )


@asynccontextmanager
async def started(
    trusted: TrustedIssuer, clock: Clock | None = None, **more: Any
) -> AsyncIterator[tuple[JWKSStore, IssuerKeys]]:
    """A store that is started for one issuer, and that issuer's keys. The clock stands still unless one is given."""
    store = JWKSStore(clock=clock or FakeClock(), **more)
    await store.start([trusted])
    try:
        yield store, store.keys_of(trusted)
    finally:
        await store.aclose()


async def eventually(condition: Callable[[], bool], what: str = "it") -> None:
    """Let the loop run until `condition` holds; an error after a generous time."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen")
        await asyncio.sleep(0.005)
