"""What a key source needs from HTTP: GET one document (pure; `client` does it).

Rule of this file: a source says where a URL comes from. A URL that the operator wrote gets what the operator configured
(headers, a client certificate). One that a document named (`discovered_from`) gets that only at the same origin as the
document, and reaches a private network only if the document came from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["HTTPClient", "HTTPResponse"]


@dataclass(frozen=True, slots=True)
class HTTPResponse:
    """A 200 with its body, or a 304 (`body` is None)."""

    body: bytes | None = field(repr=False)
    lifetime: float | None
    """How long the response is fresh, in seconds, by its headers; None if they do not say."""
    etag: str | None = None
    last_modified: str | None = None
    cache_control: str | None = None
    """What the response says of caching, as it stands there."""
    date: float | None = None
    """The server's clock, in seconds since the epoch (RFC 9110 section 6.6.1)."""


class HTTPClient(Protocol):
    """HTTP within the bounds of one issuer's options; passed to a source each time it loads keys."""

    unsafe_allow_http: bool

    def now(self) -> float:
        """The wall clock of the verifier: seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """The monotonic clock of the verifier, in seconds."""
        ...

    async def get(
        self, url: str, conditions: Mapping[str, str] | None = None, *, discovered_from: str | None = None
    ) -> HTTPResponse:
        """Fetch `url`.

        Args:
            url: https, or http on loopback.
            conditions: the headers of a conditional request (RFC 9110 section 13.1).
            discovered_from: the URL of the document that named `url`; None for a URL that the operator wrote.

        Raises:
            FetchError: anything went wrong.
        """
        ...
