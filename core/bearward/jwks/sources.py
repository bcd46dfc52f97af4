"""Where an issuer's keys come from: a `jwks_uri`, metadata that names one, or fixed keys.

Rule of this file: a source answers with a document, unparsed, or that the one we know still holds, or a `FetchError`.
A source object belongs to one issuer; what it remembers (a discovered `jwks_uri`) is never shared.
"""

from __future__ import annotations

import asyncio
import math
import os
from pathlib import Path

from bearward.fetch.caching import Validators
from bearward.fetch.client import HTTPClient
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.urls import check_url, same_origin
from bearward.jose.strict_json import JSONLimits, parse_object
from bearward.jwks.source import Loaded

__all__ = ["JWKSURI", "Discovery", "File", "Static"]

Mark = tuple[int, int, int]

_METADATA_LIMITS = JSONLimits(depth=16, containers=1024)


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


class File:
    """A JWK Set document in a file; at most `max_body` bytes of it are read."""

    local = True  # the same path may be another file elsewhere

    def __init__(self, path: str | Path, *, max_body: int = 65_536) -> None:
        self._path = Path(path)
        self._max_body = max_body
        self._loaded: Mark | None = None

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Read the file."""
        try:
            document, self._loaded = await asyncio.to_thread(self._read)
        except OSError as exc:
            self._loaded = await asyncio.to_thread(self._mark)  # looked at: no news until it changes
            raise FetchError(FetchFailure.FILE) from exc
        if len(document) > self._max_body:
            raise FetchError(FetchFailure.TOO_LARGE)
        return Loaded(document)

    async def changed(self) -> bool:
        """Whether the file is another one than was loaded; a file that is gone is no news."""
        mark = await asyncio.to_thread(self._mark)
        return mark is not None and mark != self._loaded

    def _read(self) -> tuple[bytes, Mark]:
        with self._path.open("rb") as file:
            mark = _mark(os.fstat(file.fileno()))
            return file.read(self._max_body + 1), mark

    def _mark(self) -> Mark | None:
        try:
            return _mark(self._path.stat())
        except OSError:
            return None

    def __repr__(self) -> str:
        return f"File({str(self._path)!r})"


def _mark(status: os.stat_result) -> Mark:
    return status.st_mtime_ns, status.st_size, status.st_ino
