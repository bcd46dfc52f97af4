"""Protected resource metadata (RFC 9728 section 2): what a client must know to get a token for this service.

Rules of this file: pure, one definition for all adapters. The document is made from settings and rules; it names no
tenant and no caller, and is public.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bearward.dpop.policy import DPoP

__all__ = ["resource_metadata_document"]


def resource_metadata_document(
    resource: str,
    *,
    issuers: Sequence[str],
    scopes: Sequence[str],
    methods: Sequence[str] = ("header",),
    name: str | None = None,
    documentation: str | None = None,
    dpop: DPoP | None = None,
    client_certificates: bool = False,
) -> dict[str, Any]:
    """The document of `resource`, its identifier.

    `issuers` are those of the configuration, `scopes` those that some rule asks for, `methods` the ways of RFC 6750 to
    send a token; `name` and `documentation` are for people. `dpop` and `client_certificates` say whether bound tokens
    are accepted. A member without a value is left out.

    >>> resource_metadata_document("https://api.example", issuers=["https://login.example"], scopes=[])
    {'resource': 'https://api.example', 'authorization_servers': ['https://login.example'], 'bearer_methods_supported': ['header']}
    """
    document: dict[str, Any] = {
        "resource": resource,
        "authorization_servers": list(issuers),
        "bearer_methods_supported": list(methods),
        "scopes_supported": list(scopes),
        "resource_name": name,
        "resource_documentation": documentation,
        "tls_client_certificate_bound_access_tokens": client_certificates or None,
    }
    if dpop is not None:
        document["dpop_signing_alg_values_supported"] = list(dpop.algorithms)
        document["dpop_bound_access_tokens_required"] = dpop.required
    return {member: value for member, value in document.items() if value is not None and value != []}
