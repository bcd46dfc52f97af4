"""One revocation: what it names, and the names by which a token can be revoked.

Rules of this file: pure. A token is named by its issuer and one of its `jti`, `sub` and `sid` claims (RFC 7519
sections 4.1.2 and 4.1.7, OpenID Connect Back-Channel Logout section 2.4) or by the key that signed it. A name of any
length becomes one of bounded length, the same in every process of a fleet.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from bearward.errors import ConfigurationError
from bearward.principal import Principal

__all__ = ["CLOCK", "FOREVER", "KINDS", "Name", "Revocation", "bounded_name", "names_of", "validated"]

FOREVER = float("inf")
CLOCK = "clock"
"""The kind of an entry that revokes nothing: it says by how many seconds (`before`) an issuer's clock is ahead."""
KINDS = frozenset({"jti", "sub", "sid", "key", CLOCK})
_MAX_NAME = 128
_MAX_SECONDS = 1e15

Name = tuple[str, str, str]
"""Kind, issuer and bounded name: what an entry is found by."""


class Revocation(NamedTuple):
    """Tokens of `issuer` whose `kind` (`jti`, `sub`, `sid`, `key`) is `name`, and that were issued before `before`.

    Times are seconds since the epoch. No token that is still valid after `until` can be meant.
    """

    kind: str
    issuer: str
    name: str
    before: float
    until: float

    @property
    def key(self) -> Name:
        """What the entry is found by."""
        return self.kind, self.issuer, bounded_name(self.name)


def validated(revocation: Revocation) -> Revocation:
    """The entry, if each field can be meant; raises `ConfigurationError` naming the field.

    With a time that is no number nothing would ever be older or newer, and with a name that is no string no token
    could carry it: the entry would revoke nothing, silently.
    """
    if revocation.kind not in KINDS:
        raise ConfigurationError("kind", "must be jti, sub, sid or key")
    for setting, name in (("issuer", revocation.issuer), ("name", revocation.name)):
        if not isinstance(name, str):
            raise ConfigurationError(setting, "must be a string")
    for setting, value in (("before", revocation.before), ("until", revocation.until)):
        if not _is_time(value):
            raise ConfigurationError(setting, "must be seconds since the epoch, or infinity")
    return revocation


def bounded_name(name: str) -> str:
    """The name, or its digest where it is long: what an issuer puts into a claim must not set the size of an entry."""
    if len(name) <= _MAX_NAME:
        return name
    return "sha256:" + sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def names_of(principal: Principal) -> Iterator[Name]:
    """Everything that a revocation of this principal's token could name."""
    issuer, claims = principal.issuer, principal.claims
    yield "key", issuer, bounded_name(principal.key_thumbprint)
    for kind in ("jti", "sub", "sid"):
        name = claims.get(kind)
        if isinstance(name, str):
            yield kind, issuer, bounded_name(name)
    subject = principal.subject
    if subject is not None and subject != claims.get("sub"):  # another claim names the caller of this issuer
        yield "sub", issuer, bounded_name(subject)


def _is_time(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value < _MAX_SECONDS or value == FOREVER
