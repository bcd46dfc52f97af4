"""Several policies of one issuer, such as for its access tokens and its ID tokens: which one a token is checked by.

Rules of this file: pure; at most one policy can be meant, by what the token says of itself (`typ`, or a claim that each
policy expects another value of). What a token says chooses no more than the policy that it must then satisfy whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from bearward.errors import ConfigurationError
from bearward.jose.compact import JOSEHeader, UnverifiedToken
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["Presented", "check_told_apart", "policy_for"]

_SHARED = (
    "jwks_uri",
    "pem_uri",
    "metadata_uri",
    "jwks",
    "symmetric_keys",
    "jwks_options",
    "unsafe_allow_http",
    "leeway",
    "max_token_age",
    "place",
)
"""What policies of one issuer have in common: one set of keys, and one place."""


class Presented(NamedTuple):
    """What a token said of itself, of one that was verified before."""

    header: JOSEHeader
    claims: Mapping[str, Any]


def check_told_apart(policies: Sequence[TrustedIssuer]) -> None:
    """Raise `ConfigurationError` unless each two of the policies, all of one issuer, can be distinguished."""
    for one, other in combinations(policies, 2):
        for name in _SHARED:
            if getattr(one, name) != getattr(other, name):
                raise ConfigurationError("issuers", f"must have the same {name} where they name the same issuer")
        if not _told_apart(one, other):
            raise ConfigurationError(
                "issuers",
                "must not name the same issuer twice, unless token_types or one of expected_claims tells them apart",
            )


def policy_for(policies: Sequence[TrustedIssuer], token: Presented | UnverifiedToken) -> TrustedIssuer:
    """The policy that matches the token; if none does, the first, which will refuse it."""
    return next((policy for policy in policies if _meant(policy, token)), policies[0])


def _told_apart(one: TrustedIssuer, other: TrustedIssuer) -> bool:
    if not set(one.token_types) & set(other.token_types):
        return True
    both = one.expected_claims.keys() & other.expected_claims.keys()
    return any(not set(_typed(one, name)) & set(_typed(other, name)) for name in both)


def _meant(policy: TrustedIssuer, token: Presented | UnverifiedToken) -> bool:
    if token.header.typ not in policy.token_types:
        return False
    claims = token.claims
    return all(
        name in claims and any(claims[name] == value and type(claims[name]) is type(value) for value in values)
        for name, values in policy.expected_claims.items()
    )


def _typed(policy: TrustedIssuer, name: str) -> list[tuple[type, object]]:
    return [
        (type(value), value) for value in policy.expected_claims[name]
    ]  # `True == 1` in Python; in JSON they differ
