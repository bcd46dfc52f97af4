"""The very edges of rules, where an off-by-one or a dropped case would go unnoticed elsewhere.

Each test here once was the answer to a change of the code that no other test noticed (see docs/evidence/mutation.md).
"""

from __future__ import annotations

import pickle
from hashlib import sha256
from typing import Any

import pytest

from bearward import AuthError, Principal, Refusal, Revocations, SymmetricKey, authorize, recent_authentication, scope
from bearward.challenge import quoted
from bearward.credentials import bearer_token
from bearward.jose import base64url
from bearward.jose.jwk import VerificationKey
from bearward.jose.strict_json import JSONLimits, parse_object, parse_object_reference
from tests.core.fake_clock import FakeClock

NOW = FakeClock().now()


def who(**claims: Any) -> Principal:
    """A principal whose token was verified."""
    good = {"iss": "https://login.example", "sub": "ada", "jti": "1", "exp": NOW + 300}
    return Principal.from_verified_claims({**good, **claims}, "k1")


@pytest.mark.parametrize("token", ["X", "Xa", "aX", "XaX", "-._~+/", "a=="])
def test_white_space_around_a_token_is_all_that_is_taken_away(token: str) -> None:
    """Whatever letters it begins and ends with."""
    assert bearer_token([f" \tBearer   {token}\t "]) == token


def test_the_longest_value_is_sixteen_characters_longer_than_the_longest_token() -> None:
    """Room for the scheme and some white space; one more is refused unread."""
    token = "a" * 100
    longest = "Bearer" + " " * 10 + token
    assert bearer_token([longest], max_length=100) == token
    for value, length in ((longest + " ", 100), ("Bearer " + token, 99), ("Basic " + token * 2, 100)):
        with pytest.raises(AuthError) as refused:
            bearer_token([value], max_length=length)
        assert refused.value.refusal is Refusal.TOKEN_TOO_LARGE


def test_a_quoted_string_holds_all_visible_characters() -> None:
    """From the space to the tilde, and nothing beyond."""
    assert quoted(" !~") == '" !~"'
    assert quoted("\x1f\x7f\xa0é") == '"????"'


def test_a_shared_secret_has_the_thumbprint_that_the_rfc_gives_it() -> None:
    """RFC 7638 section 3.2: of an `oct` key, `k` and `kty`."""
    secret = bytes(range(32))
    key = VerificationKey.symmetric(SymmetricKey(secret))
    canonical = b'{"k":"' + base64url.encode(secret) + b'","kty":"oct"}'
    assert key.thumbprint == base64url.encode(sha256(canonical).digest()).decode()


def test_principals_that_differ_hash_apart() -> None:
    """By issuer, subject, token and expiry: a set of callers stays a set, and a fast one."""
    others = [who(iss="x"), who(sub="x"), who(jti="x"), who(exp=NOW)]
    assert len({hash(one) for one in (who(), *others)}) == 5
    assert hash(who()) == hash(who())


def test_a_principal_is_not_pickled() -> None:
    """And says why."""
    with pytest.raises(
        TypeError, match=r"^a Principal is not pickled: a pickle is no proof that a token was verified$"
    ):
        pickle.dumps(who())


@pytest.mark.parametrize(
    "make",
    [lambda one, two: one & two, lambda one, two: one | two, lambda one, two: two & one],
    ids=["and", "or", "turned"],
)
def test_time_reaches_each_part_of_a_requirement(make: Any) -> None:
    """A recent log-in is judged by the same `now`, alone and in company."""
    requirement = make(recent_authentication(max_age=60), scope("never") | recent_authentication(max_age=60))
    authorize(who(auth_time=NOW - 60), requirement, NOW)
    for moment in (NOW - 60.5, NOW + 0.5):
        with pytest.raises(AuthError):
            authorize(who(auth_time=moment), requirement, NOW)


def test_what_is_revoked_for_ever_is_never_forgotten() -> None:
    """A key, a subject and a session without `until`."""
    revocations = Revocations(clock=FakeClock())
    revocations.revoke_key("https://login.example", "k1")
    revocations.revoke_subject("https://login.example", "ada", before=NOW)
    revocations.revoke_session("https://login.example", "s", before=NOW)
    revocations.prune(NOW * 1000)
    assert len(revocations) == 3


@pytest.mark.parametrize("parse", [parse_object, parse_object_reference], ids=["fast", "slow"])
@pytest.mark.parametrize("name", [b"a", rb"\u0061"])
def test_what_was_closed_again_does_not_make_room_for_deeper_nesting(parse: Any, name: bytes) -> None:
    """Depth is counted as it is, whatever stands beside."""
    limits = JSONLimits(depth=4, containers=100)
    closed = b",".join(b'"%d":[{}]' % number for number in range(9))
    deepest = b"{" + closed + b',"' + name + b'":[[[]]]}'
    assert parse(deepest, limits)
    with pytest.raises(ValueError, match="strict"):
        parse(deepest.replace(b"[[[]]]", b"[[[[]]]]"), limits)
    with pytest.raises(ValueError, match="strict"):
        parse(deepest, JSONLimits(depth=4, containers=21))
    assert parse(deepest, JSONLimits(depth=4, containers=22))
