"""Which claims of an issuer say who calls, for which client, and with which rights.

Rules of this file: pure. The usual names (`sub`; `client_id`, else `azp`; `scope`, else `scp`) need nothing of this. What
is read here was verified; a claim of another form than is expected grants nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from bearward.claim_paths import Path, claim_at
from bearward.errors import ConfigurationError

__all__ = ["ClaimNames", "RightsFrom", "claim_names", "rights_from"]


@dataclass(frozen=True, slots=True)
class RightsFrom:
    """Where an issuer puts rights: a claim by its exact name, or by the path to it through objects.

    The claim may be a list of strings, one string with spaces between the rights, or an object whose keys are the rights;
    `prefix` is put before each. With `flag` the claim is a yes or no: `true`, or the string `"true"`, grants the right
    that `flag` names. Raises `ConfigurationError`.

    >>> roles = RightsFrom(("realm_access", "roles"), prefix="role:")
    >>> sorted(roles.held({"realm_access": {"roles": ["reader", "writer"]}}))
    ['role:reader', 'role:writer']
    >>> sorted(RightsFrom("ref_protected", flag="protected-ref").held({"ref_protected": "true"}))
    ['protected-ref']
    """

    claim: str | Path
    prefix: str = ""
    flag: str | None = None

    def __post_init__(self) -> None:
        """Check the fields."""
        path = (self.claim,) if isinstance(self.claim, str) else self.claim
        if not path or not _are_names(path):
            raise ConfigurationError("rights", "must name claims: a name, or the path to it as a tuple of names")
        object.__setattr__(self, "claim", path[0] if len(path) == 1 else tuple(path))
        if not isinstance(self.prefix, str):
            raise ConfigurationError("rights.prefix", "must be a string")
        if self.flag is not None and (not isinstance(self.flag, str) or not self.flag or self.prefix):
            raise ConfigurationError("rights.flag", "must be the right that a true claim grants, without a prefix")

    def held(self, claims: Mapping[str, Any]) -> Iterator[str]:
        """The rights that `claims` grant here."""
        value = claim_at(claims, self.claim)
        if self.flag is not None:
            if value is True or value == "true":
                yield self.flag
            return
        for name in _names(value):
            yield f"{self.prefix}{name}"


def rights_from(given: object) -> tuple[RightsFrom, ...]:
    """What the setting `rights` means: claims by name, by path, or as `RightsFrom`; one of them or several.

    In a sequence a string is a name, and a tuple (or list) within it is a path. Raises `ConfigurationError`.
    """
    if isinstance(given, str | RightsFrom):
        return (_one(given),)
    if not isinstance(given, Collection) or isinstance(given, bytes | Mapping):
        raise ConfigurationError("rights", "must be names of claims, paths as tuples, or RightsFrom")
    return tuple(_one(each) for each in given)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimNames:
    """How to read the claims of an issuer that has its own names.

    `subject` are claims of which the first that is a non-empty string names the caller (none: `sub` as it is); `client` is
    the claim of the client; `issuer` is what stands for an `iss` that the tokens do not have.
    """

    subject: tuple[str, ...] = ()
    client: str | None = None
    rights: tuple[RightsFrom, ...] = ()
    issuer: str | None = None

    def subject_of(self, claims: Mapping[str, Any]) -> str | None:
        """Who calls."""
        if not self.subject:
            return claims.get("sub")
        for name in self.subject:
            value = claims.get(name)
            if isinstance(value, str) and value:
                return value
        return None

    def client_of(self, claims: Mapping[str, Any]) -> str | None:
        """Which client the token was issued to."""
        value = claims.get("client_id", claims.get("azp")) if self.client is None else claims.get(self.client)
        return value if isinstance(value, str) else None

    def rights_of(self, claims: Mapping[str, Any]) -> frozenset[str]:
        """All rights, of all claims that grant some."""
        return frozenset(right for source in self.rights for right in source.held(claims))


def claim_names(issuer: str | None, subject: object, client: object, rights: object) -> ClaimNames | None:
    """What the settings of an issuer come to; None if nothing is said. `issuer` only where tokens have no `iss`.

    Raises `ConfigurationError`.
    """
    several = (subject,) if isinstance(subject, str) else subject
    if not _are_names(several):
        raise ConfigurationError("subject_claim", "must name claims, in the order in which they are tried")
    if client is not None and not (isinstance(client, str) and client):
        raise ConfigurationError("client_claim", "must name a claim")
    sources = rights_from(rights)
    if issuer is None and not several and client is None and not sources:
        return None
    return ClaimNames(subject=tuple(several), client=client, rights=sources, issuer=issuer)


def _are_names(several: object) -> TypeGuard[Sequence[str]]:
    return isinstance(several, list | tuple) and all(isinstance(name, str) and name for name in several)


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from filter(None, value.split(" "))
    elif isinstance(value, list | tuple | Mapping):  # of an object the keys
        yield from (name for name in value if isinstance(name, str) and name)


def _one(given: object) -> RightsFrom:
    if isinstance(given, RightsFrom):
        return given
    if isinstance(given, Mapping):
        if not given.keys() <= {"claim", "prefix", "flag"} or "claim" not in given:
            raise ConfigurationError("rights", "must be a table of claim, and prefix or flag")
        return RightsFrom(**given)
    if isinstance(given, str | list | tuple):
        return RightsFrom(given if isinstance(given, str) else tuple(given))
    raise ConfigurationError("rights", "must be names of claims, paths as tuples, or RightsFrom")
