"""What the store's tests share: a store on a clock that stands still, in front of a real issuer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from bearward import TrustedIssuer
from bearward.clock import Clock, SystemClock
from bearward.errors import AuthError
from bearward.fetch.client import IssuerHTTPClient
from bearward.fetch.http import HTTPResponse
from bearward.jwks.issuer_keys import IssuerKeys
from bearward.jwks.options import JWKSOptions
from bearward.jwks.store import JWKSStore
from bearward.refusals import Refusal
from bearward.testing import LocalIssuer
from tests.core.fake_clock import FakeClock

__all__ = ["SECRET", "all_get_keys", "eventually", "fetch", "fleet", "policy", "refused", "started"]

DEADLINE = 30.0
SECRET = b"a secret that the fleet shares"


def policy(
    issuer: LocalIssuer, *, discover: bool = False, unsafe_allow_http: bool = False, **options: Any
) -> TrustedIssuer:
    """Trust in `issuer`; `options` are those of `JWKSOptions`, lazy unless they say otherwise."""
    return TrustedIssuer(
        issuer.url,
        audience=issuer.audience,
        jwks_uri=None if discover else issuer.jwks_uri,
        unsafe_allow_http=unsafe_allow_http,
        jwks_options=JWKSOptions(**{"start": "lazy", **options}),
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


async def refused(keys: IssuerKeys) -> AuthError:
    """The refusal that `get` answers with."""
    with pytest.raises(AuthError) as info:
        await keys.get()
    assert info.value.refusal is Refusal.KEYS_UNAVAILABLE
    return info.value


@asynccontextmanager
async def fleet(trusted: TrustedIssuer, size: int, clock: Any = None, **more: Any) -> AsyncIterator[list[IssuerKeys]]:
    """So many stores of their own, all with the same cache."""
    async with AsyncExitStack() as stack:
        members = []
        for _ in range(size):
            _, keys = await stack.enter_async_context(started(trusted, clock or SystemClock(), **more))
            members.append(keys)
        yield members


async def all_get_keys(members: list[IssuerKeys]) -> None:
    """A cold start of all at once."""
    await asyncio.gather(*(keys.get() for keys in members for _ in range(20)))


async def fetch(url: str, *, unsafe_allow_http: bool = False, **options: Any) -> HTTPResponse:
    """One GET, with a client that is closed afterwards."""
    client = IssuerHTTPClient(JWKSOptions(**options).http_settings(unsafe_allow_http=unsafe_allow_http))
    try:
        return await client.get(url)
    finally:
        await client.aclose()
