"""One proof is accepted once in a process, and remembered until it can no longer pass."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearward import AuthError, ConfigurationError
from bearward.dpop import LocalReplays, Proof

NOW = 1_800_000_000.0
WINDOW = 60.0


def proof(jti: str, *, jkt: str = "k", iat: float = NOW) -> Proof:
    """A proof that was checked."""
    return Proof(jkt, jti, iat, iat + WINDOW)


def record(replays: LocalReplays, used: Proof, now: float = NOW) -> str | None:
    """The code of the refusal, None if the proof was recorded."""
    try:
        replays.record_now(used, now)
    except AuthError as error:
        return error.code
    return None


def test_proof_is_accepted_once() -> None:
    """By its key and its `jti`: another key's proof with the same `jti` is another proof."""
    replays = LocalReplays()
    assert record(replays, proof("a")) is None
    assert record(replays, proof("a")) == "dpop_replayed"
    assert record(replays, proof("a", iat=NOW + 5)) == "dpop_replayed"  # the same name again, with another time
    assert record(replays, proof("b")) is None
    assert record(replays, proof("a", jkt="other")) is None
    assert len(replays) == 3


@pytest.mark.parametrize("ahead", [-59.0, 0.0, 59.0])
def test_proof_is_remembered_until_it_can_no_longer_pass(ahead: float) -> None:
    """That is `iat` plus the window, not from when it came."""
    replays = LocalReplays()
    used = proof("a", iat=NOW + ahead)
    assert record(replays, used) is None
    assert record(replays, used, now=used.expires_at) == "dpop_replayed"


def test_expired_proofs_are_forgotten() -> None:
    """So that memory is that of one window."""
    replays = LocalReplays()
    for n in range(100):
        assert record(replays, proof(str(n), iat=NOW + n), now=NOW + n) is None
    assert record(replays, proof("x", iat=NOW + 1000), now=NOW + 1000) is None
    assert len(replays) == 1


def test_forgotten_proof_is_refused_after_the_clock_is_set_back() -> None:
    """What may have been forgotten is refused, whatever the clock says now."""
    replays = LocalReplays()
    used = proof("a")
    assert record(replays, used) is None
    assert record(replays, proof("b", iat=NOW + 100), now=NOW + 100) is None
    assert record(replays, used, now=NOW) == "dpop_proof_expired"


def test_proofs_per_key_are_bounded() -> None:
    """Beyond its share the key's new proofs are refused; its old ones stay, and others go on."""
    replays = LocalReplays(max_proofs=10, max_proofs_per_key=3)
    assert [record(replays, proof(str(n))) for n in range(4)] == [None, None, None, "dpop_unavailable"]
    assert record(replays, proof("0")) == "dpop_replayed"
    assert record(replays, proof("0", jkt="other")) is None
    assert record(replays, proof("x", iat=NOW + 80), now=NOW + 80) is None  # what expired makes room


def test_full_memory_refuses_new_proofs() -> None:
    """New proofs are refused, as a trouble of ours, with a time to try again."""
    replays = LocalReplays(max_proofs=2)
    assert [record(replays, proof(str(n), jkt=str(n))) for n in range(3)] == [None, None, "dpop_unavailable"]
    assert [record(replays, proof(str(n), jkt=str(n))) for n in range(2)] == ["dpop_replayed"] * 2
    with pytest.raises(AuthError) as caught:
        replays.record_now(proof("new"), NOW)
    assert caught.value.retry_after is not None


def test_many_threads_with_one_proof() -> None:
    """Exactly one of them is admitted."""
    replays, outcomes = LocalReplays(), []
    barrier = threading.Barrier(8)

    def send() -> None:
        barrier.wait()
        outcomes.append(record(replays, proof("a")))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == [None, *["dpop_replayed"] * 7]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(-60, 60), st.integers(0, 40))))
def test_replay_memory_agrees_with_a_naive_model(steps: list[tuple[str, str, int, int]]) -> None:
    """A list of all that was ever accepted: a proof is refused while one of its name can still pass, and counts by key."""
    replays, accepted, now = LocalReplays(), dict[tuple[str, str], float](), NOW
    for jti, jkt, ahead, later in steps:
        now += later
        used = proof(jti, jkt=jkt, iat=now + ahead)
        outcome = record(replays, used, now)
        if accepted.get((jkt, jti), 0.0) >= now:
            assert outcome == "dpop_replayed"
        elif outcome is None:
            accepted[jkt, jti] = used.expires_at
        else:  # remembered a moment longer than need be, or at the very edge of what is forgotten
            assert accepted.get((jkt, jti), 0.0) >= now - 4.0 or used.expires_at < now + 4.0


@pytest.mark.parametrize("name", ["max_proofs", "max_proofs_per_key"])
@pytest.mark.parametrize("value", [0, -1, True, 1.5, "10", None])
def test_invalid_bounds_are_refused(name: str, value: Any) -> None:
    """A bound is a whole number, 1 or more."""
    with pytest.raises(ConfigurationError) as caught:
        LocalReplays(**{name: value})
    assert caught.value.setting == f"replays.{name}"


def test_empty_replay_memory_is_truthy() -> None:
    """An empty one is not false, so that it is not taken for none."""
    assert LocalReplays()
    assert not LocalReplays().is_shared
    assert repr(LocalReplays()) == "<LocalReplays: 0 proofs, in this process only>"
