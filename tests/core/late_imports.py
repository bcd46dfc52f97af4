"""Which modules a running verifier imports while no fork waits: `python -m tests.core.late_imports CASE [CACHE]`.

Rule of this file: the process is its own, since a module is imported once. It prints their names, as JSON.
"""

# ruff: noqa: T201  (its output is its interface)

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bearward import JWKSOptions, SharedRevocations, TrustedIssuer, Verifier
from bearward.forks import no_fork
from bearward.testing import LocalIssuer

SECRET = b"0123456789abcdef"
ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "EdDSA")


class Finder:
    """Finds nothing, and is asked first for each module that is not imported yet."""

    def __init__(self) -> None:
        self.late: list[str] = []

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        """A fork waits for whoever holds the lock."""
        if not no_fork._is_owned():  # type: ignore[attr-defined]
            self.late.append(name)


FINDER = Finder()


async def run(verifier: Verifier, issuer: LocalIssuer, publish: Callable[[], object]) -> None:
    """Fetch, verify a token of each algorithm, and fetch again."""
    tokens = [issuer.mint(key=issuer.key(algorithm)) for algorithm in ALGORITHMS]
    sys.meta_path.insert(0, FINDER)
    async with verifier:
        for token in tokens:
            await verifier.verify(token)
        publish()
        await verifier.verify(issuer.mint())


def over_http() -> None:
    """The issuer's metadata, then its keys."""
    with LocalIssuer(algorithms=ALGORITHMS) as issuer:
        asyncio.run(run(Verifier(policy(issuer)), issuer, issuer.rotate))


def over_tls() -> None:
    """With an authority of one's own, and a copy of the keys on disk."""
    with LocalIssuer(algorithms=ALGORITHMS, tls=True) as issuer, tempfile.TemporaryDirectory() as place:
        authority = Path(place) / "ca.pem"
        authority.write_bytes(issuer.ca_pem)
        asyncio.run(run(Verifier(policy(issuer, ca_file=authority, snapshot_dir=place)), issuer, issuer.rotate))


def by_file() -> None:
    """Keys that something else writes to a file."""
    with LocalIssuer(algorithms=ALGORITHMS) as issuer, tempfile.TemporaryDirectory() as place:
        keys = Path(place) / "jwks.json"

        def publish() -> None:
            keys.write_text(json.dumps(issuer.keys.jwks()))

        publish()
        asyncio.run(run(Verifier(policy(issuer, jwks_file=keys)), issuer, publish))


def by_thread() -> None:
    """The loop of `VerifierThread`."""
    with LocalIssuer(algorithms=ALGORITHMS) as issuer:
        token = issuer.mint()
        from bearward_grpc import VerifierThread

        thread = VerifierThread(Verifier(policy(issuer)))
        sys.meta_path.insert(0, FINDER)
        with thread:
            asyncio.run_coroutine_threadsafe(thread.verifier.verify(token), thread.loop).result()


def with_cache(url: str) -> None:
    """Keys and revocations that are shared."""
    with LocalIssuer(algorithms=ALGORITHMS) as issuer:
        revocations = SharedRevocations(cache=url, cache_secret=SECRET, on_failure="refuse")
        verifier = Verifier(policy(issuer), jwks_cache=url, jwks_cache_secret=SECRET, revocations=revocations)
        asyncio.run(run(verifier, issuer, issuer.rotate))


def policy(issuer: LocalIssuer, **options: Any) -> TrustedIssuer:
    """All keys that are new are looked for at once."""
    return TrustedIssuer(issuer.url, audience=issuer.audience, jwks_options=JWKSOptions(cooldown=0.0, **options))


CASES: dict[str, Callable[..., None]] = {
    case.__name__: case for case in (over_http, over_tls, by_file, by_thread, with_cache)
}


if __name__ == "__main__":
    CASES[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(FINDER.late))
