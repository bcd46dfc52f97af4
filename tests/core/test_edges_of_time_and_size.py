"""The edges of sizes and of moments: the last that is taken, the first that is not.

Each test here once was the answer to a change of the code that no other test noticed (see docs/evidence/mutation.md).
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bearward import AuthError, JWKSOptions, Refusal, TrustedIssuer
from bearward.jose import base64url
from bearward.jose.compact import MAX_TOKEN, parse_compact
from bearward.jwks.freshness import Record, next_attempt, usable_until

OPTIONS = JWKSOptions(max_age=100, stale_if_error=300, cooldown=10)
HELD = Record(fetched_at=0.0, fresh_until=100.0, refresh_at=50.0)


@pytest.mark.parametrize("text", [b"XXXX", b"AXXX", b"XAAA", b"X-_A", b""])
def test_encoding_takes_nothing_but_padding_away(text: bytes) -> None:
    """Whatever characters the text begins and ends with."""
    assert base64url.encode(base64url.decode(text)) == text


@pytest.mark.parametrize(
    ("length", "refusal"),
    [
        (MAX_TOKEN - 1, Refusal.TOKEN_MALFORMED),
        (MAX_TOKEN, Refusal.TOKEN_MALFORMED),
        (MAX_TOKEN + 1, Refusal.TOKEN_TOO_LARGE),
    ],
)
def test_a_token_may_have_16_kib(length: int, refusal: Refusal) -> None:
    """The longest is looked at, and is malformed for another reason."""
    with pytest.raises(AuthError) as refused:
        parse_compact("a" * length)
    assert refused.value.refusal is refusal


@pytest.mark.parametrize("dots", [0, 1, 3, 5, 6, 7, 100])
def test_only_three_segments_are_a_token(dots: int) -> None:
    """Whatever the number of dots; five segments are those of a JWE."""
    with pytest.raises(AuthError) as refused:
        parse_compact("e30" + ".e30" * dots)
    assert refused.value.refusal is Refusal.TOKEN_MALFORMED
    with pytest.raises(AuthError) as encrypted:
        parse_compact("e30" + ".e30" * 4)
    assert encrypted.value.refusal is Refusal.TOKEN_ENCRYPTED


def test_plain_http_is_for_who_says_so() -> None:
    """For the issuer itself as for its keys."""
    assert TrustedIssuer("http://login.example", audience="api", unsafe_allow_http=True).unsafe_allow_http
    local = TrustedIssuer("http://127.0.0.1:1", audience="api", jwks_uri="http://localhost:1/jwks")
    assert local.jwks_uri == "http://localhost:1/jwks"


@pytest.mark.parametrize(("failed_at", "until"), [(49.0, 100.0), (50.0, 400.0), (51.0, 400.0)])
def test_a_failure_excuses_an_old_set_from_the_moment_that_a_refresh_was_due(failed_at: float, until: float) -> None:
    """At that very moment too."""
    record = Record(
        fetched_at=0.0, fresh_until=100.0, refresh_at=50.0, failures=1, failed_at=failed_at, not_before=60.0
    )
    assert usable_until(record, OPTIONS) == until


def test_the_brake_holds_back_after_a_failure_only() -> None:
    """Before one, a lookup leads to an attempt as soon as a refresh is due."""
    braked = Record(fetched_at=0.0, fresh_until=100.0, refresh_at=50.0, level=0.0, level_at=45.0)
    assert next_attempt(braked, OPTIONS) == 50.0
    assert next_attempt(replace(braked, failures=1), OPTIONS) == 55.0
    assert next_attempt(replace(braked, failures=1, not_before=70.0), OPTIONS) == 70.0
    assert next_attempt(HELD, OPTIONS) == 50.0
