"""20 rotations in 100,000 requests, each key published before it signs: how many good tokens are refused."""

from __future__ import annotations

import asyncio

from bearward import AuthError, TrustedIssuer, Verifier
from bearward.jwks.options import JWKSOptions, StartMode
from bearward.testing import LocalIssuer

__all__ = ["herd", "rotations"]

_AUDIENCE = "https://api.example"


async def rotations(requests: int, times: int) -> tuple[int, int]:
    """Refused good tokens, and fetches at the issuer. The issuer publishes, serves half a turn, and then signs."""
    refused = 0
    with LocalIssuer(algorithms=["ES256"], audience=_AUDIENCE, lifetime=3600) as issuer:
        trusted = TrustedIssuer(
            issuer.url, audience=_AUDIENCE, jwks_uri=issuer.jwks_uri, jwks_options=JWKSOptions(max_age=1.0, min_age=0.1)
        )
        async with Verifier(trusted, token_cache_bytes=0) as verifier:
            for _ in range(times):
                issuer.publish_next()
                refused += await _serve(verifier, issuer, requests // times // 2)
                await asyncio.sleep(1.0)  # the key is public for `max_age` before it signs
                issuer.rotate()
                refused += await _serve(verifier, issuer, requests // times // 2)
            return refused, issuer.requests("/jwks")


async def _serve(verifier: Verifier, issuer: LocalIssuer, requests: int) -> int:
    refused = 0
    tokens = [issuer.mint(sub=str(number)) for number in range(50)]
    for number in range(requests):
        try:
            await verifier.verify(tokens[number % len(tokens)])
        except AuthError:
            refused += 1
        if number % 100 == 0:
            await asyncio.sleep(0)
    return refused


async def herd(size: int) -> int:
    """Fetches that so many concurrent first requests cause."""
    with LocalIssuer(algorithms=["ES256"], audience=_AUDIENCE) as issuer:
        issuer.slow(0.2)
        token = issuer.mint()
        trusted = TrustedIssuer(
            issuer.url, audience=_AUDIENCE, jwks_uri=issuer.jwks_uri, jwks_options=JWKSOptions(start=StartMode.LAZY)
        )
        async with Verifier(trusted) as verifier:
            await asyncio.gather(*(verifier.verify(token) for _ in range(size)))
        return issuer.requests("/jwks")
