"""bearward: verify bearer tokens that somebody else issued. The core; it knows no framework."""

from __future__ import annotations

from bearward.errors import AuthError, ConfigurationError, Fault, KeysNeededError, OAuthError, Refusal
from bearward.issuers.tenants import TenantIssuers
from bearward.jose.jwk import SymmetricKey
from bearward.jwks.options import JWKSOptions
from bearward.principal import Principal
from bearward.requirements import (
    AUTHENTICATED,
    Requirement,
    any_scope,
    authorize,
    claim,
    recent_authentication,
    scope,
)
from bearward.revocation.local import Revocations
from bearward.revocation.shared import RevocationNotSharedError, SharedRevocations
from bearward.trusted_issuer import TrustedIssuer
from bearward.verifier import Verifier

__version__ = "0.1.0"

__all__ = [
    "AUTHENTICATED",
    "AuthError",
    "ConfigurationError",
    "Fault",
    "JWKSOptions",
    "KeysNeededError",
    "OAuthError",
    "Principal",
    "Refusal",
    "Requirement",
    "RevocationNotSharedError",
    "Revocations",
    "SharedRevocations",
    "SymmetricKey",
    "TenantIssuers",
    "TrustedIssuer",
    "Verifier",
    "any_scope",
    "authorize",
    "claim",
    "recent_authentication",
    "scope",
]
