"""64 verifiers in 8 processes, cold, 1,000 concurrent first requests each: how many fetches reach the issuer.

`python -m benchmarks.jwks.fleet ISSUER JWKS_URI CACHE TOKEN` is one of the processes: it makes its verifiers, says that
it is ready, and begins when a line comes in.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

from bearward import TrustedIssuer, Verifier
from bearward.jwks.options import JWKSOptions, StartMode
from bearward.testing import LocalIssuer
from tests.core.jwks.cache_servers import Memcached, Valkey, has_memcached

__all__ = ["PROCESSES", "REQUESTS", "VERIFIERS", "cold_fleet"]

PROCESSES, VERIFIERS, REQUESTS = 8, 8, 1000
_AUDIENCE = "https://api.example"


def cold_fleet(kind: str) -> tuple[int, int]:
    """Fetches and refused requests, with the shared cache `kind`: `memory`, `valkey` or `memcached`."""
    with tempfile.TemporaryDirectory() as folder, LocalIssuer(audience=_AUDIENCE, lifetime=3600) as issuer:
        if kind == "memory":
            return _run(issuer, "memory://")
        with (Valkey if kind == "valkey" else Memcached)(Path(folder)) as cache:
            return _run(issuer, cache.url)


def kinds() -> list[str]:
    """The caches that this machine has."""
    return ["memory", "valkey", *(["memcached"] if has_memcached() else [])]


def _run(issuer: LocalIssuer, cache: str) -> tuple[int, int]:
    command = [sys.executable, "-m", __name__, issuer.url, issuer.jwks_uri, cache, issuer.mint()]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(PROCESSES)]  # type: ignore[call-overload]
    try:
        for process in processes:
            process.stdout.readline()
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        refused = sum(int(process.communicate()[0]) for process in processes)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return issuer.requests("/jwks"), refused


async def _member(issuer: str, jwks_uri: str, cache: str, token: str) -> None:
    options = JWKSOptions(start=StartMode.LAZY, max_waiters=REQUESTS)
    trusted = TrustedIssuer(issuer, audience=_AUDIENCE, jwks_uri=jwks_uri, jwks_options=options)
    verifiers = [
        Verifier(trusted, jwks_cache=cache, jwks_cache_secret=b"a secret of the benchmark") for _ in range(VERIFIERS)
    ]
    for verifier in verifiers:
        await verifier.start()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    calls = (verifier.verify(token) for verifier in verifiers for _ in range(REQUESTS))
    results = await asyncio.gather(*calls, return_exceptions=True)
    for verifier in verifiers:
        await verifier.aclose()
    print(sum(isinstance(result, BaseException) for result in results), flush=True)


if __name__ == "__main__":
    asyncio.run(_member(*sys.argv[1:]))
