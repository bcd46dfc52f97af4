"""The explanation of a request that was refused, for development: what a gate attaches to its refusal.

Rules of this file: it is for who runs the service alone. It names what is configured, so a service that listens beyond
loopback refuses to start with it, unless `unsafe_explain_remote` says so. Values of claims are never in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from bearward.access import Access
from bearward.credentials import SCHEMES, presented_token
from bearward.errors import AuthError, ConfigurationError
from bearward.explanation.report import Check, Explanation, Verdict
from bearward.fetch.urls import is_loopback_host
from bearward.possession import Presented
from bearward.refusals import Refusal
from bearward.sender import Scheme
from bearward.verifier import Verifier

__all__ = ["check_explain_address", "explain_request"]

_ASKED = "one token: `Authorization: Bearer <token>`"
_HINTS = {
    Refusal.CREDENTIALS_MISSING: "no credentials of this scheme were sent: write Bearer and a space before the token",
    Refusal.BEARER_SCHEME_MISSING: "write Bearer and a space before the token, and no other scheme",
    Refusal.CREDENTIALS_MALFORMED: "after the scheme and a space comes the token alone",
    Refusal.CREDENTIALS_REPEATED: "send one Authorization field, and the token in no other place",
}


def explain_request(
    verifier: Verifier,
    error: AuthError,
    values: Sequence[str | bytes],
    *,
    proofs: Sequence[str | bytes] = (),
    htm: str = "",
    path: str = "",
    access: Access | None = None,
    certificates: bool = False,
) -> Explanation:
    """Why a request with these `Authorization` values met `error`, check by check; looks, and changes nothing.

    `proofs`, `htm` and `path` are what a DPoP proof is about; `access` is the rule that the request was under;
    `certificates` says whether tokens that are bound to one are accepted.
    """
    try:
        scheme, token = presented_token(values, SCHEMES)
    except AuthError as missing:
        hint = _HINTS.get(missing.refusal, "")
        line = Check("credentials", _ASKED, error.refusal.message, Verdict.WRONG, hint, error.refusal, error.claim)
        return Explanation((line,), error.refusal, error.claim)
    presented = None
    if certificates or verifier.dpop is not None:
        given = proofs if scheme is Scheme.DPOP else ()
        presented = Presented(scheme, token, given, htm, path, certificate_later=certificates)
    return verifier.explain(token, presented=presented, access=access, refused=error)


def check_explain_address(host: str | None) -> None:
    """Raise `ConfigurationError` unless `host`, which a server listens on, is loopback; None where it is not known."""
    if host is None or not is_loopback_host(host):
        raise ConfigurationError(
            "explain",
            "must not be set on a server that listens beyond loopback, since refusals then say what is configured: "
            "listen on 127.0.0.1, or set unsafe_explain_remote",
        )
