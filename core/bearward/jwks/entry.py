"""A key set together with what came with it: the document, when it was asked for, how long it is fresh."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bearward.jose.jwk_set import JWKSet

if TYPE_CHECKING:
    from bearward.jwks.validators import Validators

__all__ = ["Entry", "HeldKeys"]


@dataclass(frozen=True, slots=True)
class HeldKeys:
    """What a verification looks its key up in: the same object for as long as the keys are the same."""

    jwk_set: JWKSet
    generation: int
    """Counts the sets that were held; a caller that misses says which one it looked in."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer of an issuer."""

    jwk_set: JWKSet
    document: bytes = field(repr=False)
    fetched_at: float
    """Wall clock, seconds since the epoch, at the moment of the request: what a fleet and a disk can share."""
    lifetime: float
    """Seconds that it is fresh, counted from `fetched_at`; within the configured bounds."""
    validators: Validators | None = None
