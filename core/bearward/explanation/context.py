"""What a token is judged by, and the one way in which a single check becomes a line of an explanation.

Rules of this file: pure. A verdict comes from the function that a verification calls for the same question; what is said
beside it is never what decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bearward.access import Access
from bearward.credential_place import CredentialPlace
from bearward.dpop.policy import DPoP
from bearward.errors import AuthError
from bearward.explanation.report import Check, Verdict
from bearward.explanation.wording import Wording
from bearward.issuers.tenants import TenantIssuers
from bearward.jose.compact import UnverifiedToken
from bearward.jose.jwk_set import JWKSet
from bearward.possession import Presented
from bearward.principal import Principal
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["Context", "Reader", "judged", "not_reached"]

Trusted = TrustedIssuer | TenantIssuers


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a token is judged by."""

    issuers: Sequence[Trusted]
    policy_of: Callable[[str, UnverifiedToken], TrustedIssuer]
    """The settings of an `iss`; raises `AuthError`."""
    keys: Callable[[TrustedIssuer], JWKSet | None]
    now: float
    place: CredentialPlace | None = None
    presented: Presented | None = None
    dpop: DPoP | None = None
    check_revoked: Callable[[Principal], None] | None = None
    """Raises `AuthError` if the principal's token was revoked; None: revocation is not looked at."""
    access: Access | None = None
    parameters: Mapping[str, Any] | None = None
    wording: Wording = field(default_factory=Wording)

    @property
    def allow_bound(self) -> bool:
        """Whether a token with `cnf` passes the claims, since what came with it is judged too."""
        return self.presented is not None


@dataclass(frozen=True, slots=True)
class Reader:
    """A token that could be read, and the settings that it is judged by."""

    token: UnverifiedToken
    policy: TrustedIssuer
    context: Context

    def value(self, name: str) -> str:
        """What the token says in a claim."""
        claims = self.token.claims
        return self.context.wording.value(claims[name]) if name in claims else f"no {name}"


def judged(
    name: str, asked: str, found: str, check: Callable[[], object], hint: Callable[[AuthError], str] | str = ""
) -> Check:
    """The line of one check, which raises `AuthError` where the token does not pass it."""
    try:
        check()
    except AuthError as error:
        said = hint if isinstance(hint, str) else hint(error)
        return Check(name, asked, found, Verdict.WRONG, said, error.refusal, error.claim)
    return Check(name, asked, found, Verdict.RIGHT)


def not_reached(name: str, asked: str) -> Check:
    """The line of a check that could not be judged."""
    return Check(name, asked, "", Verdict.NOT_REACHED)
