"""A key set that whoever publishes it made as expensive as it may be: the event loop does other things in between."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bearward import TrustedIssuer
from bearward.jose import jwk_set
from bearward.jwks import pem_sources
from bearward.jwks.options import JWKSOptions, StartMode
from bearward.jwks.sources import Static
from bearward.testing import LocalIssuer, SigningKey
from bearward.testing.exchange import json_response
from tests.conftest import Run
from tests.core.jwks.support import eventually, fleet, policy, started

NUMBER = 40
LAZY = JWKSOptions(start=StartMode.LAZY)
SET = {"keys": [SigningKey.generate("ES256", kid=f"k{number}").public_jwk() for number in range(NUMBER)]}
_PUBLIC = ec.generate_private_key(ec.SECP256R1()).public_key()
PEM = _PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Turns:
    """How many keys were read between two turns of the event loop, at most."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read, self.most = 0, 0
        for module, name in ((jwk_set, "read_key"), (pem_sources, "jwk_of_pem")):
            monkeypatch.setattr(module, name, self._counting(getattr(module, name)))

    def _counting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            self.read += 1
            return function(*args, **options)

        return counted

    async def during(self, work: Awaitable[Any]) -> None:
        """Do `work`, and look at each turn how many keys were read since the last."""
        self.read, self.most = 0, 0
        looking = asyncio.ensure_future(self._look())
        await work
        await asyncio.sleep(0)
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking

    async def _look(self) -> None:
        seen = self.read
        while True:
            await asyncio.sleep(0)
            self.most, seen = max(self.most, self.read - seen), self.read


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    """What the loop does."""
    return Turns(monkeypatch)


def test_fetched_set_is_read_key_by_key(run: Run, issuer: LocalIssuer, turns: Turns) -> None:
    """A turn for each key."""
    issuer.serve_jwks(SET)

    async def scenario() -> None:
        async with started(policy(issuer)) as (_, keys):
            await turns.during(keys.get())
            assert (turns.read, turns.most) == (NUMBER, 1)

    run(scenario())


def test_keys_in_pem_are_read_one_by_one(run: Run, issuer: LocalIssuer, turns: Turns) -> None:
    """A turn for each, and another once it is a JWK; those that a set has no place for are not read."""
    issuer.serve("/keys", json_response({f"k{number}": PEM for number in range(300)}))
    trusted = TrustedIssuer(issuer.url, audience=issuer.audience, pem_uri=f"{issuer.url}/keys", jwks_options=LAZY)

    async def scenario() -> None:
        async with started(trusted) as (_, keys):
            await turns.during(keys.get())
            assert (turns.read, turns.most) == (2 * 256, 1)
            assert keys.health().rejected_keys == {"surplus": 300 - 256}

    run(scenario())


def test_first_usable_of_several_sources_is_read_key_by_key(run: Run, issuer: LocalIssuer, turns: Turns) -> None:
    """Once to see whether it is usable, and once to be used."""
    sources = (Static(b"{}"), Static(json.dumps(SET).encode()))
    trusted = TrustedIssuer(issuer.url, audience=issuer.audience, jwks_options=replace(LAZY, sources=sources))

    async def scenario() -> None:
        async with started(trusted) as (_, keys):
            await turns.during(keys.get())
            assert (turns.read, turns.most) == (2 * NUMBER, 1)

    run(scenario())


def test_shared_set_is_read_key_by_key(run: Run, issuer: LocalIssuer, turns: Turns) -> None:
    """What another process fetched is checked as strictly, and in as many turns."""
    issuer.serve_jwks(SET)

    async def scenario() -> None:
        async with fleet(policy(issuer), 2) as (one, other):
            await one.get()
            await turns.during(other.get())
            assert (turns.read, turns.most, issuer.requests("/jwks")) == (NUMBER, 1, 1)

    run(scenario())


def test_snapshot_is_read_key_by_key(run: Run, issuer: LocalIssuer, turns: Turns, tmp_path: Path) -> None:
    """As what was fetched."""
    issuer.serve_jwks(SET)

    async def scenario() -> None:
        async with started(policy(issuer, snapshot_dir=tmp_path)) as (_, keys):
            held = await keys.get()
            await eventually(lambda: any(tmp_path.glob("*.json")))
            await turns.during(keys.load_remembered())
            assert (turns.read, turns.most) == (NUMBER, 1)
            assert keys.current() is held

    run(scenario())
