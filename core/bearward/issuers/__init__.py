"""Which issuer a token names, and whether it is trusted."""

from __future__ import annotations

from bearward.issuers.tenants import IssuerResolver, TenantIssuers

__all__ = ["IssuerResolver", "TenantIssuers"]
