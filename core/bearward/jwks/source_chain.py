"""Several sources in order, and the source that an issuer's settings describe.

Rules of this file: each source gets a share of the time, so that one that hangs or trickles leaves enough for the rest;
one whose document is not a usable key set counts as failed. What is on this machine is `local`, and is not shared with
other machines.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from bearward.bug_reports import report_bug
from bearward.errors import ConfigurationError
from bearward.fetch.caching import Validators
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.http import HTTPClient
from bearward.fetch.urls import oauth_metadata_url, openid_metadata_url
from bearward.jose.jwk_set import JWKSetError, parse_in_steps
from bearward.jwks.issuer_settings import IssuerSettings, OneKey
from bearward.jwks.options import JWKSOptions, MetadataKind
from bearward.jwks.pem_sources import PEMKey, PEMMap
from bearward.jwks.source import ChangeAwareSource, Loaded, Source, description
from bearward.jwks.sources import JWKSURI, Discovery, File, Static
from bearward.loop import in_turns

__all__ = ["FirstFound", "FirstUsable", "source_for", "source_identity"]

_log = logging.getLogger("bearward.jwks")


class FirstUsable:
    """Several sources, tried in order; the first that returns a usable set counts."""

    def __init__(self, sources: Sequence[Source], options: JWKSOptions) -> None:
        self._sources = tuple(sources)
        self._options = options
        self._last_used = len(self._sources) - 1
        self.local: bool = any(getattr(source, "local", False) for source in sources)

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Ask each in turn; the error of the first one is raised."""
        first: FetchError | None = None
        ends = asyncio.get_running_loop().time() + self._options.total_timeout
        for index, source in enumerate(self._sources):
            left = ends - asyncio.get_running_loop().time()
            try:
                loaded = await _load_within(left / (len(self._sources) - index), source, client, known)
                await self._check(loaded, client)
            except FetchError as exc:
                first = first or exc
            else:
                self._last_used = index
                return loaded
        raise first or FetchError(FetchFailure.INTERNAL)

    async def _check(self, loaded: Loaded, client: HTTPClient) -> None:
        if loaded.document is not None:
            try:
                await in_turns(parse_in_steps(loaded.document, authorities=self._options.authorities, now=client.now()))
            except JWKSetError as exc:
                raise FetchError(FetchFailure.NOT_A_KEY_SET, detail=str(exc)) from exc

    async def changed(self) -> bool:
        """Whether the source that was used last, or one before it, has changed."""
        for source in self._sources[: self._last_used + 1]:
            if isinstance(source, ChangeAwareSource) and await source.changed():
                return True
        return False

    def __repr__(self) -> str:
        return f"FirstUsable({', '.join(map(description, self._sources))})"


class FirstFound:
    """Places where a document may be: the next one is tried only if the response was that there is none.

    So an issuer that is down is not asked twice.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Ask each in turn; the error of the first one is raised."""
        first: FetchError | None = None
        for source in self._sources:
            try:
                return await source.load(client, known)
            except FetchError as exc:
                first = first or exc
                if exc.failure is not FetchFailure.NOT_FOUND:
                    break
        raise first or FetchError(FetchFailure.INTERNAL)

    def __repr__(self) -> str:
        return f"FirstFound({', '.join(map(description, self._sources))})"


async def _load_within(seconds: float, source: Source, client: HTTPClient, known: Validators | None) -> Loaded:
    """What `source` returns; a FetchError for everything else, for our own sources and for others'."""
    try:
        async with asyncio.timeout(seconds):
            return await source.load(client, known)
    except FetchError:
        raise
    except TimeoutError as exc:
        raise FetchError(FetchFailure.TIMEOUT) from exc
    except Exception as exc:
        report_bug(_log, f"a source failed in an unexpected way: {description(source)}", exc)
        raise FetchError(FetchFailure.INTERNAL) from exc


def source_for(issuer: IssuerSettings) -> Source:
    """The source that an issuer's settings describe; an empty one if the keys themselves are configured."""
    options = issuer.jwks_options
    if issuer.static_keys is not None:
        return Static(b"")  # parsed already; never asked
    if options.sources:
        single = len(options.sources) == 1
        return options.sources[0] if single else FirstUsable(options.sources, options)
    if options.jwks_file is not None:
        path = options.jwks_file if isinstance(options.jwks_file, str) else options.jwks_file.__fspath__()
        return File(path, max_body=options.max_body)
    if isinstance(issuer, OneKey):
        return PEMKey(issuer.pem_uri, issuer.kid)
    if issuer.pem_uri is not None:
        return PEMMap(issuer.pem_uri)
    if issuer.metadata_uri is not None:
        return _metadata(issuer.issuer, issuer.metadata_uri, options)
    return JWKSURI(issuer.jwks_uri) if issuer.jwks_uri is not None else _discovery(issuer.issuer, options)


def _metadata(issuer: str, url: str, options: JWKSOptions) -> Source:
    return Discovery(issuer, url, same_origin=options.same_origin, max_age=options.max_age)


def _discovery(issuer: str, options: JWKSOptions) -> Source:
    try:
        openid, oauth = openid_metadata_url(issuer), oauth_metadata_url(issuer)
    except ValueError as wrong:
        raise ConfigurationError("issuer", f"{wrong}, or give jwks_uri") from None
    urls = {MetadataKind.OPENID: [openid], MetadataKind.OAUTH: [oauth], MetadataKind.ANY: [openid, oauth]}
    return FirstFound([_metadata(issuer, url, options) for url in urls[options.metadata]])


def source_identity(source: Source, issuer: IssuerSettings) -> str:
    """Where and how a document is fetched: only processes that agree on it accept it from one another."""
    options = issuer.jwks_options
    how = (options.ca_file, options.proxy, options.same_origin, options.unsafe_allow_private_addresses)
    return repr((description(source), issuer.unsafe_allow_http, *map(str, how)))
