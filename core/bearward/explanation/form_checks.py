"""The checks before anything in a token means something: its form, its header, its payload.

Rules of this file: pure; `parse_placed` decides, and the code of its refusal says which of the three was wrong.
"""

from __future__ import annotations

from bearward.credential_place import CredentialPlace
from bearward.errors import AuthError
from bearward.explanation.report import Check, Verdict
from bearward.jose.compact import MAX_TOKEN, UnverifiedToken
from bearward.placed_form import parse_placed
from bearward.refusals import Refusal

__all__ = ["read"]

_ASKED = {
    "form": f"a compact JWS of three parts, {MAX_TOKEN} characters at most",
    "header": "a JOSE header with alg, without extensions, compression or an unencoded payload",
    "payload": "a claims set: one JSON object without duplicate names",
}
_FOUND = {"form": "three parts in base64url", "header": "as expected", "payload": "a claims set"}
_PART_OF = {
    Refusal.HEADER_MALFORMED: "header",
    Refusal.HEADER_CRITICAL: "header",
    Refusal.PAYLOAD_UNENCODED: "header",
    Refusal.TOKEN_COMPRESSED: "header",
    Refusal.PAYLOAD_MALFORMED: "payload",
    Refusal.TOKEN_NESTED: "payload",
}
_HINTS = {
    Refusal.TOKEN_ENCRYPTED: "this is a JWE: have the issuer send signed tokens that are not encrypted",
    Refusal.TOKEN_JSON_SERIALIZED: "this is JSON: take the compact form, or the access_token out of the response",
    Refusal.TOKEN_TOO_LARGE: "have the issuer put less into it, such as no list of groups",
    Refusal.HEADER_MALFORMED: "it must be strict JSON with alg, in which kid and typ are strings",
    Refusal.HEADER_CRITICAL: "crit names extensions that must be understood; bearward implements none",
    Refusal.PAYLOAD_UNENCODED: "have the issuer encode the payload (no b64 in the header)",
    Refusal.TOKEN_COMPRESSED: "have the issuer send tokens without zip",
    Refusal.PAYLOAD_MALFORMED: "it must be strict JSON, without a repeated name and within limits of size and depth",
    Refusal.TOKEN_NESTED: "the payload is another token: have the issuer send that one",
}


def read(token: str, place: CredentialPlace | None = None) -> tuple[list[Check], UnverifiedToken | None]:
    """The three checks, and the token taken apart if they are right."""
    try:
        unverified = parse_placed(token, place)
    except AuthError as error:
        return _wrong(token, error.refusal), None
    return [Check(name, _ASKED[name], _FOUND[name], Verdict.RIGHT) for name in _ASKED], unverified


def _wrong(token: str, refusal: Refusal) -> list[Check]:
    wrong = _PART_OF.get(refusal, "form")
    checks, verdict = [], Verdict.RIGHT
    for name, asked in _ASKED.items():
        if name == wrong:
            hint = _HINTS.get(refusal) or _hint(token)
            checks.append(Check(name, asked, _found(token, refusal), Verdict.WRONG, hint, refusal))
            verdict = Verdict.NOT_REACHED
        else:
            checks.append(Check(name, asked, "" if verdict is Verdict.NOT_REACHED else _FOUND[name], verdict))
    return checks


def _found(token: str, refusal: Refusal) -> str:
    if refusal in (Refusal.TOKEN_MALFORMED, Refusal.TOKEN_ENCRYPTED, Refusal.TOKEN_TOO_LARGE):
        parts = token.count(".") + 1
        return f"{parts} part{'s' if parts > 1 else ''} in {len(token)} characters"
    return refusal.message


def _hint(token: str) -> str:
    """Why text is no compact JWS, by the mistakes that are usual."""
    first, _, rest = token.strip().partition(" ")
    if rest and first.lower() in ("bearer", "dpop", "authorization:"):
        return f"it begins with {first.lower()}: give the token alone"
    if any(mark.isspace() for mark in token):
        return "there is white space or a line break in it: copy it as one line"
    if token[:1] in ('"', "'", "<"):
        return "there are quotes or brackets around it: give the token alone"
    if not token.isascii():
        return "there are characters in it that no token has"
    return _hint_by_parts(token)


def _hint_by_parts(token: str) -> str:
    if not token:
        return "it is empty"
    dots = token.count(".")
    if dots == 0:
        return "it may be an opaque token, which only its issuer can read: have it issue JWTs (for this audience)"
    if dots == 1:
        return "the signature is missing, or it was cut off"
    if "=" in token or "+" in token or "/" in token:
        return "it is encoded as base64, not as base64url without padding"
    return "a part of it is not base64url: it may be cut off or changed"
