"""What the tokens of a plain issuer cost where many other issuers stand beside it: profiles, places, rights, types.

Rule of this file: the tokens that are measured are the plain issuer's, by both verifiers.
"""

from __future__ import annotations

from dataclasses import dataclass

from bearward import CredentialPlace, JWKSOptions, RightsFrom, TrustedIssuer, Verifier, profiles
from bearward.issuers.tenants import TenantIssuers
from benchmarks.library.fixtures import SMALL, Fixtures, Subject, each

__all__ = ["beside_subjects"]

_API = "https://api.example"
_LAZY = JWKSOptions(start="lazy")  # type: ignore[arg-type]
_KEYCLOAKS = 16


@dataclass(frozen=True)
class _Claims:
    sub: str


def beside_subjects(w: Fixtures) -> dict[str, Subject]:
    """A fresh token and one that was seen before, by a verifier of one issuer and by one of more than twenty."""
    subjects: dict[str, Subject] = {}
    for name, others in (("alone", ()), ("beside others", _others())):
        verifier, small = _verifier(w, others), _verifier(w, others, token_cache_bytes=SMALL)
        subjects[f"fresh, {name}"] = each(w.tokens, small.verify_now)
        subjects[f"seen, {name}"] = lambda verifier=verifier: verifier.verify_now(w.token)  # type: ignore[misc]
    return subjects


def _verifier(w: Fixtures, others: tuple[TrustedIssuer | TenantIssuers, ...], **settings: int) -> Verifier:
    policy = TrustedIssuer(w.issuer.url, audience=_API, jwks_options=JWKSOptions(cooldown=600.0))
    verifier = Verifier(policy, *others, **settings)  # type: ignore[arg-type]
    w.loop.run_until_complete(verifier.start())
    w.loop.run_until_complete(verifier.verify(w.token))
    w.started.append(verifier)
    return verifier


def _others() -> tuple[TrustedIssuer | TenantIssuers, ...]:
    """Issuers that nobody's token here is from."""
    balancer = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/notes/50dc6c495c0c9188"
    realms = (
        profiles.keycloak(host="keycloak.invalid", realm=f"r{n}", audience=_API, jwks_options=_LAZY)
        for n in range(_KEYCLOAKS)
    )
    return (
        *realms,
        profiles.iap(audience="/projects/1234567890/apps/notes-1a2b3", jwks_options=_LAZY),
        profiles.aws_alb(load_balancer=balancer, issuer="https://login.invalid", clients="notes", jwks_options=_LAZY),
        profiles.spiffe(
            trust_domain="example.org", bundle="https://spire.invalid/b", audience=_API, jwks_options=_LAZY
        ),
        TrustedIssuer(
            "https://typed.invalid",
            audience=_API,
            rights=[RightsFrom(("realm_access", "roles"), prefix="role:")],
            claims_type=_Claims,
            place=CredentialPlace(header="x-typed"),
            jwks_options=_LAZY,
        ),
        TrustedIssuer("https://once.invalid", audience=_API, single_use=True, sender="bearer", jwks_options=_LAZY),
        TenantIssuers("https://tenants.invalid/{tenant}", audience=_API, jwks_options=_LAZY),
    )
