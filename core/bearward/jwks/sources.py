"""Where an issuer's keys come from: a `jwks_uri`, metadata that names one, a file, fixed keys, or several in order.

Rule of this file: a source answers with a document, unparsed, or that the one we know still holds, or a `FetchError`.
A source object belongs to one issuer; what it remembers (a discovered `jwks_uri`) is never shared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bearward.errors import ConfigurationError
from bearward.jose.strict_json import JSONLimits, parse_object
from bearward.jwks.errors import FetchError, FetchFailure
from bearward.jwks.http import HTTPClient
from bearward.jwks.options import JWKSOptions, Metadata
from bearward.jwks.urls import check_url, oauth_metadata_url, openid_metadata_url, same_origin
from bearward.jwks.validators import Validators

if TYPE_CHECKING:
    from bearward.policy import TrustedIssuer

__all__ = ["JWKSURI", "Chain", "Discovery", "Loaded", "Source", "Static", "Validators", "source_of"]

_METADATA_LIMITS = JSONLimits(depth=16, containers=1024)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a source answered. `document` is None where the known one still holds."""

    document: bytes | None
    lifetime: float | None = None
    """Seconds that the issuer calls the answer fresh; None where it says nothing, infinity where it never changes."""
    validators: Validators | None = None


class Source(Protocol):
    """Your own source: one method."""

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Load the JWK Set document.

        Args:
            client: for HTTP within the issuer's bounds.
            known: the validators of the document that is held, or None.

        Raises:
            FetchError: the document cannot be had at the moment.
        """
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


class Chain:
    """Several sources, tried in order; the first that answers counts.

    `only_absent`: go on only where the answer was that there is no such document, so that an issuer that is down is
    not asked twice.
    """

    def __init__(self, sources: Sequence[Source], *, only_absent: bool = False) -> None:
        self._sources = tuple(sources)
        self._only_absent = only_absent

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Ask each in turn; the first one's error is the one that is told."""
        first: FetchError | None = None
        for source in self._sources:
            try:
                return await source.load(client, known)
            except FetchError as exc:
                first = first or exc
                if self._only_absent and exc.failure is not FetchFailure.NOT_FOUND:
                    break
        raise first or FetchError(FetchFailure.INTERNAL)

    def __repr__(self) -> str:
        return f"Chain({', '.join(map(repr, self._sources))})"


def source_of(issuer: TrustedIssuer) -> Source:
    """What the settings of an issuer say about where its keys are; nowhere, if they are configured themselves."""
    options = issuer.keys
    if issuer.static_keys is not None:
        return Static(b"")  # parsed already; never asked
    if options.sources:
        return options.sources[0] if len(options.sources) == 1 else Chain(options.sources)
    if options.jwks_file is not None:
        from bearward.jwks.file_source import File

        return File(options.jwks_file, max_body=options.max_body)
    if issuer.jwks_uri is not None:
        return JWKSURI(issuer.jwks_uri)
    try:
        openid, oauth = openid_metadata_url(issuer.issuer), oauth_metadata_url(issuer.issuer)
    except ValueError as wrong:
        raise ConfigurationError("issuer", f"{wrong}, or give jwks_uri") from None
    found = {Metadata.OPENID: [openid], Metadata.OAUTH: [oauth], Metadata.ANY: [openid, oauth]}[options.metadata]
    return Chain([_discovery(issuer.issuer, url, options) for url in found], only_absent=True)


def _discovery(issuer: str, url: str, options: JWKSOptions) -> Discovery:
    return Discovery(issuer, url, same_origin=options.same_origin, max_age=options.max_age)
