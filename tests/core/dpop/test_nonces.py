"""Nonces roll, are the same in a fleet, and are nobody else's to make."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearward import AuthError, ConfigurationError
from bearward.dpop import DPoP, DPoPNonces, check_proof
from bearward.testing import DPoPClient

SECRET = b"0123456789abcdef"
NOW = 1_800_000_000.0  # the beginning of a slot
ORIGIN = "https://api.example"


def test_nonces_are_the_same_in_a_fleet() -> None:
    """Every server with the secret gives the same one at the same time."""
    assert DPoPNonces(SECRET).current(NOW) == DPoPNonces(SECRET).current(NOW + 59.9)
    assert DPoPNonces(SECRET).current(NOW) != DPoPNonces(b"another secret of 16").current(NOW)


def test_nonces_do_not_show_the_secret_or_each_other() -> None:
    """Each is 16 octets of an HMAC: as long as they must be to be unguessable, and none like another."""
    nonces = DPoPNonces(SECRET)
    given_out = {nonces.current(NOW + 60 * n) for n in range(100)}
    assert len(given_out) == 100
    assert {len(nonce) for nonce in given_out} == {22}


@pytest.mark.parametrize(
    ("given_at", "presented_at", "accepted"),
    [
        (0, 0, True),
        (0, 59, True),
        (0, 119, True),  # the next slot
        (59, 119, True),
        (0, 120, False),
        (59, 120, False),
        (60, 59, True),  # by a server whose clock is ahead
        (120, 59, False),  # from the future: nobody has given it yet
        (0, 3600, False),
    ],
)
def test_nonce_is_accepted_in_its_slot_and_the_next(given_at: int, presented_at: int, accepted: bool) -> None:
    """It is good in its slot and the next one, and for a server whose clock is a slot behind."""
    nonces = DPoPNonces(SECRET)
    assert DPoPNonces(SECRET).accepts(nonces.current(NOW + given_at), NOW + presented_at) is accepted


@given(st.text(), st.floats(0, 1e10))
def test_other_texts_are_not_nonces(text: str, now: float) -> None:
    """Any text at any time is refused without an error."""
    assert not DPoPNonces(SECRET).accepts(text, now)


def test_required_nonce_is_checked_last() -> None:
    """Missing, unknown and old nonces are refused by the same code, after all else has held."""
    nonces = DPoPNonces(SECRET)
    policy, client = DPoP(origins=ORIGIN, nonces=nonces), DPoPClient(clock=lambda: NOW)

    def check(now: float = NOW, **options: Any) -> str | None:
        proof = client.proof("GET", f"{ORIGIN}/x", token="t", iat=int(now), **options)
        try:
            check_proof(proof, token="t", jkt=client.jkt, htm="GET", path="/x", policy=policy, now=now)
        except AuthError as error:
            return error.code
        return None

    assert check(nonce=nonces.current(NOW)) is None
    assert check(nonce=nonces.current(NOW), now=NOW + 119) is None
    assert check(nonce=nonces.current(NOW), now=NOW + 120) == "dpop_nonce_required"
    assert check() == "dpop_nonce_required"
    assert check(nonce="") == "dpop_nonce_required"
    assert check(nonce="made-up") == "dpop_nonce_required"
    assert check(nonce="é") == "dpop_nonce_required"
    assert check(ath="x") == "dpop_token_mismatch"
    assert check(signed_by=DPoPClient().key) == "dpop_signature_invalid"


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"secret": b"short"}, "nonces.secret"),
        ({"secret": "0123456789abcdef"}, "nonces.secret"),
        ({"period": 0.5}, "nonces.period"),
        ({"period": 3601}, "nonces.period"),
        ({"period": float("nan")}, "nonces.period"),
        ({"period": True}, "nonces.period"),
        ({"period": "60"}, "nonces.period"),
    ],
)
def test_invalid_settings_are_refused(options: dict[str, Any], setting: str) -> None:
    """A secret that can be guessed and a period out of bounds raise `ConfigurationError`."""
    with pytest.raises(ConfigurationError) as caught:
        DPoPNonces(**{"secret": SECRET, **options})
    assert caught.value.setting == setting
    assert "0123456789abcdef" not in str(caught.value)


def test_repr_shows_no_secret() -> None:
    """Only how often a new one comes."""
    assert repr(DPoPNonces(SECRET)) == "<DPoPNonces: a new one every 60 s>"
