"""SPIFFE identifiers: a workload's URI, whose trust domain stands for the `iss` that a JWT-SVID need not have.

    SPIFFE ID    = "spiffe://" trust-domain 1*( "/" segment )
    trust-domain = 1*255( lower-case letter / digit / "." / "-" / "_" )
    segment      = 1*( letter / digit / "." / "-" / "_" ), neither "." nor ".."

Rule of this file: pure. What is no SPIFFE ID of a workload, character by character, belongs to no trust domain.
"""

from __future__ import annotations

import re

__all__ = ["is_trust_domain", "trust_domain_of"]

_SCHEME = "spiffe://"
_MAX = 2048
_DOMAIN = re.compile(r"spiffe://[a-z0-9._-]{1,255}")
_WORKLOAD = re.compile(r"(spiffe://[a-z0-9._-]{1,255})(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+)+")


def is_trust_domain(issuer: str) -> bool:
    """Whether an issuer is a trust domain: `spiffe://example.org`, without a path.

    >>> is_trust_domain("spiffe://example.org"), is_trust_domain("https://example.org")
    (True, False)
    """
    return _DOMAIN.fullmatch(issuer) is not None


def trust_domain_of(subject: object) -> str | None:
    """The trust domain of a workload's SPIFFE ID, as `spiffe://…`; None for what is no such ID.

    >>> trust_domain_of("spiffe://example.org/ns/shop/sa/cart")
    'spiffe://example.org'
    >>> trust_domain_of("spiffe://example.org/../other") is None
    True
    """
    if not isinstance(subject, str) or not subject.startswith(_SCHEME) or len(subject) > _MAX:
        return None
    match = _WORKLOAD.fullmatch(subject)
    return None if match is None else match[1]
