"""The HTTP boundary: GET one document, within bounds, and map every failure to a `FetchError`.

Rules of this file: https except where `check_url` allows http, no redirects, no cookies, no environment proxies, a
body cap that holds while reading and while unpacking, and no exception but `FetchError` (and cancellation) gets out.
It speaks to httpcore, the transport below httpx, directly: what httpx adds (redirects, cookies, netrc, decoding
without a bound) is what must not happen here.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from bearward.clock import Clock, SystemClock
from bearward.fetch.caching import lifetime_of
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.urls import check_url
from bearward.jwks.options import JWKSOptions

if TYPE_CHECKING:
    import httpcore2

__all__ = ["HTTPAnswer", "HTTPClient"]

_OK, _NOT_MODIFIED = 200, 304
_ABSENT = frozenset({404, 405, 410})
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class HTTPAnswer:
    """A 200 with its body, or a 304 (`body` is None)."""

    body: bytes | None
    lifetime: float | None
    """How long the answer is fresh, in seconds, by its headers; None where they do not say."""
    etag: str | None = None
    last_modified: str | None = None


class HTTPClient:
    """Fetches documents for one issuer. Makes its connection pool at the first fetch, on the running loop."""

    def __init__(self, options: JWKSOptions, *, unsafe_allow_http: bool = False, clock: Clock | None = None) -> None:
        self._options = options
        self.clock: Clock = clock or SystemClock()
        self.unsafe_allow_http = unsafe_allow_http
        self._pool: tuple[httpcore2.AsyncConnectionPool | None, asyncio.AbstractEventLoop | None] = (None, None)

    async def get(self, url: str, conditions: Mapping[str, str] | None = None) -> HTTPAnswer:
        """Fetch `url`; `conditions` are the headers of a conditional request (RFC 9110 section 13.1).

        Raises:
            FetchError: anything went wrong.
        """
        try:
            check_url(url, unsafe_allow_http=self.unsafe_allow_http)
        except ValueError as exc:
            raise FetchError(FetchFailure.URL_REFUSED) from exc
        with _mapped():
            pool = await self._pool_here()
            async with pool.stream(
                "GET", url, headers=self._headers(conditions), extensions={"timeout": self._timeouts()}
            ) as response:
                return await self._read(response, conditional=bool(conditions))

    async def aclose(self) -> None:
        """Close the connections. The client may be used again."""
        (pool, loop), self._pool = self._pool, (None, None)
        if pool is not None and loop is asyncio.get_running_loop():
            await pool.aclose()

    async def _pool_here(self) -> httpcore2.AsyncConnectionPool:
        """The pool of the running loop; one of a loop that ended can be neither used nor closed."""
        pool, loop = self._pool
        here = asyncio.get_running_loop()
        if pool is None or loop is not here:
            pool = await asyncio.to_thread(_make_pool, self._options)
            self._pool = pool, here
        return pool

    async def _read(self, response: httpcore2.Response, *, conditional: bool) -> HTTPAnswer:
        headers = _joined(response.headers)
        body = None
        if response.status != _NOT_MODIFIED or not conditional:
            _check_status(response.status)
            body = await _read_body(response.aiter_stream(), headers, self._options.max_body)
        lifetime = lifetime_of(headers, self.clock.now())
        return HTTPAnswer(body, lifetime, headers.get("etag"), headers.get("last-modified"))

    def _headers(self, conditions: Mapping[str, str] | None) -> list[tuple[str, str]]:
        ours = {"accept": "application/jwk-set+json, application/json", "user-agent": "bearward", **(conditions or {})}
        ours.update({name.lower(): value for name, value in self._options.headers.items()})
        return [*ours.items(), ("accept-encoding", "gzip")]

    def _timeouts(self) -> dict[str, float]:
        options = self._options
        return {
            "connect": options.connect_timeout,
            "read": options.read_timeout,
            "write": options.read_timeout,
            "pool": options.total_timeout,
        }


def _make_pool(options: JWKSOptions) -> httpcore2.AsyncConnectionPool:
    """Runs in a thread: reading certificates from disk blocks, and so does the import, a third of `import bearward`."""
    import httpcore2

    from bearward.fetch.network import GuardedBackend

    return httpcore2.AsyncConnectionPool(
        ssl_context=_ssl_context(options),
        proxy=_proxy(options.proxy) if options.proxy is not None else None,
        max_connections=4,
        max_keepalive_connections=0,  # fetches are minutes apart
        # the operator chose the proxy, wherever it is; behind it the proxy resolves the names
        network_backend=GuardedBackend(unsafe_allow_private=options.unsafe_allow_private_addresses)
        if options.proxy is None
        else None,
    )


def _proxy(url: str) -> httpcore2.Proxy:
    """The transport takes who asks apart from where (RFC 7617: user and password, in UTF-8)."""
    import httpcore2

    parts = urlsplit(url)
    auth = None
    if parts.username is not None:
        auth = unquote(parts.username).encode(), unquote(parts.password or "").encode()
    origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    context = _usual_context() if parts.scheme == "https" else None
    return httpcore2.Proxy(origin, auth=auth, ssl_context=context)


def _ssl_context(options: JWKSOptions) -> ssl.SSLContext:
    if options.ca_file is None and options.client_cert is None:
        return _usual_context()
    context = ssl.create_default_context(cafile=options.ca_file)
    if options.client_cert is not None:
        context.load_cert_chain(options.client_cert, options.client_key)
    return context


def _usual_context() -> ssl.SSLContext:
    return _context_of(ssl.get_default_verify_paths())  # `SSL_CERT_FILE` may name others


@cache
def _context_of(_: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    """With the authorities of the machine; shared, since reading them takes 20 ms, and keeping them a mebibyte, each time."""
    return ssl.create_default_context()


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _check_status(status: int) -> None:
    if status == _OK:
        return
    if 300 <= status < 400:
        raise FetchError(FetchFailure.REDIRECT, status)
    raise FetchError(FetchFailure.NOT_FOUND if status in _ABSENT else FetchFailure.STATUS, status)


async def _read_body(stream: AsyncIterator[bytes], headers: Mapping[str, str], most: int) -> bytes:
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "", "gzip", "x-gzip"):
        raise FetchError(FetchFailure.ENCODING)
    length = headers.get("content-length", "")
    if length.isdigit() and (len(length) > 18 or int(length) > most):
        raise FetchError(FetchFailure.TOO_LARGE)
    packed = bytearray()
    async for chunk in stream:
        packed += chunk
        if len(packed) > most:
            raise FetchError(FetchFailure.TOO_LARGE)
    return bytes(packed) if encoding in ("identity", "") else _unpack(bytes(packed), most)


def _unpack(packed: bytes, most: int) -> bytes:
    """RFC 1952, at most `most` bytes: a bomb costs no more memory than a large document."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        body = unpacker.decompress(packed, most + 1)
    except zlib.error as exc:
        raise FetchError(FetchFailure.ENCODING) from exc
    if len(body) > most:
        raise FetchError(FetchFailure.TOO_LARGE)
    if not unpacker.eof or unpacker.unused_data:
        raise FetchError(FetchFailure.ENCODING)
    return body


@contextlib.contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except FetchError:
        raise
    except Exception as exc:
        raise FetchError(_failure_of(exc)) from exc


def _failure_of(error: Exception) -> FetchFailure:
    import httpcore2

    if isinstance(error, httpcore2.TimeoutException):
        return FetchFailure.TIMEOUT
    if isinstance(error, httpcore2.ConnectError):
        return FetchFailure.TLS if _is_tls(error) else FetchFailure.CONNECT
    if isinstance(error, ssl.SSLError):
        return FetchFailure.TLS
    if isinstance(error, httpcore2.ProxyError):
        return FetchFailure.PROXY
    # Else a certificate file that cannot be read, or an answer that is no HTTP.
    return FetchFailure.FILE if isinstance(error, OSError) else FetchFailure.PROTOCOL


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
