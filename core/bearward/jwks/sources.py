"""Where an issuer's keys come from: a `jwks_uri`, metadata that names one, or fixed keys.

Rule of this file: a source answers with a document, unparsed, or that the one we know still holds, or a `FetchError`.
A source object belongs to one issuer; what it remembers (a discovered `jwks_uri`) is never shared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from bearward.jose.strict_json import JSONLimits, parse_object
from bearward.jwks.errors import FetchError, FetchFailure
from bearward.jwks.http import HTTPClient
from bearward.jwks.urls import check_url, same_origin
from bearward.jwks.validators import Validators

__all__ = ["JWKSURI", "Discovery", "Loaded", "Source", "Static", "Validators", "Watched"]

_METADATA_LIMITS = JSONLimits(depth=16, containers=1024)


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


class JWKSURI:
    """Keys from a URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Fetch, conditionally where the last answer allows it."""
        answer = await client.get(self.url, known.conditions(self.url) if known is not None else None)
        validators = Validators(self.url, answer.etag, answer.last_modified)
        if answer.body is None and known is not None and answer.etag is None:  # a 304 need not repeat them
            validators = known
        return Loaded(answer.body, answer.lifetime, validators)

    def __repr__(self) -> str:
        return f"JWKSURI({self.url!r})"


class Discovery:
    """Keys from the `jwks_uri` that an issuer's metadata names (OpenID Connect Discovery 1.0, RFC 8414).

    The discovered URL is used again for `max_age` seconds, or until a fetch from it fails.
    """

    def __init__(self, issuer: str, metadata_url: str, *, same_origin: bool = False, max_age: float = 600.0) -> None:
        self._issuer = issuer
        self._metadata_url = metadata_url
        self._same_origin = same_origin
        self._max_age = max_age
        self._keys: JWKSURI | None = None
        self._discovered_at = -math.inf

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Discover if need be, and fetch."""
        now = client.clock.monotonic()
        if self._keys is None or now - self._discovered_at >= self._max_age:
            self._keys = JWKSURI(await self._discover(client))
            self._discovered_at = now
        try:
            return await self._keys.load(client, known)
        except FetchError:
            self._keys = None
            raise

    async def _discover(self, client: HTTPClient) -> str:
        answer = await client.get(self._metadata_url)
        try:
            metadata = parse_object(answer.body or b"", _METADATA_LIMITS)
        except ValueError as exc:
            raise FetchError(FetchFailure.NOT_METADATA) from exc
        if metadata.get("issuer") != self._issuer:  # RFC 8414 section 3.3: identical, code point by code point
            raise FetchError(FetchFailure.ISSUER_MISMATCH)
        return self._checked(metadata.get("jwks_uri"), client)

    def _checked(self, url: object, client: HTTPClient) -> str:
        if not isinstance(url, str):
            raise FetchError(FetchFailure.NOT_METADATA)
        try:
            check_url(url, unsafe_allow_http=client.unsafe_allow_http)
        except ValueError as exc:
            raise FetchError(FetchFailure.URL_REFUSED) from exc
        if self._same_origin and not same_origin(url, self._issuer):
            raise FetchError(FetchFailure.URL_REFUSED)
        return url

    def __repr__(self) -> str:
        return f"Discovery({self._metadata_url!r})"


class Static:
    """Keys that never change while the process lives."""

    def __init__(self, document: bytes) -> None:
        self._document = document

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Answer the document."""
        return Loaded(self._document, math.inf)

    def __repr__(self) -> str:
        return "Static()"
