"""The `WWW-Authenticate` challenge of a refusal (RFC 9110 section 11.6.1, RFC 6750 section 3, RFC 9470, RFC 9728).

Rule of this file: a challenge always parses. Values are quoted and escaped here, and octets that no quoted-string may
hold are replaced. `error` is absent when no credentials came (RFC 6750 section 3.1).
"""

from __future__ import annotations

from collections.abc import Collection

from bearward.errors import AuthError, Fault

__all__ = ["challenge", "quoted"]


def challenge(
    error: AuthError,
    *,
    realm: str | None = "api",
    resource_metadata: str | None = None,
    scheme: str = "Bearer",
    scopes: tuple[str, ...] = (),
    algs: Collection[str] = (),
) -> str | None:
    """The challenge for `error`, or None where the fault is ours and other credentials would not help.

    `scopes` are what the resource needs, named also where no credentials came. `resource_metadata` is the URL of the
    RFC 9728 document. `algs` are the algorithms of proofs, for the scheme `DPoP` (RFC 9449 section 7.1).

    >>> from bearward.errors import Refusal
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


def quoted(value: str) -> str:
    r"""A quoted-string (RFC 9110 section 5.6.4) of visible ASCII and spaces; anything else becomes `?`.

    >>> print(quoted('a "b"'))
    "a \"b\""
    """
    visible = "".join(c if " " <= c <= "~" else "?" for c in value)
    return '"' + visible.replace("\\", "\\\\").replace('"', '\\"') + '"'
