"""The values of `authorization` that a grpc.aio server remembers: for as long as their tokens are good, and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from bearward import Revocations, TrustedIssuer, Verifier, token_verification
from bearward.testing import LocalIssuer
from bearward_grpc import authenticated
from bearward_grpc.recent_values import RecentValues
from tests.adapters.grpc.calls import SHAPES, bearer, channel_to
from tests.adapters.grpc.servers import SERVICE, serving
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.tokens import ISSUER, KEY, token_of

POLICY = TrustedIssuer(ISSUER, audience="api", jwks={"keys": [KEY.public_jwk()]})


class Kept:
    """A verifier with a clock of its own, and what remembers its values."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.revocations = Revocations(clock=self.clock)
        self.verifier = Verifier(POLICY, clock=self.clock, revocations=self.revocations)
        self.recent = RecentValues(self.verifier)

    def bring_until_recognized(self, token: str) -> None:
        """At most five times."""
        assert any(self.bring(token) for _ in range(5))

    def bring(self, token: str) -> bool:
        """Whether the value of this token is recognized; verified and noted where it is not."""
        value = f"Bearer {token}"
        if (found := self.recent.get(value)) is not None:
            assert found == (token, self.verifier.verify_now(token))
            return True
        self.verifier.verify_now(token)
        self.recent.verified(value, token)
        return False


def test_value_is_recognized_from_the_third_call_on(run: Run) -> None:
    """Most tokens come once; one that comes twice will come again."""

    async def calls() -> list[bool]:
        kept, token = Kept(), token_of(KEY)
        return [kept.bring(token) for _ in range(4)]

    assert run(calls()) == [False, False, True, True]


def _expire(kept: Kept, _: str) -> None:
    kept.clock.forward(301.0)


def _set_back(kept: Kept, _: str) -> None:
    kept.clock.forward(-1.0)


def _revoke(kept: Kept, token: str) -> None:
    kept.revocations.revoke_key(ISSUER, kept.verifier.verify_now(token).key_thumbprint)


def _wait(kept: Kept, _: str) -> None:
    kept.clock.forward(31.0)


@pytest.mark.parametrize("change", [_expire, _set_back, _revoke, _wait])
def test_value_is_recognized_no_longer_than_its_entry(change: Callable[[Kept, str], None], run: Run) -> None:
    """A token that expired or was revoked, a clock that was set back, and half a minute send the value back to the verifier."""

    async def calls() -> None:
        kept, token = Kept(), token_of(KEY)
        kept.bring_until_recognized(token)
        assert len(kept.recent) == 1
        change(kept, token)
        assert kept.recent.get(f"Bearer {token}") is None
        assert len(kept.recent) == 0

    run(calls())


@contextmanager
def _timers() -> Iterator[list[tuple[float, Callable[[], None]]]]:
    """What is asked of the loop for later, for the test to carry out."""
    timers: list[tuple[float, Callable[[], None]]] = []
    loop: Any = asyncio.get_running_loop()
    later, loop.call_later = loop.call_later, lambda delay, callback: timers.append((delay, callback))
    try:
        yield timers
    finally:
        loop.call_later = later


def _until_forgotten(kept: Kept, timers: list[tuple[float, Callable[[], None]]]) -> None:
    began = kept.clock.now()
    for _ in range(10):
        assert len(timers) <= 1  # one looks for all values
        if not timers:
            break
        delay, sweep = timers.pop()
        kept.clock.forward(delay)
        sweep()
    assert not timers
    assert len(kept.recent) == 0
    assert kept.clock.now() - began <= 35.0


def test_ended_values_are_forgotten_without_calls(run: Run) -> None:
    """No token stays in memory after its end because nobody calls: a timer looks."""

    async def calls() -> None:
        kept = Kept()
        with _timers() as timers:
            kept.bring_until_recognized(token_of(KEY))
            kept.bring(token_of(KEY, sub="once"))
            _until_forgotten(kept, timers)

    run(calls())


def test_ended_values_are_forgotten_on_the_next_loop_too() -> None:
    """A server that is started again on another loop, in the middle of a pause, looks there."""
    kept = Kept()

    async def first() -> None:
        kept.bring(token_of(KEY, sub="first"))

    async def second() -> None:
        with _timers() as timers:
            kept.bring(token_of(KEY, sub="second"))
            _until_forgotten(kept, timers)

    asyncio.run(first())
    asyncio.run(second())


def test_values_are_bounded_in_number(run: Run) -> None:
    """Whoever calls: 512 that came once, or 512 that came again."""

    async def calls() -> None:
        kept = Kept()
        tokens = [token_of(KEY, sub=str(number)) for number in range(600)]
        once = [(kept.bring(token), len(kept.recent))[1] for token in tokens]
        assert (max(once), once[-1]) == (512, 88)
        again = [(kept.bring(token), kept.bring(token), len(kept.recent))[2] for token in tokens]
        assert max(again) <= 600
        kept = Kept()
        again = [(kept.bring(token), kept.bring(token), len(kept.recent))[2] for token in tokens]
        assert (max(again), again[-1]) == (512, 88)

    run(calls())


@pytest.mark.parametrize(("length", "recognized"), [(4096, True), (4097, False)])
def test_values_are_bounded_in_length(length: int, recognized: bool, run: Run) -> None:
    """A longer one is verified each time, and nothing of it is kept."""

    async def calls() -> None:
        kept, token = Kept(), token_of(KEY)
        kept.verifier.verify_now(token)
        value = f"Bearer {token}".ljust(length)
        for _ in range(3):
            kept.recent.verified(value, token)
        assert (kept.recent.get(value) is not None) is recognized
        assert (len(kept.recent) > 0) is recognized

    run(calls())


def test_bound_tokens_are_not_kept(run: Run) -> None:
    """Each call has to prove the key that such a token is bound to."""

    async def calls() -> None:
        kept = Kept()
        token = token_of(KEY, cnf={"jkt": "k"})
        kept.verifier.verify_now(token, unsafe_allow_bound=True)
        for _ in range(3):
            kept.recent.verified(f"Bearer {token}", token)
        assert kept.recent.get(f"Bearer {token}") is None

    run(calls())


def test_server_recognizes_what_comes_with_every_call(issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the wire: calls of two callers in turn, each known as itself, and a revoked one refused at the next call."""
    digests: list[str] = []
    digest: Any = vars(token_verification)["token_digest"]

    def counted(token: str, *more: Any) -> bytes:
        digests.append(token)
        made: bytes = digest(token, *more)
        return made

    monkeypatch.setattr(token_verification, "token_digest", counted)
    revocations = Revocations()
    verifier = Verifier(
        TrustedIssuer(issuer.url, audience=issuer.audience, jwks_uri=issuer.jwks_uri), revocations=revocations
    )
    tokens = {name: issuer.mint(sub=name) for name in ("ada", "bob")}
    with serving("aio", verifier, {SERVICE: authenticated}) as server, channel_to(server.target) as channel:
        for _ in range(20):
            for name, token in tokens.items():
                assert SHAPES["unary-unary"](channel, bearer(token)).messages[0].startswith(name.encode())
        # three times until its keys are there, once, and once more with a look at its entry; then no more
        assert max(digests.count(token) for token in tokens.values()) <= 6
        revocations.revoke_subject(issuer.url, "ada", before=verifier.now() + 60)
        assert SHAPES["unary-unary"](channel, bearer(tokens["ada"])).status is grpc.StatusCode.UNAUTHENTICATED
        assert SHAPES["unary-unary"](channel, bearer(tokens["bob"])).status is grpc.StatusCode.OK
