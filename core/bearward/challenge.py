"""The `WWW-Authenticate` challenge of a refusal (RFC 9110 section 11.6.1, RFC 6750 section 3, 9449, 9470, 9728).

Rule of this file: a challenge can always be parsed. Values are quoted and escaped here, and octets that a quoted-string
may not contain are replaced. `error` is absent if the request had no credentials (RFC 6750 section 3.1).
"""

from __future__ import annotations

from collections.abc import Collection

from bearward.dpop.policy import DPoP
from bearward.errors import AuthError
from bearward.refusals import Fault, OAuthError, Refusal
from bearward.sender import Scheme

__all__ = ["challenge", "challenges", "quoted"]


def challenge(
    error: AuthError,
    *,
    realm: str | None = "api",
    resource_metadata: str | None = None,
    scheme: str = "Bearer",
    scopes: tuple[str, ...] = (),
    algs: Collection[str] = (),
) -> str | None:
    """The challenge for `error`, or None if the fault is ours and other credentials would not help.

    `scopes` are what the resource needs, named also where no credentials came. `resource_metadata` is the URL of the
    RFC 9728 document. `algs` are the algorithms of proofs, for the scheme `DPoP` (RFC 9449 section 7.1).

    >>> from bearward.refusals import Refusal
    >>> challenge(AuthError(Refusal.CREDENTIALS_MISSING))
    'Bearer realm="api"'
    >>> challenge(AuthError(Refusal.SCOPE_INSUFFICIENT, scopes=("notes:read",)), realm=None)
    'Bearer error="insufficient_scope", error_description="the token lacks a required scope", scope="notes:read"'
    """
    if error.fault is Fault.SERVICE:
        return None
    named = error.scopes or scopes
    parameters = {
        "realm": realm,
        "error": error.refusal.error.value if error.refusal.error else None,
        "error_description": str(error) if error.refusal.error else None,
        "scope": " ".join(named) or None,
        "acr_values": " ".join(error.acr_values) or None,
        "max_age": None if error.max_age is None else str(error.max_age),
        "resource_metadata": resource_metadata,
        "algs": " ".join(algs) or None,
    }
    parts = [f"{name}={quoted(value)}" for name, value in parameters.items() if value is not None]
    return f"{scheme} {', '.join(parts)}" if parts else scheme


def challenges(
    error: AuthError,
    *,
    dpop: DPoP | None = None,
    realm: str | None = "api",
    resource_metadata: str | None = None,
    scopes: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """One challenge for each scheme that is offered; none where the fault is ours (RFC 9449 section 7.2).

    `dpop` is what is asked of proofs, where that scheme is offered. What is wrong is said first, under the scheme of the
    credentials (`error.scheme`; about a proof, under `DPoP`); the other challenge says how else to come in.

    >>> from bearward.refusals import Refusal
    >>> wrong = AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)
    >>> dpop = DPoP(origins="https://api.example", algorithms=["ES256"])
    >>> for line in challenges(wrong, dpop=dpop, realm=None):
    ...     print(line)
    Bearer error="invalid_token", error_description="the token is bound to a key that was not proven"
    DPoP algs="ES256"
    """
    if error.fault is Fault.SERVICE:
        return ()
    offered = _offered(error, dpop)
    needed = error.scopes or scopes
    made = [
        challenge(
            error if scheme is offered[0] else _NOTHING_PRESENTED,
            realm=realm,
            resource_metadata=resource_metadata,
            scheme=scheme.value,
            scopes=needed,
            algs=dpop.algorithms if dpop is not None and scheme is Scheme.DPOP else (),
        )
        for scheme in offered
    ]
    return tuple(text for text in made if text is not None)


def _offered(error: AuthError, dpop: DPoP | None) -> tuple[Scheme, ...]:
    """The schemes to name, the one that the error is about first."""
    if dpop is None:
        return (Scheme.BEARER,)
    if dpop.required:
        return (Scheme.DPOP,)
    about_proof = error.scheme == Scheme.DPOP.value or error.refusal.error in _ABOUT_PROOFS
    return (Scheme.DPOP, Scheme.BEARER) if about_proof else (Scheme.BEARER, Scheme.DPOP)


_ABOUT_PROOFS = frozenset({OAuthError.INVALID_DPOP_PROOF, OAuthError.USE_DPOP_NONCE})
_NOTHING_PRESENTED = AuthError(Refusal.CREDENTIALS_MISSING)


def quoted(value: str) -> str:
    r"""A quoted-string (RFC 9110 section 5.6.4) of visible ASCII and spaces; anything else becomes `?`.

    >>> print(quoted('a "b"'))
    "a \"b\""
    """
    visible = "".join(c if " " <= c <= "~" else "?" for c in value)
    return '"' + visible.replace("\\", "\\\\").replace('"', '\\"') + '"'
