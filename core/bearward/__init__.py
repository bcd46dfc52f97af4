"""bearward: verify bearer tokens that somebody else issued. The core; it knows no framework.

This package, `bearward.dpop`, `bearward.client_certificates`, `bearward.explanation`, `bearward.jwks`,
`bearward.revocation`, `bearward.adapters` and `bearward.testing` are the public interface: what they list in `__all__` is kept stable. Every
other module, and every name that is not listed there, is private.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bearward.access import Access, authenticated, deny, on_unguarded_call, optional, public, requires
from bearward.access_toml import rules_from_toml
from bearward.caller_requirements import issuer_is, right, tenant_is
from bearward.claim_names import RightsFrom
from bearward.clock import Clock
from bearward.credential_place import CredentialPlace
from bearward.delegation import Actor
from bearward.delegation_requirements import actor_is, authorization_detail, not_delegated
from bearward.errors import (
    AuthError,
    AwaitNeededError,
    BearwardError,
    CheckNeededError,
    ConfigurationError,
    KeysNeededError,
    UsageError,
)
from bearward.health import Health
from bearward.issuers.tenants import IssuerResolver, TenantIssuers
from bearward.jose.jwk import SymmetricKey
from bearward.jwks.options import JWKSOptions
from bearward.own_checks import own_check
from bearward.principal import Principal, same_caller
from bearward.refusals import Fault, OAuthError, OwnRefusal, Refusal
from bearward.requirements import Requirement, authorize
from bearward.revocation.local import Revocations
from bearward.revocation.shared import RevocationNotSharedError, SharedRevocations
from bearward.sender import SenderProof
from bearward.token_requirements import (
    any_scope,
    claim,
    recent_authentication,
    scope,
    sender_constrained,
)
from bearward.trusted_issuer import TrustedIssuer
from bearward.unguarded_calls import log_once
from bearward.verifier import Verifier
from bearward.watches import Watch

if TYPE_CHECKING:
    from bearward.settings import Settings
    from bearward.settings.reload import SettingsReloader

__version__ = "0.1.0"

__all__ = [
    "Access",
    "Actor",
    "AuthError",
    "AwaitNeededError",
    "BearwardError",
    "CheckNeededError",
    "Clock",
    "ConfigurationError",
    "CredentialPlace",
    "Fault",
    "Health",
    "IssuerResolver",
    "JWKSOptions",
    "KeysNeededError",
    "OAuthError",
    "OwnRefusal",
    "Principal",
    "Refusal",
    "Requirement",
    "RevocationNotSharedError",
    "Revocations",
    "RightsFrom",
    "SenderProof",
    "Settings",
    "SettingsReloader",
    "SharedRevocations",
    "SymmetricKey",
    "TenantIssuers",
    "TrustedIssuer",
    "UsageError",
    "Verifier",
    "Watch",
    "actor_is",
    "any_scope",
    "authenticated",
    "authorization_detail",
    "authorize",
    "claim",
    "deny",
    "issuer_is",
    "not_delegated",
    "optional",
    "own_check",
    "public",
    "recent_authentication",
    "requires",
    "right",
    "rules_from_toml",
    "same_caller",
    "scope",
    "sender_constrained",
    "tenant_is",
]

on_unguarded_call(log_once)  # here, so that a marked function says so even where no adapter was imported


def __getattr__(name: str) -> Any:
    """`Settings` reads TOML, which a program that is configured in Python need not load."""
    if name == "Settings":
        from bearward.settings import Settings

        return Settings
    if name == "SettingsReloader":
        from bearward.settings.reload import SettingsReloader

        return SettingsReloader
    raise AttributeError(f"module 'bearward' has no attribute {name!r}")
