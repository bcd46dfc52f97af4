"""One revocation: what it names, and which of the tokens that carry that name it concerns."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["FOREVER", "KINDS", "Revocation"]

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
