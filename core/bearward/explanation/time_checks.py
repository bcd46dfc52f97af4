"""The checks of header and times: algorithm, `typ`, expiry, and the two claims that say from when a token is valid.

Rules of this file: pure; `check_header` and `check_times` decide, each asked about one thing at a time.
"""

from __future__ import annotations

from typing import Any

from bearward.claims import check_times
from bearward.errors import AuthError
from bearward.explanation.context import Reader, judged
from bearward.explanation.report import Check
from bearward.explanation.wording import duration, names
from bearward.jose.algorithms import ALGORITHMS, SYMMETRIC
from bearward.refusals import Refusal
from bearward.verification import check_header

__all__ = ["header_checks", "time_checks"]

_TYPES = frozenset({None, "jwt", "at+jwt", "dpop+jwt", "logout+jwt", "secevent+jwt", "id_token+jwt", "jws", "jose"})
_SKEW = 300.0
"""Seconds by which clocks are still believed to differ: what leeway may be at most."""
_MILLISECONDS = 1e12  # as seconds that is the year 33658


def header_checks(reader: Reader) -> list[Check]:
    """Algorithm and `typ`."""
    header, policy = reader.token.header, reader.policy
    allowed, accepted = next(iter(policy.algorithms)), next(iter(policy.token_types))
    alg = header.alg if header.alg in ALGORITHMS or header.alg.lower() == "none" else "an algorithm that is not known"
    typ = header.typ if header.typ in _TYPES | set(policy.token_types) else "another typ"
    return [
        judged(
            "algorithm",
            names(policy.algorithms),
            alg,
            lambda: check_header(header._replace(typ=accepted), policy),
            _algorithm_hint(header.alg),
        ),
        judged(
            "type",
            names(policy.token_types),
            "no typ" if typ is None else typ,
            lambda: check_header(header._replace(alg=allowed), policy),
            _type_hint(header.typ),
        ),
    ]


def time_checks(reader: Reader) -> list[Check]:
    """`exp`, `nbf`, and `iat` with what is asked of a token's age."""
    policy = reader.policy
    expiry = "in the future, if there is one" if policy.unsafe_allow_no_expiry else "in the future"
    age = "" if policy.max_token_age is None else f", and at most {duration(policy.max_token_age)} ago"
    lead = f"not in the future ({duration(policy.max_clock_lead)} allowed)"
    return [
        _time("expiry", "exp", f"exp {expiry}{_granted(policy.leeway)}", reader),
        _time("not before", "nbf", f"nbf {lead}", reader),
        _time("issued at", "iat", f"iat {lead}{age}", reader),
    ]


def _time(name: str, claim: str, asked: str, reader: Reader) -> Check:
    claims, now = reader.token.claims, reader.context.now
    alone = {claim: claims[claim]} if claim in claims else {}
    return judged(
        name,
        asked,
        _distance(claim, alone, now, reader),
        lambda: check_times(alone, reader.policy, now),
        lambda error: _time_hint(error, alone.get(claim), now),
    )


def _granted(leeway: float) -> str:
    return f" (leeway: {duration(leeway)})" if leeway else ""


def _distance(claim: str, alone: dict[str, Any], now: float, reader: Reader) -> str:
    """How far away a time is: what is asked about, and less than the claim's value says."""
    if not alone:
        return f"no {claim}"
    date = alone[claim]
    if isinstance(date, bool) or not isinstance(date, int | float):
        return reader.value(claim)
    if abs(date) > _MILLISECONDS:
        return f"{claim} is thousands of years {'ago' if date < 0 else 'in the future'}"
    away = date - now
    if claim == "exp":
        return f"expired {duration(away)} ago" if away <= 0 else f"expires in {duration(away)}"
    return f"{claim} is {duration(away)} {'in the future' if away > 0 else 'ago'}"


def _time_hint(error: AuthError, date: Any, now: float) -> str:
    if error.refusal is Refusal.CLAIM_MALFORMED:
        return "it must be a JSON number of seconds since 1970"
    if abs(date) > _MILLISECONDS:
        return "it looks like milliseconds: the claim is in seconds since 1970"
    away = abs(date - now)
    if error.refusal is Refusal.TOKEN_EXPIRED:
        near = away <= _SKEW
        skew = f"; if it is new, the clocks differ (leeway would have to be above {duration(away)})"
        return f"get a new token{skew if near else ''}"
    if error.refusal is Refusal.TOKEN_TOO_OLD:
        return "get a new token, or raise max_token_age"
    if away <= _SKEW:
        return f"the clocks differ: correct them, or set future_leeway to {duration(away)} or more"
    return "the issuer's clock is ahead, or the clock of this machine is behind"


def _algorithm_hint(alg: str) -> str:
    if alg.lower() == "none":
        return "an unsigned token is never accepted"
    if alg in SYMMETRIC:
        return "signed with a shared secret: symmetric_keys, only if the issuer really shares one"
    if alg in ALGORITHMS:
        return f"algorithms of this issuer leaves {alg} out"
    return "not an algorithm of RFC 7518 or RFC 8037"


def _type_hint(typ: str | None) -> str:
    if typ is None:
        return "the token has no typ: token_types would have to hold None"
    if typ == "dpop+jwt":
        return "this is a DPoP proof: the token goes into Authorization, the proof into DPoP"
    return "a token for another purpose, or token_types of this issuer leaves it out"
