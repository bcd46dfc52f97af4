"""What is shared keeps nothing alive: a verifier without references is freed."""

from __future__ import annotations

import gc
import weakref

from bearward import Revocations, TrustedIssuer, Verifier
from bearward.testing import LocalIssuer
from tests.conftest import Run


def test_verifiers_that_share_revocations_are_freed(run: Run) -> None:
    """Started, used and closed; what was revoked stays revoked, and no listener of theirs is left behind."""
    revocations = Revocations()
    issuer = LocalIssuer(algorithms=["ES256"])

    async def use() -> weakref.ref[Verifier]:
        policy = TrustedIssuer(issuer.url, audience="https://api.example", jwks=issuer.keys.jwks())
        async with Verifier(policy, revocations=revocations) as verifier:
            verifier.watch(await verifier.verify(issuer.mint()), lambda _: None).close()
            return weakref.ref(verifier)

    held = [run(use()) for _ in range(3)]
    gc.collect()
    assert [ref() for ref in held] == [None] * 3
    revocations.revoke_key(issuer.url, "k")
    assert revocations._listeners == []
