"""Several sources in order, and which source the settings of an issuer mean.

Rules of this file: each source gets its share of the time, so that one that hangs or trickles leaves enough for those
after it; one that answers with something that is no usable key set has not answered. What lies on this machine is
`local`, and is not shared with other machines.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bearward.errors import ConfigurationError
from bearward.fetch.caching import Validators
from bearward.fetch.client import HTTPClient
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.urls import oauth_metadata_url, openid_metadata_url
from bearward.jose.jwk_set import JWKSet, JWKSetError
from bearward.jwks.options import JWKSOptions, Metadata
from bearward.jwks.source import Loaded, Source, Watched
from bearward.jwks.sources import JWKSURI, Discovery, Static

if TYPE_CHECKING:
    from bearward.trusted_issuer import TrustedIssuer

__all__ = ["Chain", "description", "source_of"]

_log = logging.getLogger("bearward.jwks")


class Chain:
    """Several sources, tried in order; the first that answers with a usable set counts."""

    def __init__(self, sources: Sequence[Source], options: JWKSOptions) -> None:
        self._sources = tuple(sources)
        self._options = options
        self._answered = len(self._sources) - 1
        self.local: bool = any(getattr(source, "local", False) for source in sources)

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Ask each in turn; the first one's error is the one that is told."""
        first: FetchError | None = None
        ends = asyncio.get_running_loop().time() + self._options.total_timeout
        for index, source in enumerate(self._sources):
            left = ends - asyncio.get_running_loop().time()
            try:
                loaded = await _within(left / (len(self._sources) - index), source, client, known)
                self._check(loaded, client)
            except FetchError as exc:
                first = first or exc
            else:
                self._answered = index
                return loaded
        raise first or FetchError(FetchFailure.INTERNAL)

    def _check(self, loaded: Loaded, client: HTTPClient) -> None:
        if loaded.document is not None:
            try:
                JWKSet.parse(loaded.document, authorities=self._options.authorities, now=client.clock.now())
            except JWKSetError as exc:
                raise FetchError(FetchFailure.NOT_A_KEY_SET) from exc

    async def changed(self) -> bool:
        """Whether the source that answered, or one before it, has something new."""
        for source in self._sources[: self._answered + 1]:
            if isinstance(source, Watched) and await source.changed():
                return True
        return False

    def __repr__(self) -> str:
        return f"Chain({', '.join(map(description, self._sources))})"


class Alternatives:
    """Places where a document may lie: the next one is asked only where the answer was that there is none.

    An issuer that is down is not asked twice.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Ask each in turn; the first one's error is the one that is told."""
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
        return f"Alternatives({', '.join(map(description, self._sources))})"


def description(source: Source) -> str:
    """A text for processes to agree by that they mean the same source: without the address of an object."""
    kind = type(source)
    return f"{kind.__module__}.{kind.__qualname__}" if kind.__repr__ is object.__repr__ else repr(source)


async def _within(seconds: float, source: Source, client: HTTPClient, known: Validators | None) -> Loaded:
    """What `source` answers; a FetchError for everything else, of our own sources and of others'."""
    try:
        async with asyncio.timeout(seconds):
            return await source.load(client, known)
    except FetchError:
        raise
    except TimeoutError as exc:
        raise FetchError(FetchFailure.TIMEOUT) from exc
    except Exception as exc:
        _log.exception("a source failed in an unexpected way: %s", description(source))
        raise FetchError(FetchFailure.INTERNAL) from exc


def source_of(issuer: TrustedIssuer) -> Source:
    """What the settings of an issuer say about where its keys are; nowhere, if they are configured themselves."""
    options = issuer.jwks_options
    if issuer.static_keys is not None:
        return Static(b"")  # parsed already; never asked
    if options.sources:
        alone = len(options.sources) == 1
        return options.sources[0] if alone else Chain(options.sources, options)
    if options.jwks_file is not None:
        from bearward.jwks.sources import File

        return File(options.jwks_file, max_body=options.max_body)
    if issuer.jwks_uri is not None:
        return JWKSURI(issuer.jwks_uri)
    try:
        openid, oauth = openid_metadata_url(issuer.issuer), oauth_metadata_url(issuer.issuer)
    except ValueError as wrong:
        raise ConfigurationError("issuer", f"{wrong}, or give jwks_uri") from None
    found = {Metadata.OPENID: [openid], Metadata.OAUTH: [oauth], Metadata.ANY: [openid, oauth]}[options.metadata]
    return Alternatives([_discovery(issuer.issuer, url, options) for url in found])


def _discovery(issuer: str, url: str, options: JWKSOptions) -> Discovery:
    return Discovery(issuer, url, same_origin=options.same_origin, max_age=options.max_age)
