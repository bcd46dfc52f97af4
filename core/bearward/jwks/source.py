"""What a source of keys is: the protocol that your own source implements (pure).

Rule of this file: a source returns an unparsed document, or reports that the known one is unchanged, or raises a
`FetchError`. A source object belongs to one issuer; what it remembers (a discovered `jwks_uri`) is never shared.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from bearward.fetch.caching import Validators
from bearward.fetch.http import HTTPClient

__all__ = ["ChangeAwareSource", "Loaded", "Source", "description"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a source returned. `document` is None if the known one still holds."""

    document: bytes | None = field(repr=False)
    lifetime: float | None = None
    """Seconds that the issuer calls the document fresh; None if it says nothing, infinity if it never changes."""
    validators: Validators | None = None

    def __post_init__(self) -> None:
        """Leave out a byte order mark, which some editors and servers put before JSON (RFC 8259 section 8.1)."""
        if self.document is not None and self.document.startswith(BOM_UTF8):
            object.__setattr__(self, "document", self.document.removeprefix(BOM_UTF8))


class Source(Protocol):
    """Your own source: one method.

    Processes that share a cache share what a source returns if their issuer and the `repr` of the source are the same
    (without a `__repr__` of your own: its class). One that reads what only this machine has says `local = True`; then
    nothing is shared. One that has the method of `ChangeAwareSource` too is asked regularly whether it has changed.
    """

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Load the JWK Set document.

        Args:
            client: for HTTP within the issuer's bounds.
            known: the validators of the document that is held, or None.

        Raises:
            FetchError: the document are not available at the moment.
        """
        ...


@runtime_checkable
class ChangeAwareSource(Protocol):
    """A source that can check cheaply whether it has changed; called every `poll_interval`."""

    async def changed(self) -> bool:
        """Whether another document would be loaded now than the last time."""
        ...


def description(source: Source) -> str:
    """A text by which processes agree that they mean the same source: without the address of an object."""
    kind = type(source)
    return f"{kind.__module__}.{kind.__qualname__}" if kind.__repr__ is object.__repr__ else repr(source)
