"""Other issuers in the place of the configured ones, while they are in use: prepared aside, then put in force at once.

Rules of this file: nothing changes before the keys of the new issuers were asked for. An issuer that is fetched as
before keeps its keys; where only times and credentials differ, the keys that are held are taken along, so that a
changed time-out does not depend on the issuer being up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from bearward.jwks.issuer_keys import IssuerKeys
from bearward.jwks.issuer_settings import IssuerSettings
from bearward.jwks.source import description
from bearward.jwks.source_chain import source_for

__all__ = ["ConfiguredIssuer", "Replacement"]

_TERMS = (
    "ca_file",
    "proxy",
    "x5c_authorities",
    "same_origin",
    "metadata",
    "unsafe_allow_private_addresses",
    "max_body",
    "sources",
)
"""Options that say which keys are the right ones; a test holds that the others are times, bounds and credentials."""


class ConfiguredIssuer(NamedTuple):
    """An issuer that the configuration names, and its keys."""

    settings: IssuerSettings
    keys: IssuerKeys


class Replacement:
    """The issuers to come; `present` are those in force, and `create` makes the keys of another one."""

    def __init__(
        self, present: Mapping[str, ConfiguredIssuer], create: Callable[[IssuerSettings, None], IssuerKeys]
    ) -> None:
        self._present = present
        self._create = create
        self.issuers: dict[str, ConfiguredIssuer] = {}
        """By identifier."""

    def add(self, issuer: IssuerSettings) -> IssuerKeys:
        """The keys that `issuer` will have; raises `ConfigurationError`."""
        known = self.issuers.get(issuer.issuer)
        if known is None:
            known = self.issuers[issuer.issuer] = self._configured(issuer)
        return known.keys

    @property
    def fresh(self) -> list[IssuerKeys]:
        """Those that are not in force yet."""
        kept = {id(known.keys) for known in self._present.values()}
        return [coming.keys for coming in self.issuers.values() if id(coming.keys) not in kept]

    @property
    def gone(self) -> list[IssuerKeys]:
        """Those in force that will not be any more."""
        kept = {id(coming.keys) for coming in self.issuers.values()}
        return [known.keys for known in self._present.values() if id(known.keys) not in kept]

    def _configured(self, issuer: IssuerSettings) -> ConfiguredIssuer:
        known = self._present.get(issuer.issuer)
        if known is not None and _terms(known.settings) == _terms(issuer):
            if known.settings.jwks_options == issuer.jwks_options:
                return ConfiguredIssuer(issuer, known.keys)
            keys = self._create(issuer, None)
            if (entry := known.keys.entry) is not None:
                lifetime = min(entry.lifetime, issuer.jwks_options.max_age)  # whoever lowers it wants it to count
                keys.accept(entry if issuer.static_keys is not None else replace(entry, lifetime=lifetime))
            return ConfiguredIssuer(issuer, keys)
        return ConfiguredIssuer(issuer, self._create(issuer, None))


def _terms(issuer: IssuerSettings) -> tuple[Any, ...]:
    """Which keys are right: where they come from, and what is asked of the place and of the keys."""
    options = issuer.jwks_options
    configured = getattr(issuer, "jwks", None), getattr(issuer, "symmetric_keys", ())
    source = description(source_for(issuer)), issuer.jwks_uri, issuer.unsafe_allow_http, issuer.static_keys is None
    return (*source, *configured, *(getattr(options, name) for name in _TERMS))
