"""Issuers that are not listed one by one: tenants of one provider by template, or whatever a resolver knows.

Rule of this file: the template is matched whole and exactly; a tenant is one path or host label, never a slash or a
dot-dot. What is remembered is bounded, so that strangers who invent tenants cost no memory.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from bearward.errors import ConfigurationError
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["IssuerResolver", "TenantIssuers"]

IssuerResolver = Callable[[str], Awaitable[TrustedIssuer | None]]
"""`await resolver(iss)` answers the policy for an issuer, or None for one that is not trusted."""

_TENANT = r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,127}"
_PLACE = "{tenant}"


class TenantIssuers:
    """All tenants of one provider: `TenantIssuers("https://login.example/{tenant}/v2.0", audience="api")`.

    `settings` are those of `TrustedIssuer`; `jwks_uri` and `audience` may hold `{tenant}` too. `tenants` narrows the
    template to some names. At most `max_tenants` policies are kept, the longest unused goes first. Raises
    `ConfigurationError`.

    >>> provider = TenantIssuers("https://login.example/{tenant}/v2.0", audience="api://orders")
    >>> provider.issuer_for("https://login.example/blue/v2.0").issuer
    'https://login.example/blue/v2.0'
    >>> provider.issuer_for("https://login.example/blue/../v2.0") is None
    True
    """

    def __init__(
        self, template: str, *, tenants: frozenset[str] | None = None, max_tenants: int = 1000, **settings: Any
    ) -> None:
        if template.count(_PLACE) != 1:
            raise ConfigurationError("tenants", "must be a template with one {tenant}")
        if tenants is not None and not tenants:
            raise ConfigurationError("tenants", "must name at least one tenant, or be left out")
        before, _, after = template.partition(_PLACE)
        self._pattern = re.compile(f"{re.escape(before)}({_TENANT}){re.escape(after)}")
        self._template = template
        self._settings = settings
        self._tenants = tenants
        self._most = max_tenants
        self._kept: OrderedDict[str, TrustedIssuer] = OrderedDict()
        self._policy("probe")  # settings that cannot be meant are refused at once

    def issuer_for(self, issuer: str) -> TrustedIssuer | None:
        """The policy for an `iss`, or None where it is none of the tenants."""
        known = self._kept.get(issuer)
        if known is not None:
            with suppress(KeyError):  # another thread may have dropped it just now
                self._kept.move_to_end(issuer)
            return known
        match = self._pattern.fullmatch(issuer) if len(issuer) <= 1024 else None
        if match is None or (self._tenants is not None and match[1] not in self._tenants):
            return None
        policy = self._kept[issuer] = self._policy(match[1])
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return policy

    def _policy(self, tenant: str) -> TrustedIssuer:
        filled: dict[str, Any] = {
            name: value.replace(_PLACE, tenant) if isinstance(value, str) else value
            for name, value in self._settings.items()
        }
        return TrustedIssuer(self._template.replace(_PLACE, tenant), **filled)

    def __repr__(self) -> str:
        return f"<TenantIssuers {self._template}: {len(self._kept)} kept>"
