"""Certificate chains in the store: judged at each refresh, and on everything that others may have written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bearward import TrustedIssuer
from bearward.errors import AuthError
from bearward.fetch.errors import FetchFailure
from bearward.jwks.freshness import Freshness
from bearward.jwks.options import JWKSOptions, StartMode
from bearward.jwks.store import JWKSStore
from bearward.testing import LocalIssuer, Request, Response
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jose.test_certificates import DIRECT, EXPIRED, INTERMEDIATE, LEAF, NOW, ROOT, UNTRUSTED, pem
from tests.core.jwks.cache_servers import Valkey
from tests.core.jwks.support import SECRET, started

DAY = 86_400.0

pytestmark = pytest.mark.usefixtures("patient")


def certified(issuer: LocalIssuer, **options: Any) -> TrustedIssuer:
    """Trust in those keys of `issuer` that the root certifies."""
    keys = JWKSOptions(**{"x5c_authorities": pem(ROOT), "start": "lazy", **options})
    return TrustedIssuer(issuer.url, audience="a", jwks_uri=issuer.jwks_uri, jwks_options=keys)


def test_only_certified_keys_are_used(run: Run, issuer: LocalIssuer) -> None:
    """What is rejected is counted with its reason."""
    uncertified = [UNTRUSTED.jwk(), EXPIRED.jwk(), UNTRUSTED.key.public_jwk() | {"kid": "bare"}]
    issuer.serve_jwks({"keys": [LEAF.jwk(INTERMEDIATE), *uncertified]})

    async def scenario() -> None:
        async with started(certified(issuer), FakeClock(NOW.timestamp())) as (_, keys):
            held = await keys.get()
            assert [key.kid for key in held.jwk_set.keys] == ["leaf"]
            assert keys.health().rejected_keys == {"certificate_untrusted": 3}

    run(scenario())


def test_expired_certificate_ends_its_key_at_the_next_refresh(run: Run, issuer: LocalIssuer) -> None:
    """Also where the issuer says that nothing has changed; the only key of a set goes with `stale_if_error`."""
    document = json.dumps({"keys": [DIRECT.jwk()]}).encode()

    def answer(request: Request) -> Response:
        return Response(b"", 304) if "if-none-match" in request.headers else Response(document, 200, {"ETag": '"1"'})

    issuer.serve("/jwks", answer)
    clock = FakeClock(NOW.timestamp())

    async def scenario() -> None:
        async with started(certified(issuer, max_age=DAY, stale_if_error=0), clock) as (_, keys):
            held = await keys.get()
            clock.forward(DAY - 60)
            await keys.refresh_after_miss("nobody's", held.generation)
            assert keys.current() is held
            clock.forward(DAY + 1)
            with pytest.raises(AuthError):
                await keys.get()
            assert keys.health().state is Freshness.UNAVAILABLE
            assert keys.health().last_failure is FetchFailure.NOT_A_KEY_SET

    run(scenario())


def test_shared_set_is_validated_by_its_reader(run: Run, valkey: Valkey, issuer: LocalIssuer) -> None:
    """A set without certificates in the cache is refused, even without a secret."""
    bare = TrustedIssuer(
        issuer.url, audience="a", jwks_uri=issuer.jwks_uri, jwks_options=JWKSOptions(start=StartMode.LAZY)
    )
    clock = FakeClock(NOW.timestamp())
    issuer.serve_jwks({"keys": [UNTRUSTED.jwk()]})

    async def scenario() -> None:
        async with started(bare, clock, cache=valkey.url, cache_secret=SECRET) as (_, keys):
            await keys.get()
        issuer.serve_jwks({"keys": [DIRECT.jwk()]})
        store = JWKSStore(cache=valkey.url, cache_secret=SECRET, clock=clock)
        await store.start([certified(issuer)])
        held = await store.keys_of(certified(issuer)).get()
        assert [key.kid for key in held.jwk_set.keys] == ["direct"]
        await store.aclose()

    run(scenario())
    assert issuer.requests() == 2
