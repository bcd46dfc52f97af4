"""The rules for claims, against a policy and one moment (RFC 7519 section 4.1, RFC 9068 section 4)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bearward import Refusal
from bearward.claims import check_claims, check_times, claims_pass, issuer_claim, validity_window
from bearward.errors import AuthError
from bearward.trusted_issuer import TrustedIssuer

NOW = 1_800_000_000.0
ISSUER, AUDIENCE = "https://login.example", "https://api.example"
OUT = object()


def _policy(**settings: Any) -> TrustedIssuer:
    return TrustedIssuer(ISSUER, **{"audience": AUDIENCE, "future_leeway": 0.0, **settings})


def _claims(**changes: Any) -> dict[str, Any]:
    honest = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": NOW + 60, "iat": NOW - 60, "jti": "1"}
    return {name: value for name, value in {**honest, **changes}.items() if value is not OUT}


def _verdict(claims: dict[str, Any], policy: TrustedIssuer, now: float = NOW, **how: bool) -> tuple[str, str | None]:
    try:
        check_times(claims, policy, now)
        check_claims(claims, policy, **how)
    except AuthError as refused:
        return refused.code, refused.claim
    return "valid", None


DEFAULT, LENIENT = _policy(), _policy(leeway=30.0)
MALFORMED, MISSING = "claim_malformed", "claim_missing"

TIMES: dict[str, tuple[dict[str, Any], TrustedIssuer, tuple[str, str | None]]] = {
    "now is exp": ({"exp": NOW}, DEFAULT, ("token_expired", None)),
    "just before exp": ({"exp": NOW + 0.001}, DEFAULT, ("valid", None)),
    "exp and leeway": ({"exp": NOW - 30}, LENIENT, ("token_expired", None)),
    "just within leeway of exp": ({"exp": NOW - 29.999}, LENIENT, ("valid", None)),
    "now is nbf": ({"nbf": NOW}, DEFAULT, ("valid", None)),
    "just before nbf": ({"nbf": NOW + 0.001}, DEFAULT, ("token_not_yet_valid", None)),
    "nbf and leeway": ({"nbf": NOW + 30}, LENIENT, ("valid", None)),
    "just beyond leeway of nbf": ({"nbf": NOW + 30.001}, LENIENT, ("token_not_yet_valid", None)),
    "now is iat": ({"iat": NOW}, DEFAULT, ("valid", None)),
    "iat ahead": ({"iat": NOW + 0.001}, DEFAULT, ("token_issued_in_future", None)),
    "iat and leeway": ({"iat": NOW + 30}, LENIENT, ("valid", None)),
    "iat beyond leeway": ({"iat": NOW + 30.001}, LENIENT, ("token_issued_in_future", None)),
    "no exp": ({"exp": OUT}, DEFAULT, (MISSING, "exp")),
    "no exp, allowed": ({"exp": OUT}, _policy(unsafe_allow_no_expiry=True), ("valid", None)),
    "exp past, its absence allowed": ({"exp": 1}, _policy(unsafe_allow_no_expiry=True), ("token_expired", None)),
    "no nbf, no iat": ({"iat": OUT}, DEFAULT, ("valid", None)),
    "far ahead": ({"exp": 1e299}, DEFAULT, ("valid", None)),
    "further than any date": ({"exp": 1e300}, DEFAULT, (MALFORMED, "exp")),
    "integer beyond a double": ({"exp": 10**400}, DEFAULT, (MALFORMED, "exp")),
    "integer below a double": ({"iat": -(10**400)}, DEFAULT, (MALFORMED, "iat")),
    "not a number": ({"exp": math.nan}, DEFAULT, (MALFORMED, "exp")),
    "infinite": ({"exp": math.inf}, DEFAULT, (MALFORMED, "exp")),
}
KINDS: tuple[Any, ...] = (None, True, False, "", str(NOW), [NOW], {})
for _name in ("exp", "nbf", "iat"):
    for _value in KINDS:
        TIMES[f"{_name} {_value!r}"] = ({_name: _value}, DEFAULT, (MALFORMED, _name))

AGED = _policy(max_token_age=100.0)
AGES: dict[str, tuple[dict[str, Any], TrustedIssuer, tuple[str, str | None]]] = {
    "young": ({"iat": NOW - 99.9}, AGED, ("valid", None)),
    "of age": ({"iat": NOW - 100}, AGED, ("token_too_old", None)),
    "within leeway": ({"iat": NOW - 129}, _policy(max_token_age=100.0, leeway=30.0), ("valid", None)),
    "beyond leeway": ({"iat": NOW - 130}, _policy(max_token_age=100.0, leeway=30.0), ("token_too_old", None)),
    "no iat": ({"iat": OUT}, AGED, (MISSING, "iat")),
}

MISMATCH = ("audience_mismatch", None)
AUDIENCES: dict[str, tuple[dict[str, Any], TrustedIssuer, tuple[str, str | None]]] = {
    "ours": ({"aud": AUDIENCE}, DEFAULT, ("valid", None)),
    "a list with ours": ({"aud": ["x", AUDIENCE]}, DEFAULT, ("valid", None)),
    "one of two of ours": ({"aud": "b"}, _policy(audience=["a", "b"]), ("valid", None)),
    "absent": ({"aud": OUT}, DEFAULT, (MISSING, "aud")),
    "another": ({"aud": "x"}, DEFAULT, MISMATCH),
    "others": ({"aud": ["x", "y"]}, DEFAULT, MISMATCH),
    "a prefix of ours": ({"aud": AUDIENCE[:-1]}, DEFAULT, MISMATCH),
    "ours is a prefix": ({"aud": AUDIENCE + "/"}, DEFAULT, MISMATCH),
    "in capitals": ({"aud": AUDIENCE.upper()}, DEFAULT, MISMATCH),
    "empty": ({"aud": ""}, DEFAULT, MISMATCH),
    "empty list": ({"aud": []}, DEFAULT, (MALFORMED, "aud")),
    "empty list, none asked for": (
        {"aud": [], "client_id": "a"},
        _policy(audience=(), client_ids=["a"]),
        ("valid", None),
    ),
    "empty list, any allowed": ({"aud": []}, _policy(audience=(), unsafe_any_audience=True), ("valid", None)),
    "empty object": ({"aud": {}}, _policy(audience=(), unsafe_any_audience=True), (MALFORMED, "aud")),
    "empty text": ({"aud": ""}, DEFAULT, ("audience_mismatch", None)),
    "null": ({"aud": None}, DEFAULT, (MALFORMED, "aud")),
    "a number": ({"aud": 1}, DEFAULT, (MALFORMED, "aud")),
    "an object": ({"aud": {AUDIENCE: 1}}, DEFAULT, (MALFORMED, "aud")),
    "a number in the list": ({"aud": [AUDIENCE, 1]}, DEFAULT, (MALFORMED, "aud")),
    "a list in the list": ({"aud": [[AUDIENCE]]}, DEFAULT, (MALFORMED, "aud")),
    "any, by choice": ({"aud": "x"}, _policy(unsafe_any_audience=True), ("valid", None)),
    "a number, any allowed": ({"aud": 1}, _policy(unsafe_any_audience=True), (MALFORMED, "aud")),
}

CLIENTS = _policy(audience=(), client_ids=["c1", "c2"])
NO_AUDIENCE = {"aud": OUT}
CLIENT_ROWS: dict[str, tuple[dict[str, Any], TrustedIssuer, tuple[str, str | None]]] = {
    "client_id": ({**NO_AUDIENCE, "client_id": "c2"}, CLIENTS, ("valid", None)),
    "azp": ({**NO_AUDIENCE, "azp": "c1"}, CLIENTS, ("valid", None)),
    "client_id goes before azp": (
        {**NO_AUDIENCE, "client_id": "x", "azp": "c1"},
        CLIENTS,
        ("claim_mismatch", "client_id"),
    ),
    "another": ({**NO_AUDIENCE, "client_id": "c3"}, CLIENTS, ("claim_mismatch", "client_id")),
    "absent": (NO_AUDIENCE, CLIENTS, (MISSING, "client_id")),
    "null": ({**NO_AUDIENCE, "client_id": None}, CLIENTS, (MISSING, "client_id")),
    "a list": ({**NO_AUDIENCE, "client_id": ["c1"]}, CLIENTS, (MALFORMED, "client_id")),
    "an aud for others": ({"aud": "x", "client_id": "c1"}, CLIENTS, MISMATCH),
    "both are asked for": ({"client_id": "x"}, _policy(client_ids="c1"), ("claim_mismatch", "client_id")),
}

USE = _policy(expected_claims={"token_use": "access", "level": [1, 2], "mfa": True})
GOOD_USE = {"token_use": "access", "level": 2, "mfa": True}
OTHERS: dict[str, tuple[dict[str, Any], TrustedIssuer, tuple[str, str | None]]] = {
    **{f"sub {v!r}": ({"sub": v}, DEFAULT, (MALFORMED, "sub")) for v in (None, 1, True, ["ada"])},
    **{f"jti {v!r}": ({"jti": v}, DEFAULT, (MALFORMED, "jti")) for v in (None, 1, True, ["1"])},
    "no sub, jti 7": ({"sub": OUT, "jti": 7}, DEFAULT, (MALFORMED, "jti")),
    "no sub, no jti": ({"sub": OUT, "jti": OUT}, DEFAULT, ("valid", None)),
    "a claim that is required": ({}, _policy(required_claims=["email"]), (MISSING, "email")),
    "it is there": ({"email": None}, _policy(required_claims=["email"]), ("valid", None)),
    "cnf": ({"cnf": {"jkt": "x"}}, DEFAULT, ("token_sender_constrained", None)),
    "cnf null": ({"cnf": None}, DEFAULT, ("token_sender_constrained", None)),
    "no cnf, asked for": ({}, _policy(sender="constrained"), ("sender_constraint_required", None)),
    "cnf, never taken": ({"cnf": {"jkt": "x"}}, _policy(sender="bearer"), ("token_sender_constrained", None)),
    "no cnf, never taken": ({}, _policy(sender="bearer"), ("valid", None)),
    "expected": (GOOD_USE, USE, ("valid", None)),
    "expected, absent": ({**GOOD_USE, "level": OUT}, USE, (MISSING, "level")),
    "expected, another": ({**GOOD_USE, "token_use": "id"}, USE, ("claim_mismatch", "token_use")),
    "expected a number, true": ({**GOOD_USE, "level": True}, USE, ("claim_mismatch", "level")),
    "expected true, a number": ({**GOOD_USE, "mfa": 1}, USE, ("claim_mismatch", "mfa")),
    "expected a number, its fraction": ({**GOOD_USE, "level": 1.0}, USE, ("claim_mismatch", "level")),
    "expected a text, a list with it": ({**GOOD_USE, "token_use": ["access"]}, USE, ("claim_mismatch", "token_use")),
}

ROWS = [(f"{group}: {name}", *row) for group, rows in
        (("time", TIMES), ("age", AGES), ("audience", AUDIENCES), ("client", CLIENT_ROWS), ("other", OTHERS))
        for name, row in rows.items()]  # fmt: skip


@pytest.mark.parametrize(("changes", "policy", "verdict"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_rules(changes: dict[str, Any], policy: TrustedIssuer, verdict: tuple[str, str | None]) -> None:
    """Each claim by its rule; the error names the claim and never its value."""
    assert _verdict(_claims(**changes), policy) == verdict


@pytest.mark.parametrize(("changes", "policy", "verdict"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_rules_with_whole_numbers(
    changes: dict[str, Any], policy: TrustedIssuer, verdict: tuple[str, str | None]
) -> None:
    """Dates are integers in most tokens, and treated as others are."""
    claims = {
        name: int(value) if name in ("exp", "nbf", "iat") and type(value) is float and value.is_integer() else value
        for name, value in _claims(**changes).items()
    }
    assert _verdict(claims, policy) == verdict


@pytest.mark.parametrize(("changes", "policy", "verdict"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_claims_pass_if_nothing_but_the_signature_is_in_doubt(
    changes: dict[str, Any], policy: TrustedIssuer, verdict: tuple[str, str | None]
) -> None:
    """Keys are worth fetching for claims that pass; times were checked before, and a binding is the caller's to check."""
    in_time = {**_claims(**changes), **{name: NOW + step for name, step in (("exp", 60), ("iat", -60), ("nbf", -60))}}
    absent = {name for name, value in changes.items() if value is OUT}
    claims = {name: value for name, value in in_time.items() if name not in absent}
    for allow_bound in (False, True):
        passes = _verdict(claims, policy, allow_bound=allow_bound)[0] == "valid"
        assert claims_pass(_claims(**changes), policy, allow_bound=allow_bound) is passes


WHOLE = int(NOW)
USUAL: dict[str, tuple[dict[str, Any], dict[str, Any], float]] = {
    "whole seconds": ({}, {}, NOW),
    "issued just now": ({"iat": WHOLE}, {}, NOW),
    "issued by a clock that is ahead": ({"iat": WHOLE + 3}, {"future_leeway": 5.0}, NOW),
    "within the leeway of exp": ({"exp": WHOLE - 3}, {"leeway": 5.0}, NOW),
    "one of our audiences": ({"aud": "b"}, {"audience": ["a", "b"]}, NOW),
    "the first second": ({"exp": 1, "iat": 1}, {"future_leeway": 1.0}, 0.0),
}


@pytest.mark.parametrize("name", USUAL)
def test_usual_token_takes_the_fast_path(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hot path: whole seconds and one audience need none of the checks for everything that a claim may be."""

    def thorough(*_: object) -> None:
        pytest.fail("a usual token was looked at twice")

    for check in ("_check_expiry", "_check_issued_at", "check_audience"):
        monkeypatch.setattr(f"bearward.claims.{check}", thorough)
    changes, settings, now = USUAL[name]
    claims = _claims(**{"exp": WHOLE + 60, "iat": WHOLE - 60, **changes})
    assert _verdict(claims, _policy(**settings), now) == ("valid", None)


def test_bound_token_passes_if_the_caller_checks_the_binding() -> None:
    """RFC 7800: with `allow_bound` everything else is still checked."""
    assert _verdict(_claims(cnf={}), DEFAULT, allow_bound=True) == ("valid", None)
    assert _verdict(_claims(cnf={}, exp=1), DEFAULT, allow_bound=True) == ("token_expired", None)
    assert _verdict(_claims(cnf={}), _policy(sender="constrained"), allow_bound=True) == ("valid", None)
    assert _verdict(_claims(cnf={}), _policy(sender="bearer"), allow_bound=True) == ("token_sender_constrained", None)
    assert not claims_pass(_claims(cnf={}), DEFAULT)


@pytest.mark.parametrize(
    ("claims", "verdict"),
    [
        ({}, MISSING),
        ({"iss": None}, MALFORMED),
        ({"iss": 1}, MALFORMED),
        ({"iss": [ISSUER]}, MALFORMED),
        ({"iss": None, "sub": "spiffe://example.org/ns/shop"}, MALFORMED),
        ({"iss": 1, "sub": "spiffe://example.org/ns/shop"}, MALFORMED),
    ],
)
def test_issuer_claim_is_a_string(claims: dict[str, Any], verdict: str) -> None:
    """Without one there is no policy to judge by; a trust domain stands for one that is absent, not for a malformed one."""
    with pytest.raises(AuthError) as refused:
        issuer_claim(claims)
    assert (refused.value.code, refused.value.claim) == (verdict, "iss")
    assert issuer_claim({"iss": ""}) == ""


@pytest.mark.parametrize(
    ("changes", "settings", "span"),
    [
        ({}, {}, (NOW - 60, NOW + 60)),
        ({"nbf": NOW - 10}, {}, (NOW - 10, NOW + 60)),
        ({"nbf": NOW - 90}, {"leeway": 5.0}, (NOW - 65, NOW + 65)),
        ({"iat": OUT}, {}, (0, NOW + 60)),
        ({}, {"max_token_age": 100.0}, (NOW - 60, NOW + 40)),
        ({}, {"max_token_age": 1000.0, "leeway": 1.0}, (NOW - 61, NOW + 61)),
        ({"exp": OUT}, {"unsafe_allow_no_expiry": True}, (NOW - 60, math.inf)),
        ({"exp": OUT}, {"unsafe_allow_no_expiry": True, "max_token_age": 90.0}, (NOW - 60, NOW + 30)),
    ],
)
def test_how_long_claims_stay_valid(
    changes: dict[str, Any], settings: dict[str, Any], span: tuple[float, float]
) -> None:
    """At both ends the answer of `validate` changes, and nowhere between: what caches rely on."""
    claims, policy = _claims(**changes), _policy(**settings)
    assert validity_window(claims, policy) == span
    start, end = span
    assert _verdict(claims, policy, start)[0] == "valid"
    if start:
        assert _verdict(claims, policy, start - 0.01)[0] in ("token_not_yet_valid", "token_issued_in_future")
    if math.isfinite(end):
        assert _verdict(claims, policy, end - 0.01)[0] == "valid"
        assert _verdict(claims, policy, end)[0] in ("token_expired", "token_too_old")


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_numeric_date_beyond_1e300_is_malformed(name: str) -> None:
    """The first number beyond is malformed, on either side."""
    policy = TrustedIssuer(ISSUER, audience="api")
    for far in (1e300, -1e300, 10**400, -(10**400)):
        with pytest.raises(AuthError) as refused:
            check_times({"exp": NOW + 1, name: far}, policy, NOW)
        assert refused.value.refusal is Refusal.CLAIM_MALFORMED
        assert refused.value.claim == name


@pytest.mark.parametrize("name", ["iat", "nbf"])
@pytest.mark.parametrize(
    ("settings", "ahead"),
    [({}, 5.0), ({"leeway": 2}, 5.0), ({"leeway": 60}, 60.0), ({"future_leeway": 1}, 1.0), ({"future_leeway": 0}, 0.0)],
)
def test_issuer_clock_ahead_is_allowed_by_the_leeway(name: str, settings: dict[str, Any], ahead: float) -> None:
    """`iat` and `nbf` may lie ahead by the greater of the two leeways; `exp` goes by `leeway` alone."""
    trusted = TrustedIssuer(ISSUER, audience=AUDIENCE, **settings)
    now, leeway = 1_800_000_000.0, trusted.leeway
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": now + 300, name: now + ahead}
    check_times(claims, trusted, now)
    assert validity_window(claims, trusted) == (now, now + 300 + leeway)
    with pytest.raises(AuthError) as refused:
        check_times({**claims, name: now + ahead + 0.01}, trusted, now)
    assert refused.value.code in ("token_issued_in_future", "token_not_yet_valid")
    with pytest.raises(AuthError) as refused:
        check_times({**claims, "exp": now - leeway, name: now - 1}, trusted, now)
    assert refused.value.code == "token_expired"
