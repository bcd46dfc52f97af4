"""One revocation: what it names, and which of the tokens that carry that name it concerns."""

from __future__ import annotations

from typing import NamedTuple

from bearward.errors import ConfigurationError

__all__ = ["FOREVER", "KINDS", "Revocation", "checked"]

FOREVER = float("inf")
KINDS = frozenset({"jti", "sub", "sid", "key"})


class Revocation(NamedTuple):
    """Tokens of `issuer` whose `kind` (`jti`, `sub`, `sid`, `key`) is `name`, and that were issued before `before`.

    Times are seconds since the epoch. No token that is still good after `until` can be meant.
    """

    kind: str
    issuer: str
    name: str
    before: float
    until: float


def checked(revocation: Revocation) -> Revocation:
    """The entry, if its times are seconds since the epoch, or infinity; raises `ConfigurationError`.

    With a time that is no number, nothing would ever be older or newer: it would revoke nothing, silently.
    """
    for setting, value in (("before", revocation.before), ("until", revocation.until)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not (0 <= value < 1e15 or value == FOREVER):
            raise ConfigurationError(setting, "must be seconds since the epoch, or infinity")
    return revocation
