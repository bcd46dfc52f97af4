"""How long an answer is fresh: what its headers say, and the bounds that the operator sets (RFC 9111)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearward.fetch.caching import lifetime_of
from bearward.jwks.freshness import clamp
from bearward.jwks.options import JWKSOptions

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT

CASES = [
    ("nothing said", {}, None),
    ("max-age", {"cache-control": "max-age=300"}, 300),
    ("among others, in any case", {"cache-control": "Public, MAX-AGE=300, must-revalidate"}, 300),
    ("quoted", {"cache-control": 'max-age="300"'}, 300),
    ("age is taken off", {"cache-control": "max-age=300", "age": "120"}, 180),
    ("older than its lifetime", {"cache-control": "max-age=300", "age": "400"}, 0),
    ("no-store", {"cache-control": "no-store, max-age=300"}, 0),
    ("no-cache", {"cache-control": "no-cache"}, 0),
    ("max-age before Expires", {"cache-control": "max-age=300", "expires": "Fri, 15 Jan 2027 09:00:00 GMT"}, 300),
    ("Expires from Date", {"expires": "Fri, 15 Jan 2027 09:00:00 GMT", "date": "Fri, 15 Jan 2027 08:50:00 GMT"}, 600),
    ("Expires from now", {"expires": "Fri, 15 Jan 2027 09:00:00 GMT"}, 3600),
    ("Expires: 0", {"expires": "0"}, 0),
    ("Expires in the past", {"expires": "Fri, 15 Jan 2027 07:00:00 GMT"}, 0),
    ("no number", {"cache-control": "max-age=soon"}, None),
    ("negative", {"cache-control": "max-age=-1"}, None),
    ("digits of another script", {"cache-control": "max-age=٣"}, None),
    ("absurd", {"cache-control": "max-age=" + "9" * 5000}, 10.0**10),
]


@pytest.mark.parametrize(("why", "headers", "seconds"), CASES, ids=[case[0] for case in CASES])
def test_lifetime_from_response_headers(why: str, headers: dict[str, str], seconds: float | None) -> None:
    """Cache-Control, Age, Expires and Date, as they come."""
    assert lifetime_of(headers, NOW) == seconds


BOUNDS = [(None, 600), (0, 30), (29, 30), (300, 300), (86_400, 600), (math.inf, math.inf)]


@pytest.mark.parametrize(("said", "seconds"), BOUNDS)
def test_issuer_lifetime_is_clamped(said: float | None, seconds: float) -> None:
    """Neither `no-store` nor a year takes the decision out of the operator's hands."""
    assert clamp(said, JWKSOptions(max_age=600, min_age=30)) == seconds


def test_max_age_wins_over_min_age() -> None:
    """The upper bound is the one that security rests on."""
    assert clamp(0, JWKSOptions(max_age=10, min_age=30)) == 10


NAMES = st.sampled_from(["cache-control", "expires", "date", "age"])


@given(st.dictionaries(NAMES, st.text(max_size=80)))
def test_any_header_gives_seconds_or_none(headers: dict[str, str]) -> None:
    """Any header: seconds from 0 up, or nothing said."""
    lifetime = lifetime_of(headers, NOW)
    assert lifetime is None or 0 <= lifetime < math.inf
