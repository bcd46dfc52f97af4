"""Issuers that are not listed one by one: tenants of one provider by template, or any that a resolver knows.

Rules of this file: the template must match the whole `iss` exactly; a tenant is one path segment or host label, never a
slash or dot-dot. The number kept is bounded, and a tenant that has had keys is only evicted by another such tenant: no
number of invented names evicts a real one.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from bearward.credential_place import CredentialPlace
from bearward.errors import ConfigurationError
from bearward.jwks.options import JWKSOptions
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["IssuerResolver", "TenantIssuers"]

IssuerResolver = Callable[[str], Awaitable[TrustedIssuer | None]]
"""`await resolver(iss)` returns the settings of an issuer, or None for one that is not trusted.

A positive result is cached for 5 minutes and then refreshed in the background; where the resolver fails, for an hour
more. A negative one is cached for 1 minute, and ends what rested on the positive one before."""

_TENANT = r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,127}"
_PLACEHOLDER = "{tenant}"
_MAX_ISSUER = 1024
_MIN_UNPROVEN = 16


class TenantIssuers:
    """All tenants of one provider: `TenantIssuers("https://login.example/{tenant}/v2.0", audience="api")`.

    `settings` are those of `TrustedIssuer`; every string in them may hold `{tenant}` too. `tenants` narrows the template
    to some names. At most `max_tenants` that have had keys are kept, the least recently used is dropped first, and a
    quarter as many that have not. Raises `ConfigurationError`.

    >>> provider = TenantIssuers("https://login.example/{tenant}/v2.0", audience="api://orders")
    >>> provider.issuer_for("https://login.example/blue/v2.0").issuer
    'https://login.example/blue/v2.0'
    >>> provider.issuer_for("https://login.example/blue/../v2.0") is None
    True
    """

    def __init__(
        self, template: str, *, tenants: frozenset[str] | None = None, max_tenants: int = 1000, **settings: Any
    ) -> None:
        if not isinstance(template, str) or template.count(_PLACEHOLDER) != 1:
            raise ConfigurationError("template", "must be a template with one {tenant}")
        if isinstance(max_tenants, bool) or not isinstance(max_tenants, int) or max_tenants < 1:
            raise ConfigurationError("max_tenants", "must be a whole number from 1")
        before, _, after = template.partition(_PLACEHOLDER)
        self._pattern = re.compile(f"{re.escape(before)}({_TENANT}){re.escape(after)}")
        self.template = template
        """The `iss` of all tenants, with `{tenant}` in it."""
        self._settings = settings
        self._tenants = _tenant_names(tenants)
        self._max_proven = max_tenants
        self._max_unproven = max(_MIN_UNPROVEN, max_tenants // 4)
        self._proven: OrderedDict[str, TrustedIssuer] = OrderedDict()
        self._unproven: OrderedDict[str, TrustedIssuer] = OrderedDict()
        if settings.get("keys_are_ours"):
            raise ConfigurationError("keys_are_ours", "must not be set for tenants: each has its own keys")
        self.place: CredentialPlace | None = settings.get("place")
        """Where the tokens of all tenants are; None: in `Authorization`."""
        self.single_use: bool = settings.get("single_use", False)
        """Whether each token counts once."""
        self.jwks_options: JWKSOptions = settings.get("jwks_options") or JWKSOptions()
        """How the keys of each tenant are fetched and kept."""
        probe = self._settings_of("probe")  # invalid settings are refused at once, not when the first token comes
        if probe.publishes_keys_one_by_one:
            raise ConfigurationError("pem_uri", "must not have {kid} for tenants: each has one set of keys")

    def issuer_for(self, issuer: str) -> TrustedIssuer | None:
        """The settings of an `iss`, or None if it is none of the tenants; any thread may call."""
        known = _touch(self._proven, issuer) or _touch(self._unproven, issuer)
        if known is not None:
            return known
        match = self._pattern.fullmatch(issuer) if len(issuer) <= _MAX_ISSUER else None
        if match is None or (self._tenants is not None and match[1] not in self._tenants):
            return None
        try:
            trusted = self._settings_of(match[1])
        except ConfigurationError:  # no tenant can have this name: a trust domain has no upper case, for example
            return None
        _put(self._unproven, issuer, trusted, self._max_unproven)
        return trusted

    def with_settings(self, **settings: Any) -> TenantIssuers:
        """The same tenants with other settings for some of theirs; raises `ConfigurationError`."""
        given = {"tenants": self._tenants, "max_tenants": self._max_proven, **self._settings, **settings}
        return type(self)(self.template, **given)

    def keep(self, issuer: str) -> None:
        """The provider publishes keys for this tenant: from now on only another such tenant can evict it."""
        if issuer in self._proven:
            return
        trusted = self._unproven.pop(issuer, None)
        if trusted is not None:
            _put(self._proven, issuer, trusted, self._max_proven)

    def _settings_of(self, tenant: str) -> TrustedIssuer:
        filled: dict[str, Any] = {name: _filled_in(value, tenant) for name, value in self._settings.items()}
        return TrustedIssuer(self.template.replace(_PLACEHOLDER, tenant), **filled)

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        """By what was given; what is kept of tenants is found again."""
        given = {"tenants": self._tenants, "max_tenants": self._max_proven, **self._settings}
        return partial(type(self), self.template, **given), ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TenantIssuers) and self._given() == other._given()

    def __hash__(self) -> int:
        return hash((self.template, self._tenants))

    def _given(self) -> tuple[Any, ...]:
        return self.template, self._tenants, self._max_proven, self._settings

    def __repr__(self) -> str:
        return f"<TenantIssuers {self.template}: {len(self._proven) + len(self._unproven)} kept>"


def _tenant_names(tenants: object) -> frozenset[str] | None:
    if tenants is None:
        return None
    several = frozenset(tenants) if isinstance(tenants, frozenset | set | list | tuple) else frozenset()
    if not several or not all(isinstance(name, str) and re.fullmatch(_TENANT, name) for name in several):
        raise ConfigurationError("tenants", "must name at least one tenant, or be left out")
    return several


def _filled_in(value: Any, tenant: str) -> Any:
    """The setting with the tenant's name in every string."""
    if isinstance(value, str):
        return value.replace(_PLACEHOLDER, tenant)
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(_filled_in(item, tenant) for item in value)
    if isinstance(value, Mapping):
        return {name: _filled_in(item, tenant) for name, item in value.items()}
    return value


def _touch(kept: OrderedDict[str, TrustedIssuer], issuer: str) -> TrustedIssuer | None:
    trusted = kept.get(issuer)
    if trusted is not None:
        with suppress(KeyError):  # another thread may have dropped it just now
            kept.move_to_end(issuer)
    return trusted


def _put(kept: OrderedDict[str, TrustedIssuer], issuer: str, trusted: TrustedIssuer, most: int) -> None:
    kept[issuer] = trusted
    if len(kept) > most:
        with suppress(KeyError):
            kept.popitem(last=False)
