"""Revocation in a fleet, through real servers: it reaches everyone, survives failures, and cannot be forged."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bearward import (
    AuthError,
    ConfigurationError,
    Principal,
    Refusal,
    RevocationNotSharedError,
    SharedRevocations,
    TrustedIssuer,
    Verifier,
)
from bearward.cache.client import SharedCache
from bearward.cache.urls import backend_factory
from bearward.clock import SystemClock
from bearward.testing import SigningKey, json_octets, sign_segments
from tests.conftest import Run
from tests.core.jwks.cache_servers import CacheServer, Memcached, Valkey, has_memcached
from tests.core.jwks.support import eventually

ISSUER = "https://login.example"
SECRET = b"0123456789abcdef"
KEY = SigningKey.generate("ES256")
LOG = "bearward:revocations:default"


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A server that is up, and keeps nothing on disk."""
    with Valkey(tmp_path) as server:
        yield server


@pytest.fixture(params=[Valkey, Memcached])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CacheServer]:
    """Each kind of server."""
    if request.param is Memcached and not has_memcached():
        pytest.skip("this machine has no memcached")
    with request.param(tmp_path) as server:
        yield server


def shared(server: CacheServer, **changes: Any) -> SharedRevocations:
    """The list of one process."""
    settings: dict[str, Any] = {"cache": server.url, "cache_secret": SECRET, "on_failure": "refuse", "grace": 0.5}
    return SharedRevocations(**{**settings, "poll_interval": 0.05, **changes})


@asynccontextmanager
async def started(*lists: SharedRevocations) -> AsyncIterator[None]:
    """All lists at work."""
    for revocations in lists:
        await revocations.start()
    try:
        yield
    finally:
        for revocations in lists:
            await revocations.aclose()


def who(jti: str = "t1") -> Principal:
    """A principal whose token was verified."""
    now = time.time()
    claims = {"iss": ISSUER, "sub": "ada", "sid": "s1", "jti": jti, "iat": now - 10, "exp": now + 300}
    return Principal.from_verified_claims(claims, "k1")


def verdict(revocations: SharedRevocations, principal: Principal) -> Refusal | None:
    """Why the principal is refused, or None."""
    try:
        revocations.check(principal)
    except AuthError as error:
        return error.refusal
    return None


def cache_of(server: CacheServer) -> SharedCache:
    """A hand in the store."""
    make = backend_factory(server.url, timeout=5)
    assert make is not None
    return SharedCache(make, SystemClock(), timeout=5)


def test_each_kind_of_revocation_reaches_another_process(server: CacheServer, run: Run) -> None:
    """By token, subject, session and key; also what was revoked before the other process started."""

    async def use() -> None:
        one, two = shared(server), shared(server)
        async with started(one):
            one.revoke_token(ISSUER, "t1", until=time.time() + 300)
            one.revoke_subject(ISSUER, "eve", before=time.time())
            await one.flush()
            async with started(two):
                assert verdict(two, who("t1")) is Refusal.TOKEN_REVOKED
                assert verdict(two, who("t2")) is None
                one.revoke_session(ISSUER, "s1", before=time.time())
                await eventually(lambda: verdict(two, who("t2")) is Refusal.TOKEN_REVOKED, "the session's end")
                two.revoke_key(ISSUER, "k2")
                await two.flush()
                await eventually(lambda: len(one) == 4, "the way back")

    run(use())


def test_revocation_reaches_cached_tokens_and_live_streams_within_a_second(valkey: Valkey, run: Run) -> None:
    """With the intervals that are the default; measured from the call in one process to the effect in another."""

    async def use(jti: str) -> float:
        one = SharedRevocations(cache=valkey.url, cache_secret=SECRET, on_failure="refuse")
        two = SharedRevocations(cache=valkey.url, cache_secret=SECRET, on_failure="refuse")
        policy = TrustedIssuer(ISSUER, audience="a", jwks={"keys": [KEY.public_jwk()]})
        ends = time.time() + 300
        claims = {"iss": ISSUER, "aud": "a", "sub": "ada", "jti": jti, "exp": ends}
        token = sign_segments(json_octets({"alg": "ES256", "kid": KEY.kid}), json_octets(claims), KEY)
        async with Verifier(policy, revocations=two) as verifier, started(one):
            ended: asyncio.Future[AuthError] = asyncio.get_running_loop().create_future()
            verifier.watch(verifier.verify_now(token), ended.set_result)
            assert verifier.verify_now(token) is verifier.verify_now(token)
            began = time.monotonic()
            one.revoke_token(ISSUER, jti, until=ends)
            assert (await asyncio.wait_for(ended, 30)).refusal is Refusal.TOKEN_REVOKED
            took = time.monotonic() - began
            with pytest.raises(AuthError) as refused:
                verifier.verify_now(token)
            assert refused.value.refusal is Refusal.TOKEN_REVOKED
        return took

    # The first that is quick enough is enough: other tests may have the machine's two cores at the moment.
    assert any(run(use(f"t{number}")) < 1.0 for number in range(20))


def test_concurrent_processes_lose_no_revocation(valkey: Valkey, run: Run) -> None:
    """Real processes revoke at the same time; a late one learns all of it."""
    settings = json.dumps({"cache": valkey.url, "secret": SECRET.decode(), "issuer": ISSUER})
    command = [sys.executable, "-m", "tests.core.revocation.revoking_member", settings]
    members = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
        for _ in range(3)
    ]
    names = [[f"{member}-{number}" for number in range(40)] for member in range(3)]
    threads = [
        threading.Thread(target=member.communicate, args=("".join(f"{name}\n" for name in mine), 60))
        for member, mine in zip(members, names, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [member.returncode for member in members] == [0, 0, 0]

    async def use() -> None:
        late = shared(valkey)
        async with started(late):
            assert len(late) == 120
            assert all(verdict(late, who(name)) is Refusal.TOKEN_REVOKED for mine in names for name in mine)

    run(use())


@pytest.mark.parametrize(("choice", "expected"), [("refuse", Refusal.REVOCATION_UNAVAILABLE), ("accept", None)])
def test_on_failure_decides_while_the_store_fails(
    valkey: Valkey, run: Run, choice: str, expected: Refusal | None
) -> None:
    """Killed, and hanging: closed or open as chosen, said in the health, and over as soon as the store is back."""

    async def use() -> None:
        revocations = shared(valkey, on_failure=choice)
        policy = TrustedIssuer(ISSUER, audience="a", jwks={"keys": [KEY.public_jwk()]})
        async with Verifier(policy, revocations=revocations) as verifier:
            revocations.revoke_token(ISSUER, "bad", until=time.time() + 300)
            await revocations.flush()
            for fail, mend in ((valkey.stop, valkey.start), (valkey.hang, valkey.go_on)):
                await asyncio.to_thread(fail)
                await eventually(lambda: not revocations.store_responds, "the failure")
                assert verdict(revocations, who("good")) is expected
                assert verdict(revocations, who("bad")) is not None
                assert verifier.ready == (choice == "accept")
                assert ("refusing all tokens" in verifier.health().revocations) == (choice == "refuse")
                assert "store: ok" not in verifier.health().revocations
                with pytest.raises(RevocationNotSharedError):
                    await revocations.flush()
                await asyncio.to_thread(mend)
                await eventually(lambda: revocations.store_responds, "the recovery")
                assert verdict(revocations, who("good")) is None
                assert verifier.health().revocations == "1 entries, store: ok"

    run(use())


def test_on_failure_refuse_ends_watches_and_cached_tokens(valkey: Valkey, run: Run) -> None:
    """Closed means closed: no remembered verification and no live stream outlives the knowledge about it."""

    async def use() -> None:
        policy = TrustedIssuer(ISSUER, audience="a", jwks={"keys": [KEY.public_jwk()]})
        claims = {"iss": ISSUER, "aud": "a", "exp": time.time() + 300}
        token = sign_segments(json_octets({"alg": "ES256", "kid": KEY.kid}), json_octets(claims), KEY)
        async with Verifier(policy, revocations=shared(valkey)) as verifier:
            ended: asyncio.Future[AuthError] = asyncio.get_running_loop().create_future()
            verifier.watch(await verifier.verify(token), ended.set_result)
            await asyncio.to_thread(valkey.stop)
            error = await asyncio.wait_for(ended, 30)
            assert error.refusal is Refusal.REVOCATION_UNAVAILABLE
            assert error.retry_after is not None
            with pytest.raises(AuthError) as refused:
                verifier.verify_now(token)
            assert refused.value.refusal is Refusal.REVOCATION_UNAVAILABLE

    run(use())


def test_revocations_made_during_an_outage_are_shared_after_it(valkey: Valkey, run: Run) -> None:
    """The store comes back empty: each process puts back what it knows, also what it could not share before."""

    async def use() -> None:
        one, two = shared(valkey), shared(valkey)
        async with started(one, two):
            one.revoke_token(ISSUER, "before", until=time.time() + 300)
            await one.flush()
            await eventually(lambda: len(two) == 1, "the first")
            await asyncio.to_thread(valkey.stop)
            await eventually(lambda: not one.store_responds and not two.store_responds, "the failure")
            one.revoke_token(ISSUER, "one", until=time.time() + 300)
            two.revoke_token(ISSUER, "two", until=time.time() + 300)
            assert "not shared yet" in one.health()
            await asyncio.to_thread(valkey.start)
            await eventually(lambda: len(one) == 3 and len(two) == 3, "the exchange")
        late = shared(valkey)
        async with started(late):
            assert len(late) == 3

    run(use())


@pytest.mark.thorough
def test_store_crashes_under_load_lose_no_revocation(valkey: Valkey, run: Run) -> None:
    """Three processes revoke all the time while the server is killed and started again, empty, three times."""

    async def use() -> None:
        lists = [shared(valkey) for _ in range(3)]
        revoked: list[str] = []
        done = False

        async def load(number: int) -> None:
            while not done:
                name = f"{number}-{len(revoked)}"
                lists[number].revoke_token(ISSUER, name, until=time.time() + 300)
                revoked.append(name)
                await asyncio.sleep(0.002)

        async with started(*lists):
            loads = [asyncio.create_task(load(number)) for number in range(3)]
            for _ in range(3):
                seen = len(revoked)
                await eventually(lambda seen=seen: len(revoked) > seen + 100, "some load")  # type: ignore[misc]
                await asyncio.to_thread(valkey.stop)
                await eventually(lambda: not any(one.store_responds for one in lists), "the failure")
                await asyncio.to_thread(valkey.start)
                await eventually(lambda: all(one.store_responds for one in lists), "the recovery")
            done = True
            await asyncio.gather(*loads)
            await eventually(lambda: all(len(one) == len(revoked) for one in lists), "the exchange")
        late = shared(valkey)
        async with started(late):
            await eventually(lambda: len(late) == len(revoked), "all of it")

    run(use())


def test_log_rotation_loses_no_revocation(server: CacheServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new process reads a short log, however many revocations there were in a week."""
    monkeypatch.setattr("bearward.revocation.log._ROTATE_ABOVE", 20)

    async def use() -> None:
        one, two = shared(server), shared(server)
        async with started(one, two):
            for number in range(60):
                revoking = (one, two)[number % 2]
                revoking.revoke_token(ISSUER, f"t{number}", until=time.time() + 300)
                await revoking.flush()
            await eventually(lambda: len(one) == len(two) == 60, "the exchange")
            assert one._log._cursor.next < 60
        late = shared(server)
        async with started(late):
            assert len(late) == 60

    run(use())


def test_evicted_entries_are_restored(valkey: Valkey, run: Run) -> None:
    """A store that evicts makes a gap, at which a new process would stop reading: the log is begun again instead."""

    async def use() -> None:
        one = shared(valkey)
        hand = cache_of(valkey)
        async with started(one):
            for number in range(5):
                one.revoke_token(ISSUER, f"t{number}", until=time.time() + 300)
                await one.flush()
            place = f"{LOG}:{one._log._cursor.log}:2"
            (text,) = await hand.get([place])
            assert text is not None
            await hand.release_lease(place, text)
            late = shared(valkey)
            async with started(late):
                await eventually(lambda: len(late) == 5, "what was behind the gap, and in it")
                late.revoke_token(ISSUER, "new", until=time.time() + 300)
                await late.flush()
                await eventually(lambda: len(one) == 6, "that both write to the same log")
        await hand.aclose()

    run(use())


DAMAGE = ["delete", "overwrite", "repeat another entry"]


@pytest.mark.thorough
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_entries_are_noticed_and_written_again(valkey: Valkey, run: Run, damage: str) -> None:
    """Before another process has read them: whoever knows the revocation writes it to the new log; within a second."""

    async def use() -> float:
        one, two = shared(valkey), shared(valkey, poll_interval=1.0, grace=5.0)
        hand = cache_of(valkey)
        async with started(one, two):
            one.revoke_token(ISSUER, "first", until=time.time() + 300)
            await one.flush()
            await eventually(lambda: len(two) == 1, "the first")
            log = one._log._cursor.log
            one.revoke_token(ISSUER, "stolen", until=time.time() + 300)
            await one.flush()
            await _damage(hand, f"{LOG}:{log}:2", damage, f"{LOG}:{log}:1")
            began = time.monotonic()
            await eventually(lambda: verdict(two, who("stolen")) is Refusal.TOKEN_REVOKED, "the revocation")
            assert one._log._cursor.log == two._log._cursor.log != log
            assert one.store_responds
        await hand.aclose()
        return time.monotonic() - began

    run(use())


async def _damage(hand: SharedCache, place: str, damage: str, other: str) -> None:
    (text, copy) = await hand.get([place, other])
    assert text is not None
    assert copy is not None
    if damage == "delete":
        await hand.release_lease(place, text)
    else:
        await hand.put(place, "garbage" if damage == "overwrite" else copy, 60)


@pytest.mark.thorough
def test_permanently_damaged_store_has_failed(valkey: Valkey, run: Run) -> None:
    """Nobody can know what others revoked: `on_failure` applies; and the log is not rewritten at each look."""

    async def use() -> None:
        one, two = shared(valkey, grace=0.2), shared(valkey, grace=0.2)
        hand = cache_of(valkey)
        logs: set[str] = set()

        async def damage() -> None:
            while True:
                cursor = one._log._cursor
                logs.add(cursor.log)
                await hand.put(f"{LOG}:{cursor.log}:{cursor.next}", "garbage", 60)
                await asyncio.sleep(0.01)

        async with started(one, two):
            attacker = asyncio.create_task(damage())
            await eventually(lambda: verdict(two, who()) is Refusal.REVOCATION_UNAVAILABLE, "the failure")
            assert "overwritten" in two.health()
            attacker.cancel()
            assert len(logs) <= 4  # the first one, and one repair by each process
            await eventually(lambda: one.store_responds and two.store_responds, "the repair")
        await hand.aclose()

    run(use())


def test_unreleased_lease_only_delays_the_repair(valkey: Valkey, run: Run) -> None:
    """Whoever can write the store can hold it forever: it is waited for as long as it lasts by our clock."""

    async def use() -> None:
        clock = Ahead()
        one = shared(valkey, clock=clock)
        hand = cache_of(valkey)
        async with started(one):
            one.revoke_token(ISSUER, "t1", until=time.time() + 300)
            await one.flush()
            log = one._log._cursor.log
            await hand.put(f"{LOG}:lease", "somebody", 3600)
            await hand.put(f"{LOG}:{log}:1", "garbage", 60)
            await eventually(lambda: "overwritten" in one.health(), "the damage")
            clock.ahead = 31.0
            await eventually(lambda: one._log._cursor.log != log and one.store_responds, "the repair")
            assert len(one) == 1
        await hand.aclose()

    run(use())


class Ahead(SystemClock):
    """A clock that can be set forward."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.now = lambda: time.time() + self.ahead
        self.monotonic = lambda: time.monotonic() + self.ahead


@pytest.mark.parametrize("is_up", [True, False])
def test_disabled_aiocache_has_failed(valkey: Valkey, run: Run, monkeypatch: pytest.MonkeyPatch, is_up: bool) -> None:
    """`AIOCACHE_DISABLE=1` makes aiocache say that it did what it did not; whether anybody listens there or not."""
    monkeypatch.setenv("AIOCACHE_DISABLE", "1")
    if not is_up:
        valkey.stop()

    async def use() -> None:
        one = shared(valkey)
        async with started(one):
            assert verdict(one, who()) is Refusal.REVOCATION_UNAVAILABLE
            assert "AIOCACHE_DISABLE" in one.health()
            one.revoke_token(ISSUER, "t1", until=time.time() + 300)
            with pytest.raises(RevocationNotSharedError):
                await one.flush()

    run(use())


def test_aiocache_disabled_at_run_time_has_failed(valkey: Valkey, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is used again once it is switched on."""

    async def use() -> None:
        one = shared(valkey)
        async with started(one):
            assert verdict(one, who()) is None
            monkeypatch.setenv("AIOCACHE_DISABLE", "1")
            await eventually(lambda: verdict(one, who()) is Refusal.REVOCATION_UNAVAILABLE, "the failure")
            monkeypatch.delenv("AIOCACHE_DISABLE")
            await eventually(lambda: verdict(one, who()) is None, "the recovery")

    run(use())


def test_on_failure_refuse_holds_while_the_event_loop_hangs(valkey: Valkey, run: Run) -> None:
    """Whether the store responded lately is checked by the clock of the thread that asks, for cached tokens too."""
    policy = TrustedIssuer(ISSUER, audience="a", jwks={"keys": [KEY.public_jwk()]})
    claims = {"iss": ISSUER, "aud": "a", "exp": time.time() + 300}
    token = sign_segments(json_octets({"alg": "ES256", "kid": KEY.kid}), json_octets(claims), KEY)

    async def use() -> None:
        revocations = shared(valkey, grace=0.1)
        async with Verifier(policy, revocations=revocations) as verifier:
            assert verifier.verify_now(token) is verifier.verify_now(token)
            hung_until = time.monotonic() + 30
            while (refusal := _refusal(verifier, token)) is None and time.monotonic() < hung_until:
                time.sleep(0.01)  # noqa: ASYNC251  (the event loop hangs here: nobody asks the store)
            assert refusal is Refusal.REVOCATION_UNAVAILABLE
            assert not verifier.ready
            assert "not asked any more, refusing all tokens" in revocations.health()
            await eventually(lambda: _refusal(verifier, token) is None, "the recovery")

    run(use())


def _refusal(verifier: Verifier, token: str) -> Refusal | None:
    try:
        verifier.verify_now(token)
    except AuthError as error:
        return error.refusal
    return None


def test_issuer_clock_ahead_is_shared_by_the_fleet(valkey: Valkey, run: Run) -> None:
    """A cut-off in one process covers tokens that another one has met: "before now" is by the issuer's clock."""

    async def use() -> None:
        one, two = shared(valkey), shared(valkey)
        now = time.time()
        token = Principal.from_verified_claims({"iss": ISSUER, "sub": "ada", "iat": now + 20, "exp": now + 300}, "k1")
        async with started(one, two):
            assert verdict(one, token) is None
            await one.flush()
            two.revoke_subject(ISSUER, "ada", before=time.time())
            await two.flush()
            await eventually(lambda: verdict(one, token) is Refusal.TOKEN_REVOKED, "the revocation")
            assert verdict(two, token) is Refusal.TOKEN_REVOKED

    run(use())


def test_trouble_of_the_store_is_logged_with_its_consequence(
    valkey: Valkey, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for each failure that lasts, under the package's own logger, and with what `on_failure` then does."""

    async def use(choice: str) -> None:
        one = shared(valkey, on_failure=choice)
        async with started(one):
            await asyncio.to_thread(valkey.stop)
            await eventually(lambda: not one.store_responds, "the failure")
            await asyncio.to_thread(valkey.start)
            await eventually(lambda: one.store_responds, "the recovery")

    for choice, consequence in (("refuse", "refusing all tokens"), ("accept", "accepting what is not known")):
        caplog.clear()
        run(use(choice))
        lines = [record.getMessage() for record in caplog.records if record.name == "bearward.revocation"]
        assert 1 <= len(lines) <= 3
        assert all(consequence in line for line in lines if "fails" in line)
        assert not any("by itself" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("forged", ["", "x", "00 []", "é [", '[["jti","https://login.example","t9",null,null]]'])
def test_unauthenticated_entries_revoke_nothing(valkey: Valkey, run: Run, forged: str) -> None:
    """An entry that is not authentic is skipped and counted; the ones behind it are read."""

    async def use() -> None:
        one, two = shared(valkey), shared(valkey)
        hand = cache_of(valkey)
        async with started(one, two):
            await hand.put(f"{LOG}:{one._log._cursor.log}:1", forged, 60)
            one.revoke_token(ISSUER, "t1", until=time.time() + 300)
            await one.flush()
            await eventually(lambda: len(two) == 1, "the entry behind it")
            # Whoever reads it first begins a new log, and the other one may never see it.
            assert "1 entries in the store rejected" in one.health() + two.health()
            await eventually(lambda: verdict(two, who("t9")) is None, "the log that replaces the damaged one")
        await hand.aclose()

    run(use())


def test_entry_is_authentic_only_in_its_own_place(valkey: Valkey, run: Run) -> None:
    """A copy of an authentic entry in another fleet's place is not authentic there."""

    async def use() -> None:
        one, other = shared(valkey), shared(valkey, name="other")
        hand = cache_of(valkey)
        async with started(one, other):
            one.revoke_token(ISSUER, "t1", until=time.time() + 300)
            await one.flush()
            (text,) = await hand.get([f"{LOG}:{one._log._cursor.log}:1"])
            assert text is not None
            await hand.put(f"bearward:revocations:other:{other._log._cursor.log}:1", text, 60)
            await eventually(lambda: other._log.rejected == 1, "the refusal")
            assert len(other) == 0
        await hand.aclose()

    run(use())


def test_log_sealed_by_another_secret_is_a_failure(valkey: Valkey, run: Run) -> None:
    """Two fleets with one name and two secrets: the second says so, and does not overwrite the first."""

    async def use() -> None:
        one, other = shared(valkey), shared(valkey, cache_secret=b"another-secret-of-theirs")
        async with started(one):
            one.revoke_token(ISSUER, "t1", until=time.time() + 300)
            await one.flush()
            async with started(other):
                assert verdict(other, who()) is Refusal.REVOCATION_UNAVAILABLE
                assert "not authentic" in other.health()
            one.revoke_token(ISSUER, "t2", until=time.time() + 300)
            await one.flush()

    run(use())


def test_another_secret_works_under_another_name(valkey: Valkey, run: Run) -> None:
    """How a secret is changed: a list of its own begins, empty, and the old one stays as it is for who has the old one."""

    async def use() -> None:
        one, other = shared(valkey), shared(valkey, cache_secret=b"another-secret-of-theirs", name="2026-08")
        async with started(one):
            one.revoke_token(ISSUER, "t1", until=time.time() + 300)
            await one.flush()
            async with started(other):
                assert verdict(other, who("t1")) is None
                other.revoke_token(ISSUER, "t1", until=time.time() + 300)
                await other.flush()
                assert verdict(other, who("t1")) is Refusal.TOKEN_REVOKED
            assert verdict(one, who("t1")) is Refusal.TOKEN_REVOKED

    run(use())


def test_revoke_and_flush_from_any_thread_and_loop(valkey: Valkey, run: Run) -> None:
    """`add` is synchronous; `flush` may be awaited on another event loop than the verifier's."""

    async def use() -> None:
        one = shared(valkey)

        def elsewhere() -> None:
            one.revoke_token(ISSUER, "t1", until=time.time() + 300)
            asyncio.run(one.flush())

        async with started(one):
            await asyncio.to_thread(elsewhere)
            assert not one._unshared

    run(use())


def test_list_that_is_not_started_refuses(valkey: Valkey, run: Run) -> None:
    """A verifier that was not started knows nothing about revocation, and must not pretend to."""

    async def use() -> None:
        one = shared(valkey)
        assert verdict(one, who()) is Refusal.REVOCATION_UNAVAILABLE
        with pytest.raises(RevocationNotSharedError):
            await one.flush()
        for _ in range(2):
            async with started(one):
                assert verdict(one, who()) is None
            assert verdict(one, who()) is Refusal.REVOCATION_UNAVAILABLE

    run(use())


def test_list_is_closed_with_its_last_verifier(valkey: Valkey, run: Run) -> None:
    """The list is closed with the last of them."""

    async def use() -> None:
        one = shared(valkey)
        policy = TrustedIssuer(ISSUER, audience="a", jwks={"keys": [KEY.public_jwk()]})
        async with Verifier(policy, revocations=one):
            async with Verifier(policy, revocations=one):
                pass
            assert verdict(one, who()) is None
        assert verdict(one, who()) is Refusal.REVOCATION_UNAVAILABLE

    run(use())


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"on_failure": "maybe"}, "on_failure"),
        ({"on_failure": None}, "on_failure"),
        ({"cache_secret": b"short"}, "cache_secret"),
        ({"cache_secret": "0123456789abcdef"}, "cache_secret"),
        ({"cache": "memory://"}, "cache"),
        ({"cache": "nonsense"}, "cache"),
        ({"name": "a b"}, "name"),
        ({"name": ""}, "name"),
        ({"poll_interval": 2}, "poll_interval"),
        ({"poll_interval": True}, "poll_interval"),
        ({"grace": -1}, "grace"),
        ({"grace": "1"}, "grace"),
    ],
)
def test_invalid_options_raise_configuration_error(changes: dict[str, Any], setting: str) -> None:
    """The error names the setting, and shows no value."""
    good: dict[str, Any] = {"cache": "redis://cache", "cache_secret": SECRET, "on_failure": "refuse"}
    with pytest.raises(ConfigurationError) as refused:
        SharedRevocations(**{**good, **changes})
    assert refused.value.setting == setting


def test_on_failure_has_no_default() -> None:
    """Closed or open is for the operator to say."""
    with pytest.raises(TypeError, match="on_failure"):
        SharedRevocations(cache="redis://cache", cache_secret=SECRET)  # type: ignore[call-arg]


def test_closes_at_the_same_time_are_one(valkey: Valkey, run: Run) -> None:
    """The second waits for the first, and a start for both; afterwards the list works as if it had been closed once."""

    async def use() -> None:
        revocations = SharedRevocations(cache=valkey.url, cache_secret=SECRET, on_failure="refuse")
        await revocations.start()
        await asyncio.gather(revocations.aclose(), revocations.aclose(), revocations.start())
        assert revocations.health() == "0 entries, store: ok"
        await revocations.aclose()
        assert revocations.health().startswith("0 entries, store: closed")

    run(use())


def test_start_that_is_given_up_while_another_user_closes_leaves_nothing_behind(valkey: Valkey, run: Run) -> None:
    """Two verifiers share one list: the one is closed, the other fails at its start and is closed as well."""

    async def use() -> None:
        revocations = SharedRevocations(cache=valkey.url, cache_secret=SECRET, on_failure="refuse")
        closing = await hanging_close(revocations, valkey)
        starting = asyncio.create_task(revocations.start())
        await asyncio.sleep(0)
        await asyncio.gather(closing, revocations.aclose())
        await asyncio.wait_for(starting, 30)
        assert revocations.health().startswith("1 entries, store: closed")
        assert polling() == []
        valkey.go_on()

    run(use())


def test_start_waits_for_all_of_a_close(valkey: Valkey, run: Run) -> None:
    """Also for its last part, when the connections are closed: what ends there would close the list that has just begun."""

    async def use() -> None:
        revocations = SharedRevocations(cache=valkey.url, cache_secret=SECRET, on_failure="refuse")
        await revocations.start()
        close, entered, go_on = revocations._cache.aclose, asyncio.Event(), asyncio.Event()

        async def slow() -> None:
            entered.set()
            await go_on.wait()
            await close()

        revocations._cache.aclose = slow  # type: ignore[method-assign]
        closing = asyncio.create_task(revocations.aclose())
        await entered.wait()
        starting = asyncio.create_task(revocations.start())
        await asyncio.sleep(0)
        assert not starting.done()
        go_on.set()
        await asyncio.gather(closing, starting)
        assert revocations.health() == "0 entries, store: ok"
        revocations.check(who())
        await revocations.aclose()

    run(use())


def test_close_that_is_given_up_stops_asking_the_store(valkey: Valkey, run: Run) -> None:
    """A second poll beside the next start's would read one log at two places."""

    async def use() -> None:
        revocations = SharedRevocations(cache=valkey.url, cache_secret=SECRET, on_failure="accept")
        closing = await hanging_close(revocations, valkey)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert polling() == []
        valkey.go_on()

    run(use())


async def hanging_close(revocations: SharedRevocations, valkey: Valkey) -> asyncio.Task[None]:
    """A close that is under way: the store does not respond, and something is still to be shared."""
    await revocations.start()
    valkey.hang()
    revocations.revoke_token(ISSUER, "t1", until=time.time() + 60)
    closing = asyncio.create_task(revocations.aclose())
    await asyncio.sleep(0)
    return closing


def polling() -> list[asyncio.Task[Any]]:
    """The tasks that ask a store for news."""
    return [task for task in asyncio.all_tasks() if "_sync_loop" in repr(task.get_coro())]


def test_listener_that_fails_stops_neither_the_others_nor_the_reading(
    valkey: Valkey, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """It is reported as a bug, without what it said."""

    async def use() -> None:
        told: list[object] = []

        def failing(_: object) -> None:
            raise RuntimeError("of the program's")

        one = SharedRevocations(cache=valkey.url, cache_secret=SECRET, on_failure="refuse")
        two = SharedRevocations(cache=valkey.url, cache_secret=SECRET, on_failure="refuse")
        two.on_change(failing)
        two.on_change(told.append)
        async with started(one, two):
            for jti in ("t1", "t2"):
                one.revoke_token(ISSUER, jti, until=time.time() + 60)
                await one.flush()
                await eventually(lambda jti=jti: revoked(two, jti))  # type: ignore[misc]
        assert len(told) >= 2

    run(use())
    assert "a listener to revocations failed: RuntimeError" in caplog.text
    assert "of the program's" not in caplog.text


def revoked(revocations: SharedRevocations, jti: str) -> bool:
    """Whether the token of this name is refused."""
    try:
        revocations.check(who(jti))
    except AuthError:
        return True
    return False
