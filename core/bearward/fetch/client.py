"""The HTTP boundary: GET one document, within bounds, and map every failure to a `FetchError`.

Rules of this file: https except where `check_url` allows http, no redirects, no cookies, no environment proxies, a
body cap that holds while reading and while unpacking, and no exception but `FetchError` (and cancellation) gets out. What
is configured for one origin (headers, the client certificate) is sent to that origin only.
It speaks to httpcore, the transport below httpx, directly: what httpx adds (redirects, cookies, netrc, decoding
without a bound) is what must not happen here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from bearward.clock import Clock, SystemClock
from bearward.fetch.addresses import Network, network_of_host
from bearward.fetch.body import read_body
from bearward.fetch.caching import http_date, lifetime_of
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.failures import failure_of
from bearward.fetch.http import HTTPResponse
from bearward.fetch.pool import PoolKeeper, Pools
from bearward.fetch.settings import HTTPSettings
from bearward.fetch.urls import check_url, host_of, same_origin

if TYPE_CHECKING:
    import httpcore2

__all__ = ["IssuerHTTPClient"]

_OK, _NOT_MODIFIED = 200, 304
_ABSENT = frozenset({404, 405, 410})
_CONDITIONS = ("if-none-match", "if-modified-since")


class IssuerHTTPClient:
    """Fetches documents for one issuer; the `HTTPClient` that sources receive.

    Makes its connection pools at the first fetch, on the running loop.
    """

    def __init__(self, settings: HTTPSettings, *, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self.unsafe_allow_http: bool = settings.unsafe_allow_http
        self._keeper = PoolKeeper(settings)

    async def get(
        self, url: str, conditions: Mapping[str, str] | None = None, *, discovered_from: str | None = None
    ) -> HTTPResponse:
        """Fetch `url`; see `HTTPClient.get`."""
        try:
            check_url(url, unsafe_allow_http=self.unsafe_allow_http)
        except ValueError as exc:
            raise FetchError(FetchFailure.URL_REFUSED, detail=str(exc)) from exc
        with _translated_errors():
            pools = await self._keeper.get()
            if discovered_from is None or same_origin(url, discovered_from):
                return await self._get(pools.configured, url, self._headers(conditions, with_configured=True))
            with self._confined(pools, url, discovered_from):
                return await self._get(pools.discovered, url, self._headers(conditions, with_configured=False))

    async def _get(self, pool: httpcore2.AsyncConnectionPool, url: str, headers: list[tuple[str, str]]) -> HTTPResponse:
        conditional = any(name in _CONDITIONS for name, _ in headers)
        async with pool.stream("GET", url, headers=headers, extensions={"timeout": self._timeouts()}) as response:
            return await self._read(response, conditional=conditional)

    def now(self) -> float:
        """The wall clock: seconds since the epoch."""
        return self._clock.now()

    def monotonic(self) -> float:
        """The monotonic clock, in seconds."""
        return self._clock.monotonic()

    async def aclose(self) -> None:
        """Close the connections. The client may be used again."""
        await self._keeper.aclose()

    @contextlib.contextmanager
    def _confined(self, pools: Pools, url: str, discovered_from: str) -> Iterator[None]:
        """Hold a discovered URL to the public network, or to the one that the document which named it lies in.

        First the text of the URL is checked, which is all that can be checked with a proxy, then the address.
        """
        from bearward.fetch.network import discovered_in

        source, target = host_of(discovered_from), host_of(url)
        home = network_of_host(source) or pools.backend.network_reached(source) or Network.PUBLIC
        if not self._may_name(target, home):
            raise FetchError(FetchFailure.ADDRESS_REFUSED, detail="the metadata leads into a private network")
        token = discovered_in.set(home)
        try:
            yield
        finally:
            discovered_in.reset(token)

    def _may_name(self, host: str, home: Network) -> bool:
        network = network_of_host(host)
        if network is Network.PRIVATE and not self._settings.unsafe_allow_private_addresses:
            return False
        return network in (None, Network.PUBLIC) or (network is home and network is not Network.REFUSED)

    async def _read(self, response: httpcore2.Response, *, conditional: bool) -> HTTPResponse:
        headers = _merged_headers(response.headers)
        body = None
        if response.status != _NOT_MODIFIED or not conditional:
            _check_status(response.status)
            body = await read_body(response.aiter_stream(), headers, self._settings.max_body)
        lifetime = lifetime_of(headers, self._clock.now())
        return HTTPResponse(
            body,
            lifetime,
            headers.get("etag"),
            headers.get("last-modified"),
            headers.get("cache-control"),
            http_date(headers.get("date")),
        )

    def _headers(self, conditions: Mapping[str, str] | None, *, with_configured: bool) -> list[tuple[str, str]]:
        ours = {"accept": "application/jwk-set+json, application/json", "user-agent": "bearward", **(conditions or {})}
        if with_configured:
            ours.update({name.lower(): value for name, value in self._settings.headers.items()})
        return [*ours.items(), ("accept-encoding", "gzip")]

    def _timeouts(self) -> dict[str, float]:
        settings = self._settings
        return {
            "connect": settings.connect_timeout,
            "read": settings.read_timeout,
            "write": settings.read_timeout,
            "pool": settings.total_timeout,
        }


def _merged_headers(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    merged: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
        merged[name] = f"{merged[name]}, {value}" if name in merged else value
    return merged


def _check_status(status: int) -> None:
    if status == _OK:
        return
    if 300 <= status < 400:
        raise FetchError(FetchFailure.REDIRECT, status)
    raise FetchError(FetchFailure.NOT_FOUND if status in _ABSENT else FetchFailure.STATUS, status)


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except FetchError:
        raise
    except Exception as exc:
        failure, detail = failure_of(exc)
        raise FetchError(failure, detail=detail) from exc
