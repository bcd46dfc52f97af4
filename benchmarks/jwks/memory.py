"""A million distinct kids, and a million distinct tenants: how much larger the process is afterwards.

`python -m benchmarks.jwks.memory kids|tenants NUMBER` is the process that is measured; it prints mebibytes.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from pathlib import Path

from bearward import AuthError, TenantIssuers, TrustedIssuer, Verifier
from bearward.jose.base64url import encode
from bearward.jwks.options import JWKSOptions, StartMode
from bearward.testing import LocalIssuer

__all__ = ["growth"]

_AUDIENCE = "https://api.example"
_MEBIBYTE = 1024 * 1024
_WARM = 20_000


def growth(what: str, number: int) -> float:
    """Mebibytes by which the resident memory of a fresh process grew."""
    command = [sys.executable, "-m", __name__, what, str(number)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


async def _kids(number: int) -> float:
    with LocalIssuer(algorithms=["ES256"], audience=_AUDIENCE, lifetime=86_400) as issuer:
        async with Verifier(TrustedIssuer(issuer.url, audience=_AUDIENCE, jwks_uri=issuer.jwks_uri)) as verifier:
            rest = issuer.mint().partition(".")[2]

            async def send(first: int, last: int) -> None:
                for kid in range(first, last):
                    header = encode(b'{"alg":"ES256","kid":"%d"}' % kid).decode()
                    try:
                        await verifier.verify(f"{header}.{rest}")
                    except AuthError:
                        continue

            return await _grown(send, number)


async def _tenants(number: int) -> float:
    with LocalIssuer(algorithms=["ES256"], audience=_AUDIENCE, lifetime=86_400) as issuer:
        # no issuer answers there: an invented tenant has no keys, and most are turned away before a fetch
        provider = TenantIssuers(
            issuer.origin + "/{tenant}", audience=_AUDIENCE, jwks_options=JWKSOptions(start=StartMode.LAZY)
        )
        async with Verifier(provider) as verifier:

            async def send(first: int, last: int) -> None:
                for tenant in range(first, last):
                    held = verifier._issuers.known(f"{issuer.origin}/{tenant}")[1].current()  # noqa: SLF001
                    assert held is None
                    if tenant % 1000 == 0:
                        await asyncio.sleep(0)
                        try:
                            await verifier.verify(issuer.mint(iss=f"{issuer.origin}/{tenant}"))
                        except AuthError:
                            continue

            return await _grown(send, number)


async def _grown(send: object, number: int) -> float:
    await send(0, _WARM)  # type: ignore[operator]
    before = _resident()
    await send(_WARM, number)  # type: ignore[operator]
    return (_resident() - before) / _MEBIBYTE


def _resident() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


if __name__ == "__main__":
    print(asyncio.run({"kids": _kids, "tenants": _tenants}[sys.argv[1]](int(sys.argv[2]))))
