"""Generated headers and claims: every registered member with every kind of value, sensible or not.

Rule of this file: Python values, written as JSON by the caller; numbers go to the borders of what JSON can say.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.properties.fixtures import AUDIENCE, ISSUER, NOW

__all__ = ["claim_sets", "headers"]

_text = st.text(max_size=6) | st.sampled_from(["", " ", "RS256", "none", "JWT", "ada", AUDIENCE, ISSUER, "a b", "\x00"])
_numbers = st.one_of(
    st.sampled_from([0, 1, -1, NOW, NOW + 300, int(NOW) - 10, 1e15, -1e15, 10**15, 1e308, -1e308, 5e-324, -0.0]),
    st.sampled_from([10**400, -(10**400), 10**4299, 2**53 + 1, 2**63, 2**64]),
    st.integers(int(NOW) - 5, int(NOW) + 5),
    st.floats(allow_nan=False, allow_infinity=False),
)
_leaves = st.none() | st.booleans() | _numbers | _text
_values: st.SearchStrategy[Any] = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=5,
)

_HEADER_NAMES = [
    "kid",
    "typ",
    "cty",
    "crit",
    "b64",
    "zip",
    "enc",
    "jku",
    "jwk",
    "x5c",
    "x5u",
    "x5t",
    "epk",
    "nonce",
    "",
]
_CLAIM_NAMES = [
    *("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "scp", "client_id", "azp", "cnf", "sid"),
    *("auth_time", "acr", "amr", "roles", "realm_access", "", "a.b"),
]
_types = st.sampled_from(["JWT", "at+jwt", "AT+JWT", "application/at+jwt", "logout+jwt", "dpop+jwt", "", "/", "a/b/c"])


def _overlaid(base: dict[str, Any], over: dict[str, Any], without: set[str]) -> dict[str, Any]:
    return {name: value for name, value in {**base, **over}.items() if name not in without}


def headers(alg: str, kid: str) -> st.SearchStrategy[dict[str, Any]]:
    """Headers around a good one: mostly one or two members are odd."""
    odd = st.dictionaries(st.sampled_from(_HEADER_NAMES), _values | _types, max_size=2)
    named = st.sampled_from([{"alg": alg}] * 6 + [{"alg": "none"}, {"alg": None}, {"alg": [alg]}, {"alg": alg.lower()}])
    without = st.sets(st.sampled_from(["alg", "kid"]), max_size=1) | st.just(set[str]())
    return st.builds(lambda a, o, w: _overlaid({"kid": kid, **a}, o, w), named, odd, without)


def claim_sets() -> st.SearchStrategy[dict[str, Any]]:
    """Claims around good ones: mostly one to three are odd."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": NOW - 10, "exp": NOW + 300, "jti": "t-1"}
    odd = st.dictionaries(st.sampled_from(_CLAIM_NAMES), _values, max_size=3)
    without = st.just(set[str]()) | st.sets(st.sampled_from(sorted(good)), max_size=1)
    return st.builds(lambda o, w: _overlaid(good, o, w), odd, without)
