"""Other issuers in the place of those that are trusted, while tokens are verified: one step, and everything is held to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bearward import (
    AuthError,
    ConfigurationError,
    CredentialPlace,
    JWKSOptions,
    Refusal,
    TenantIssuers,
    TrustedIssuer,
    Verifier,
)
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.jwks.support import policy

PATIENT: dict[str, Any] = {"connect_timeout": 30.0, "read_timeout": 30.0, "total_timeout": 60.0, "start_wait": 60.0}
"""Options for a machine that is busy with three threads of callers."""

SECRET = b"0123456789abcdef"


def eager(issuer: LocalIssuer, **options: Any) -> TrustedIssuer:
    """Trust in `issuer`, whose keys are held once the verifier has started."""
    return policy(issuer, start="eager", **{**PATIENT, **options})


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """An issuer that is up."""
    with LocalIssuer(algorithms=["ES256"]) as issuer:
        yield issuer


def refusal_of(verifier: Verifier, token: str) -> Refusal:
    """How held keys refuse `token`."""
    with pytest.raises(AuthError) as refused:
        verifier.verify_now(token)
    return refused.value.refusal


def test_other_audience_ends_what_was_admitted(issuer: LocalIssuer, run: Run) -> None:
    """A cached token, a connection's entry, an admitted principal and a live stream: each is held to the new settings."""

    async def scenario() -> None:
        before = eager(issuer)
        async with Verifier(before) as verifier:
            token, ended = issuer.mint(), asyncio.get_running_loop().create_future()
            principal = verifier.verify_now(token)
            entry = verifier.cached_entry(token)
            assert entry is not None
            assert verifier.is_still_valid(entry)
            verifier.watch(principal, ended.set_result)
            await verifier.replace_issuers(replace(before, audience="https://other.example"))
            assert not verifier.is_still_valid(entry)
            assert refusal_of(verifier, token) is Refusal.AUDIENCE_MISMATCH
            with pytest.raises(AuthError):
                verifier.check_still_valid(principal)
            assert (await asyncio.wait_for(ended, 5)).refusal is Refusal.AUDIENCE_MISMATCH
            verifier.verify_now(issuer.mint(aud="https://other.example"))

    run(scenario())


def test_calls_that_are_still_admitted_continue(issuer: LocalIssuer, run: Run) -> None:
    """By the same keys, without a request to the issuer, even while it is down."""

    async def scenario() -> None:
        before = eager(issuer)
        async with Verifier(before) as verifier:
            token = issuer.mint()
            principal = verifier.verify_now(token)
            issuer.down()
            await verifier.replace_issuers(replace(before, audience=[issuer.audience, "https://other.example"]))
            verifier.check_still_valid(principal)
            assert verifier.verify_now(token).subject == principal.subject
            assert issuer.requests("/jwks") == 1

    run(scenario())


def test_removed_issuer_is_trusted_no_more_and_its_fetches_end(issuer: LocalIssuer, run: Run) -> None:
    """And the one in its place has its keys before it is trusted."""

    async def scenario() -> None:
        with LocalIssuer(algorithms=["ES256"]) as other:
            async with Verifier(eager(issuer)) as verifier:
                token = issuer.mint()
                principal = verifier.verify_now(token)
                await verifier.replace_issuers(eager(other))
                verifier.verify_now(other.mint())
                assert refusal_of(verifier, token) is Refusal.ISSUER_UNTRUSTED
                with pytest.raises(AuthError):
                    verifier.check_still_valid(principal)
                assert verifier.issuers == (other.url,)
                assert [health.issuer for health in verifier.health().issuers] == [other.url]

    run(scenario())


@pytest.mark.parametrize("cache", ["memory://", "redis://127.0.0.1:1"], ids=["cached in the process", "cache is down"])
def test_changed_times_keep_the_keys_that_are_held(issuer: LocalIssuer, run: Run, cache: str) -> None:
    """A time-out may be changed while the issuer is down; where the keys come from may not be carried along."""

    async def scenario() -> None:
        async with Verifier(eager(issuer), jwks_cache=cache, jwks_cache_secret=SECRET) as verifier:
            issuer.down()
            await verifier.replace_issuers(eager(issuer, read_timeout=1.0, poll_interval=0.1))
            verifier.verify_now(issuer.mint())
            moved = replace(policy(issuer, start_wait=0.1, start="eager"), jwks_uri=f"{issuer.url}/elsewhere")
            await verifier.replace_issuers(moved)
            with pytest.raises(AuthError) as refused:
                await verifier.verify(issuer.mint())
            assert refused.value.refusal is Refusal.KEYS_UNAVAILABLE

    run(scenario())


def test_static_keys_are_replaced(run: Run) -> None:
    """What the old ones verified is refused at once."""

    async def scenario() -> None:
        with LocalIssuer(algorithms=["ES256"]) as old, LocalIssuer(algorithms=["ES256"]) as new:
            before = TrustedIssuer("an issuer", audience=old.audience, jwks=old.keys.jwks())
            async with Verifier(before) as verifier:
                token = old.mint(iss="an issuer")
                verifier.verify_now(token)
                await verifier.replace_issuers(replace(before, jwks=new.keys.jwks()))
                assert refusal_of(verifier, token) in (Refusal.KEY_UNKNOWN, Refusal.SIGNATURE_INVALID)
                verifier.verify_now(new.mint(iss="an issuer"))

    run(scenario())


@pytest.mark.parametrize(
    "issuers",
    [
        (),
        ("https://login.example",),
        (TrustedIssuer("i", audience="a", jwks_uri="https://i.example", place=CredentialPlace(cookie="c")),),
    ],
    ids=["none", "a text", "another place"],
)
def test_invalid_issuers_change_nothing(issuers: Any, issuer: LocalIssuer, run: Run) -> None:
    """Nor does a place that no adapter looks at."""

    async def scenario() -> None:
        async with Verifier(eager(issuer)) as verifier:
            with pytest.raises(ConfigurationError):
                await verifier.replace_issuers(*issuers)
            verifier.verify_now(issuer.mint())
            assert verifier.issuers == (issuer.url,)

    run(scenario())


def test_required_keys_that_are_missing_change_nothing(issuer: LocalIssuer, run: Run) -> None:
    """An issuer whose keys are required at start is not put in force without them."""

    async def scenario() -> None:
        with LocalIssuer(algorithms=["ES256"]) as other:
            other.down()
            async with Verifier(eager(issuer)) as verifier:
                with pytest.raises(AuthError) as refused:
                    await verifier.replace_issuers(policy(other, start="required", total_timeout=1.0))
                assert refused.value.refusal is Refusal.KEYS_UNAVAILABLE
                verifier.verify_now(issuer.mint())

    run(scenario())


def test_tenants_are_kept_where_their_template_is_the_same(issuer: LocalIssuer, run: Run) -> None:
    """And forgotten with their keys where it is another one."""

    async def scenario() -> None:
        tenants: dict[str, Any] = {"audience": issuer.audience, "jwks_uri": issuer.jwks_uri}
        template = f"{issuer.url}/{{tenant}}"
        async with Verifier(TenantIssuers(template, **tenants)) as verifier:
            token = issuer.mint(iss=f"{issuer.url}/blue")
            principal = await verifier.verify(token)
            await verifier.replace_issuers(TenantIssuers(template, **tenants), policy(issuer))
            verifier.verify_now(token)
            assert issuer.requests("/jwks") == 1
            await verifier.replace_issuers(TenantIssuers(template, tenants=frozenset({"red"}), **tenants))
            assert refusal_of(verifier, token) is Refusal.ISSUER_UNTRUSTED
            with pytest.raises(AuthError):
                verifier.check_still_valid(principal)
            await verifier.verify(issuer.mint(iss=f"{issuer.url}/red"))
            assert issuer.requests("/jwks") == 2

    run(scenario())


def test_before_the_start_it_is_configuration(issuer: LocalIssuer, run: Run) -> None:
    """No key is fetched; the start fetches those of the issuers that are trusted by then."""

    async def scenario() -> None:
        verifier = Verifier(TrustedIssuer("https://login.example", audience="a"))
        await verifier.replace_issuers(eager(issuer))
        assert issuer.requests("/jwks") == 0
        async with verifier:
            verifier.verify_now(issuer.mint())

    run(scenario())


def test_issuers_can_be_replaced_from_another_loop(issuer: LocalIssuer, run: Run) -> None:
    """The change is made on the verifier's own loop; two at a time come one after the other."""

    async def scenario() -> None:
        before = eager(issuer)
        async with Verifier(before) as verifier:
            others = [replace(before, audience=[issuer.audience, str(number)]) for number in range(3)]
            there = threading.Thread(target=lambda: asyncio.run(verifier.replace_issuers(others[0])))
            there.start()
            await asyncio.to_thread(there.join)
            await asyncio.gather(*(verifier.replace_issuers(other) for other in others))
            verifier.verify_now(issuer.mint(aud="2"))
            assert refusal_of(verifier, issuer.mint(aud="0")) is Refusal.AUDIENCE_MISMATCH

    run(scenario())


@pytest.mark.thorough
def test_good_tokens_are_never_refused_while_issuers_are_replaced(issuer: LocalIssuer, run: Run) -> None:
    """On other threads and on the loop, with and without another key source; tenants too."""

    async def scenario() -> None:
        first = eager(issuer)
        options = JWKSOptions(**PATIENT)
        tenants: dict[str, Any] = {"audience": issuer.audience, "jwks_uri": issuer.jwks_uri, "jwks_options": options}
        template = f"{issuer.url}/{{tenant}}"
        sets: list[Any] = [
            (first, TenantIssuers(template, **tenants)),
            (replace(first, leeway=1.0), TenantIssuers(template, leeway=1.0, **tenants)),
            (
                eager(issuer, max_body=70_000),
                TenantIssuers(template, max_tenants=5, **tenants),
            ),
        ]
        async with Verifier(*sets[0]) as verifier:
            refused: list[str] = []
            done = threading.Event()
            tokens = [issuer.mint(), issuer.mint(iss=f"{issuer.url}/blue")]

            async def call() -> None:
                while not done.is_set():
                    for token in (*tokens, issuer.mint()):
                        try:
                            await verifier.verify(token)
                        except AuthError as error:
                            refused.append(str(error))
                    await asyncio.sleep(0)

            threads = [threading.Thread(target=lambda: asyncio.run(call())) for _ in range(2)]
            for thread in threads:
                thread.start()
            here = asyncio.create_task(call())
            for number in range(60):
                await verifier.replace_issuers(*sets[number % 3])
            done.set()
            await here
            for thread in threads:
                await asyncio.to_thread(thread.join)
            assert refused == []

    run(scenario())
