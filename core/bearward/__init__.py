"""bearward: verify bearer tokens that somebody else issued. The core; it knows no framework."""

from __future__ import annotations

from bearward.errors import AuthError, ConfigurationError, Fault, KeysNeeded, OAuthError, Refusal
from bearward.jose.jwk import SymmetricKey
from bearward.jwks.options import JWKSOptions
from bearward.policy import TrustedIssuer
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
from bearward.revocation import Revocations
from bearward.revocation_shared import RevocationsNotShared, SharedRevocations
from bearward.tenants import TenantIssuers
from bearward.verifier import Verifier

__version__ = "0.1.0"

__all__ = [
    "AUTHENTICATED",
    "AuthError",
    "ConfigurationError",
    "Fault",
    "JWKSOptions",
    "KeysNeeded",
    "OAuthError",
    "Principal",
    "Refusal",
    "Requirement",
    "Revocations",
    "RevocationsNotShared",
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
