"""Redis or Valkey behind Sentinel: which server is the primary is asked for at each new connection.

    redis+sentinel://[user:password@]host[:26379],host[:26379]/service[/db]     (valkey+sentinel:// is the same)
    rediss+sentinel://…[?ca=/ca.pem&cert=/c.pem&key=/k.pem]                     the same over TLS, the sentinels too

`sentinel_username` and `sentinel_password` in the query are for the sentinels themselves.

Rule of this file: an invalid URL is a `ValueError` without text; the caller names the setting.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, unquote

__all__ = ["SENTINEL", "is_sentinel", "sentinel_pool", "sentinels_of"]

SENTINEL = frozenset({"redis+sentinel", "valkey+sentinel", "rediss+sentinel", "valkeys+sentinel"})
_PORT = 26379


def is_sentinel(url: object) -> bool:
    """Whether a URL names sentinels, of which there may be several: `urlsplit` finds no port in it."""
    return isinstance(url, str) and url.partition("://")[0].lower() in SENTINEL


def sentinels_of(parts: SplitResult) -> tuple[list[tuple[str, int]], str, int]:
    """The sentinels, the name of the service, and the number of the database; raises `ValueError`.

    >>> from urllib.parse import urlsplit
    >>> sentinels_of(urlsplit("redis+sentinel://a,b:5000/keys/2"))
    ([('a', 26379), ('b', 5000)], 'keys', 2)
    """
    hosts = [_address(one) for one in parts.netloc.rpartition("@")[2].split(",")]
    service, _, database = parts.path.strip("/").partition("/")
    if not service or not all(host for host, _ in hosts) or not (database or "0").isdigit():
        raise ValueError
    return hosts, unquote(service), int(database or 0)


def _address(text: str) -> tuple[str, int]:
    host, bracket, rest = text.removeprefix("[").partition("]") if text.startswith("[") else (text, "", "")
    if not bracket:
        host, _, port = text.partition(":")
    else:
        port = rest.removeprefix(":")
    number = int(port or _PORT)
    if not 0 < number < 65536:
        raise ValueError
    return host, number


def sentinel_pool(parts: SplitResult, settings: dict[str, Any], options: dict[str, str]) -> Any:
    """A pool of connections to the primary of the moment."""
    from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedSSLConnection

    class Pool(SentinelConnectionPool):
        """Closes the connections to the sentinels too."""

        async def disconnect(self, inuse_connections: bool = True) -> None:  # noqa: FBT001, FBT002
            await super().disconnect(inuse_connections)
            for sentinel in asked.sentinels:
                await sentinel.aclose()

    hosts, service, database = sentinels_of(parts)
    own = {"username": options.get("sentinel_username"), "password": options.get("sentinel_password")}
    timeouts = {name: value for name, value in settings.items() if name.startswith("socket_")}
    tls = {name: value for name, value in settings.items() if name.startswith("ssl_")}
    asked = Sentinel(hosts, sentinel_kwargs={**timeouts, **own, **tls, "ssl": bool(tls)})  # type: ignore[no-untyped-call]
    kind = {"connection_class": SentinelManagedSSLConnection} if tls else {}
    given = {name: value for name, value in settings.items() if name not in ("host", "port", "connection_class")}
    return Pool(service, asked, **{**given, **kind, "db": database})  # type: ignore[no-untyped-call]
