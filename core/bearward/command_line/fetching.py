"""What an issuer responds, as a verifier would see it: the same client, the same sources, the same bounds.

Rule of this file: everything that is asked is recorded, so that a command can say where keys came from and how they may
be cached. Nothing is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from bearward.errors import ConfigurationError
from bearward.fetch.client import IssuerHTTPClient
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.http import HTTPResponse
from bearward.jwks.source import Loaded
from bearward.jwks.source_chain import source_for
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["Fetched", "fetch_keys"]


@dataclass(slots=True)
class Fetched:
    """What came of asking an issuer for its keys."""

    issuer: TrustedIssuer
    loaded: Loaded | None = None
    error: FetchError | None = None
    responses: list[tuple[str, HTTPResponse]] = field(default_factory=list)
    """Each document that was fetched, by its URL, in order."""


class _Recording:
    """A client that remembers what it was asked, and what the responses were."""

    def __init__(self, client: IssuerHTTPClient, fetched: Fetched) -> None:
        self._client, self._fetched = client, fetched
        self.unsafe_allow_http = client.unsafe_allow_http

    async def get(
        self, url: str, conditions: Mapping[str, str] | None = None, *, discovered_from: str | None = None
    ) -> HTTPResponse:
        response = await self._client.get(url, conditions, discovered_from=discovered_from)
        self._fetched.responses.append((url.partition("?")[0], response))
        return response

    def now(self) -> float:
        return self._client.now()

    def monotonic(self) -> float:
        return self._client.monotonic()


async def fetch_keys(issuer: TrustedIssuer) -> Fetched:
    """Ask an issuer for its keys, once."""
    fetched, options = Fetched(issuer), issuer.jwks_options
    client = IssuerHTTPClient(options.http_settings(unsafe_allow_http=issuer.unsafe_allow_http))
    try:
        async with asyncio.timeout(options.total_timeout):
            fetched.loaded = await source_for(issuer).load(_Recording(client, fetched), None)
    except FetchError as error:
        fetched.error = error
    except TimeoutError:
        fetched.error = FetchError(FetchFailure.TIMEOUT)
    except ConfigurationError as error:
        fetched.error = FetchError(FetchFailure.URL_REFUSED, detail=error.requirement)
    finally:
        await client.aclose()
    return fetched
