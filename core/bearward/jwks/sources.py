"""Where an issuer's keys come from: a `jwks_uri`, metadata that names one, a file, or fixed keys.

Rule of this file: a source returns an unparsed document, or reports that the known one is unchanged, or raises a
`FetchError` that names the URL and the setting that led to it. A source object belongs to one issuer; what it remembers
(a discovered `jwks_uri`) is never shared.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path

from bearward.fetch.addresses import Network, network_of_host
from bearward.fetch.caching import Validators
from bearward.fetch.errors import FetchError, FetchFailure, excerpt
from bearward.fetch.http import HTTPClient
from bearward.fetch.urls import check_url, host_of, same_origin
from bearward.jose.strict_json import JSONLimits, parse_object
from bearward.jwks.source import Loaded

__all__ = ["JWKSURI", "Discovery", "File", "Static"]

FileVersion = tuple[int, int, int]

_METADATA_LIMITS = JSONLimits(depth=16, containers=1024)


class JWKSURI:
    """Keys from a URL, which `setting` names; `discovered_from` is the document that named it, if the operator did not."""

    def __init__(self, url: str, *, discovered_from: str | None = None, setting: str = "jwks_uri") -> None:
        self.url = url
        self._setting = setting
        self._discovered_from = discovered_from

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Fetch, conditionally if the last response allows it."""
        setting = self._setting if self._discovered_from is None else f"jwks_uri in {self._discovered_from}"
        conditions = known.conditions(self.url) if known is not None else None
        with _located(self.url, setting):
            response = await client.get(self.url, conditions, discovered_from=self._discovered_from)
        validators = Validators(self.url, response.etag, response.last_modified)
        if response.body is None and known is not None and response.etag is None:  # a 304 need not repeat them
            validators = known
        return Loaded(response.body, response.lifetime, validators)

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
        now = client.monotonic()
        if self._keys is None or now - self._discovered_at >= self._max_age:
            with _located(self._metadata_url, "metadata of issuer"):
                url = await self._discover(client)
            self._keys = JWKSURI(url, discovered_from=self._metadata_url)
            self._discovered_at = now
        try:
            return await self._keys.load(client, known)
        except FetchError:
            self._keys = None
            raise

    async def _discover(self, client: HTTPClient) -> str:
        response = await client.get(self._metadata_url)
        try:
            metadata = parse_object((response.body or b"").removeprefix(BOM_UTF8), _METADATA_LIMITS)
        except ValueError as exc:
            raise FetchError(FetchFailure.NOT_METADATA) from exc
        named = metadata.get("issuer")
        if named != self._issuer:  # RFC 8414 section 3.3: identical, code point by code point
            detail = f"it says {excerpt(named)}, configured is {excerpt(self._issuer)}"
            raise FetchError(FetchFailure.ISSUER_MISMATCH, detail=detail)
        return self._checked(metadata.get("jwks_uri"), client)

    def _checked(self, url: object, client: HTTPClient) -> str:
        if not isinstance(url, str):
            raise FetchError(FetchFailure.NOT_METADATA, detail="it has no jwks_uri")
        reason = _why_not(url, client, self._metadata_url)
        if reason is None and self._same_origin and not same_origin(url, self._metadata_url):
            reason = "not of the metadata's origin, and jwks_options.same_origin is set"
        if reason is not None:
            raise FetchError(FetchFailure.URL_REFUSED, detail=f"jwks_uri {excerpt(url)}: {reason}")
        return url

    def __repr__(self) -> str:
        return f"Discovery({self._metadata_url!r})"


def _why_not(url: str, client: HTTPClient, metadata_url: str) -> str | None:
    """Why keys may not come from a URL that the metadata names; None if they may."""
    try:
        check_url(url, unsafe_allow_http=client.unsafe_allow_http)
    except ValueError as exc:
        return str(exc)
    loopback = network_of_host(host_of(url)) is Network.LOOPBACK
    if loopback and network_of_host(host_of(metadata_url)) is not Network.LOOPBACK:
        return "loopback, and the issuer is not"
    return None


@contextlib.contextmanager
def _located(url: str, setting: str) -> Iterator[None]:
    try:
        yield
    except FetchError as exc:
        exc.locate(url, setting)
        raise


class Static:
    """Keys that never change while the process lives."""

    def __init__(self, document: bytes) -> None:
        self._document = document

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Return the document."""
        return Loaded(self._document, math.inf)

    def __repr__(self) -> str:
        return "Static()"


class File:
    """A JWK Set document in a file; at most `max_body` bytes of it are read."""

    local: bool = True  # the same path may be another file elsewhere

    def __init__(self, path: str | Path, *, max_body: int = 65_536) -> None:
        self._path = Path(path)
        self._max_body = max_body
        self._loaded: FileVersion | None = None

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Read the file."""
        with _located(str(self._path), "jwks_file"):
            try:
                document, self._loaded = await asyncio.to_thread(self._read)
            except OSError as exc:
                self._loaded = await asyncio.to_thread(self._version)  # tried: not again until it changes
                raise FetchError(FetchFailure.FILE, detail=exc.strerror) from exc
            if len(document) > self._max_body:
                raise FetchError(FetchFailure.TOO_LARGE)
        return Loaded(document)

    async def changed(self) -> bool:
        """Whether the file is another one than was loaded; a file that is missing has not changed."""
        version = await asyncio.to_thread(self._version)
        return version is not None and version != self._loaded

    def _read(self) -> tuple[bytes, FileVersion]:
        with self._path.open("rb") as file:
            version = _version(os.fstat(file.fileno()))
            return file.read(self._max_body + 1), version

    def _version(self) -> FileVersion | None:
        try:
            return _version(self._path.stat())
        except OSError:
            return None

    def __repr__(self) -> str:
        return f"File({str(self._path)!r})"


def _version(status: os.stat_result) -> FileVersion:
    return status.st_mtime_ns, status.st_size, status.st_ino
