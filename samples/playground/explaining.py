"""Why a token was refused, check by check, and which part of it is to blame.

Rule of this file: the checks are the core's own (`Verifier.explain`), with the values of claims, since the page shows
them anyway. What is added is where in the token each check looks.
"""

from __future__ import annotations

from typing import Any

from bearward import AuthError, Refusal
from bearward.access import Access
from bearward.credential_place import CredentialPlace
from bearward.explanation import Check, Verdict
from bearward.possession import Presented
from bearward.verifier import Verifier

__all__ = ["explain_sent", "refusal_of"]

_HEADER, _PAYLOAD, _SIGNATURE = "header", "payload", "signature"
_LOOKS_AT: dict[str, tuple[str | None, str | None]] = {
    "header": (_HEADER, None),
    "payload": (_PAYLOAD, None),
    "issuer": (_PAYLOAD, "iss"),
    "algorithm": (_HEADER, "alg"),
    "type": (_HEADER, "typ"),
    "expiry": (_PAYLOAD, "exp"),
    "not before": (_PAYLOAD, "nbf"),
    "issued at": (_PAYLOAD, "iat"),
    "age": (_PAYLOAD, "iat"),
    "key": (_HEADER, "kid"),
    "signature": (_SIGNATURE, None),
    "audience": (_PAYLOAD, "aud"),
    "revocation": (_PAYLOAD, "jti"),
    "bound token": (_PAYLOAD, "cnf"),
    "proof of possession": (_PAYLOAD, "cnf"),
    "access rule": (_PAYLOAD, "scope"),
}


def explain_sent(
    verifier: Verifier,
    token: str | None,
    *,
    place: CredentialPlace | None,
    presented: Presented | None,
    access: Access,
    code: str | None,
) -> dict[str, Any]:
    """The checks of what was sent, and the part of the token that the first wrong one is about; `code` is the answer."""
    if token is None:
        return {"code": code, "checks": [], "offending": None, "note": "There is no token to check: nothing was sent."}
    refused = refusal_of(code)
    explanation = verifier.explain(
        token, place=place, presented=presented, access=access, refused=refused, show_claims=True
    )
    first = explanation.first_wrong
    return {
        "code": code,
        "checks": [check.to_dict() for check in explanation.checks],
        "offending": None if first is None or code is None else _part(first),
        "note": _note(explanation.code, code),
    }


def refusal_of(code: str | None) -> AuthError | None:
    """The refusal with this code; None if there is none."""
    found = None if code is None else Refusal.__members__.get(code.upper())
    return None if found is None else AuthError(found)


def _part(check: Check) -> dict[str, str | None]:
    """`segment` and `member`, None where the whole token is meant."""
    assert check.verdict is Verdict.WRONG
    segment, member = _LOOKS_AT.get(check.name, (None, None))
    if check.claim is not None:
        segment, member = _PAYLOAD, check.claim
    if check.refusal is not None and check.refusal.code.startswith("dpop_"):
        segment, member = _PAYLOAD, "cnf"
    return {"segment": segment, "member": member}


def _note(here: str | None, there: str | None) -> str:
    """What to say where the playground's own verifier, which explains, holds other keys than the servers."""
    if here == there:
        return ""
    return "The servers hold other keys than the playground does at the moment: send it again in a second."
