"""What a source of keys is: the protocol that one's own source implements.

Rule of this file: a source answers with a document, unparsed, or that the one we know still holds, or a `FetchError`.
A source object belongs to one issuer; what it remembers (a discovered `jwks_uri`) is never shared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bearward.fetch.caching import Validators
from bearward.fetch.client import HTTPClient

__all__ = ["Loaded", "Source", "Watched"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a source answered. `document` is None where the known one still holds."""

    document: bytes | None
    lifetime: float | None = None
    """Seconds that the issuer calls the answer fresh; None where it says nothing, infinity where it never changes."""
    validators: Validators | None = None


class Source(Protocol):
    """Your own source: one method.

    Processes that share a cache share what a source answers if their issuer and the `repr` of the source are the same
    (without a `__repr__` of your own: its class). One that reads what only this machine has says `local = True`; then
    nothing is shared. One that has the method of `Watched` too is asked whether there is something new.
    """

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Load the JWK Set document.

        Args:
            client: for HTTP within the issuer's bounds.
            known: the validators of the document that is held, or None.

        Raises:
            FetchError: the document cannot be had at the moment.
        """
        ...


@runtime_checkable
class Watched(Protocol):
    """A source that can tell cheaply whether there is something new; asked every `poll_interval`."""

    async def changed(self) -> bool:
        """Whether another document would be loaded now than the last time."""
        ...
