"""One process of a fleet, for tests: `python -m tests.core.jwks.fleet_member` with a JSON object as its argument.

It starts a store, prints one line of JSON when it holds keys, and then one for each kid that is written to its standard
input: how it stands with that kid. It ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import sys

from bearward import TrustedIssuer
from bearward.jwks.options import JWKSOptions
from bearward.jwks.store import JWKSStore


async def member(settings: dict[str, str]) -> None:
    """Hold keys, and answer questions about them."""
    trusted = TrustedIssuer(
        settings["issuer"], audience="a", jwks_uri=settings["jwks_uri"], jwks_options=JWKSOptions(start_wait=60)
    )
    store = JWKSStore(cache=settings["cache"], cache_secret=settings["secret"].encode())
    await store.start([trusted])
    keys = store.keys_of(trusted)
    await asyncio.gather(*(keys.get() for _ in range(100)))
    _say(ready=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        held = keys.current()
        _say(holds=held is not None and held.jwk_set.holds(line.strip()))
    await store.aclose()


def _say(**members: bool) -> None:
    print(json.dumps(members), flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(member(json.loads(sys.argv[1])))
