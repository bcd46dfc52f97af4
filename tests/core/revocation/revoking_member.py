"""One process of a fleet that revokes, for tests: `python -m tests.core.revocation.revoking_member` with a JSON object as argument.

It revokes each `jti` that is written to its standard input, and prints it when the store has it.
"""

from __future__ import annotations

import asyncio
import json
import sys

from bearward import SharedRevocations


async def member(settings: dict[str, str]) -> None:
    """Revoke what is asked for, until the input ends."""
    revocations = SharedRevocations(
        cache=settings["cache"], cache_secret=settings["secret"].encode(), on_failure="refuse"
    )
    await revocations.start()
    while line := await asyncio.to_thread(sys.stdin.readline):
        revocations.revoke_token(settings["issuer"], line.strip(), until=2e9)
        await revocations.flush()
        print(line.strip(), flush=True)  # noqa: T201
    await revocations.aclose()


if __name__ == "__main__":
    asyncio.run(member(json.loads(sys.argv[1])))
