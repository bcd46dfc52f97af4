"""What every subject is measured with: an issuer, its key, and tokens that are all distinct.

Rule of this file: nothing is verified here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from bearward import JWKSOptions, TrustedIssuer, Verifier
from bearward.testing import LocalIssuer

__all__ = ["ALGORITHMS", "AUDIENCE", "CLAIMS", "DISTINCT", "SMALL", "Fixtures", "Subject", "each", "fixtures"]

Subject = Callable[[], object]
AUDIENCE = "https://api.example"
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
DISTINCT = 400
SMALL = 256 * 1024
"""A cache of so many bytes holds fewer than half of them."""
CLAIMS = {
    "sub": "248289761001",
    "scope": "notes:read notes:write",
}
"""With the issuer's own claims (iss, aud, client_id, iat, exp, jti) and a 2048-bit RSA signature: a token of 734 bytes."""


@dataclass(frozen=True)
class Fixtures:
    """A real issuer on loopback, one algorithm, and tokens."""

    issuer: LocalIssuer
    algorithm: str
    token: str
    tokens: list[str]
    """Distinct ones, so that nothing remembers what it must not."""
    jwk: dict[str, Any]
    loop: asyncio.AbstractEventLoop
    started: list[Verifier] = field(default_factory=list)

    def verifier(self, **settings: Any) -> Verifier:
        """A started verifier that holds the issuer's keys, and remembers for the whole run what it does not hold."""
        policy = TrustedIssuer(self.issuer.url, audience=AUDIENCE, jwks_options=JWKSOptions(cooldown=600.0))
        verifier = Verifier(policy, **settings)
        self.loop.run_until_complete(verifier.start())
        self.loop.run_until_complete(verifier.verify(self.token))  # start waits for keys only so long
        self.started.append(verifier)
        return verifier


@contextmanager
def fixtures(algorithm: str) -> Iterator[Fixtures]:
    """An issuer that is up while the measurement runs."""
    loop = asyncio.new_event_loop()
    with LocalIssuer(algorithms=[algorithm], audience=AUDIENCE, lifetime=86_400) as issuer:
        tokens = [issuer.mint(claims=CLAIMS, sub=f"2482897{number:05d}") for number in range(DISTINCT)]
        w = Fixtures(issuer, algorithm, tokens[0], tokens, issuer.keys.jwks()["keys"][0], loop)
        yield w
        for verifier in w.started:
            loop.run_until_complete(verifier.aclose())
    loop.close()


def each(tokens: list[str], verify: Callable[[str], object]) -> Subject:
    """One token after the other."""
    following = cycle(tokens).__next__
    return lambda: verify(following())
