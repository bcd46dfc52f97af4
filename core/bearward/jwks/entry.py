"""A key set with its metadata: the document, when it was requested, how long it is fresh (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from bearward.fetch.caching import Validators
from bearward.fetch.errors import FetchError
from bearward.jose.jwk_set import JWKSet

__all__ = ["Entry", "HeldKeys", "StaleEntryError"]


@dataclass(frozen=True, slots=True)
class HeldKeys:
    """The key set that a verification looks its key up in: the same object for as long as the keys are the same."""

    jwk_set: JWKSet
    generation: int
    """Counts the sets that were held; a caller whose `kid` is not in the set says which one it searched."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One response of an issuer."""

    jwk_set: JWKSet
    document: bytes = field(repr=False)
    fetched_at: float
    """Wall clock, seconds since the epoch, at the moment of the request: what a fleet and a disk can share."""
    lifetime: float
    """Seconds that it is fresh, counted from `fetched_at`; within the configured bounds."""
    validators: Validators | None = None


class StaleEntryError(FetchError):
    """A fetch failed, and the shared cache holds an older `entry`, which is better than none."""

    def __init__(self, failed: FetchError, entry: Entry) -> None:
        super().__init__(failed.failure, failed.status, detail=failed.detail, url=failed.url, setting=failed.setting)
        self.entry = entry
