"""From a cache URL to an aiocache backend, including what `Cache.from_url` does not know: TLS, unix sockets, users.

    memory://                                          no shared cache
    redis://[user:password@]host[:6379][/db]           Redis or Valkey (valkey:// is the same)
    rediss://…[?ca=/ca.pem&cert=/c.pem&key=/k.pem]     the same over TLS (valkeys:// is the same)
    redis+unix:///run/redis.sock[?db=0]                the same over a unix socket (unix:// and valkey+unix:// too)
    redis+sentinel://host[:26379],host/service[/db]    the same behind Sentinel: see `sentinel.py`
    memcached://host[:11211]                           memcached
    memcacheds://host[:11211][?ca=…]                   the same over TLS
    memcached+unix:///run/memcached.sock               the same over a unix socket

Rule of this file: an invalid URL raises a ConfigurationError that does not repeat it (it may hold a password).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from bearward.cache.sentinel import is_sentinel, sentinel_pool, sentinels_of
from bearward.errors import ConfigurationError
from bearward.forks import no_fork

__all__ = ["BackendFactory", "backend_factory"]

BackendFactory = Callable[[], Any]
"""Makes an aiocache backend for the running loop. May block on reading certificates."""

_REDIS = frozenset({"redis", "valkey"})
_REDIS_TLS = frozenset({"rediss", "valkeys"})
_REDIS_UNIX = frozenset({"unix", "redis+unix", "valkey+unix"})
_MEMCACHED = frozenset({"memcached", "memcacheds", "memcached+unix"})
_DRIVER_TIMEOUT_FACTOR = 10.0
_OPTIONS = frozenset({"db", "ca", "cert", "key"})
_CLUSTER = frozenset({"redis+cluster", "rediss+cluster", "valkey+cluster", "valkeys+cluster"})
_NO_CLUSTER = (
    "must not be the URL of a Redis Cluster: give an aiocache RedisCache whose client is your own RedisCluster, or the URL "
    "of one server or of sentinels (redis+sentinel://host,host/service)"
)
_SENTINEL_OPTIONS = frozenset({"sentinel_username", "sentinel_password", *_OPTIONS}) - {"db"}


def backend_factory(url: str, *, timeout: float) -> BackendFactory | None:
    """How to make the backend that `url` names; None for `memory://`. `timeout` is in seconds, for each operation.

    Raises:
        ConfigurationError: the URL is invalid, or the extra that it needs is not installed.

    >>> backend_factory("memory://", timeout=1.0) is None
    True
    """
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        port = None if is_sentinel(url) else parts.port
    except (ValueError, AttributeError, TypeError):
        raise _invalid_url() from None
    if parts.scheme == "memory" and not parts.netloc:
        return None
    if parts.scheme in _CLUSTER:
        raise ConfigurationError("cache", _NO_CLUSTER)
    if is_sentinel(url):
        return _redis_by_sentinel(parts, options, timeout)
    return _of_one_server(parts, port, options, timeout)


def _of_one_server(parts: SplitResult, port: int | None, options: dict[str, str], timeout: float) -> BackendFactory:
    if options.keys() - _OPTIONS or not (parts.hostname or (parts.scheme.endswith("unix") and parts.path)):
        raise _invalid_url()
    if parts.scheme in _REDIS | _REDIS_TLS | _REDIS_UNIX:
        return _redis(parts, port or 6379, options, timeout)
    if parts.scheme in _MEMCACHED:
        return _memcached(parts, port or 11211, options)
    raise _invalid_url()


def _invalid_url() -> ConfigurationError:
    schemes = (
        "memory:// redis:// rediss:// redis+unix:// redis+sentinel:// memcached:// memcacheds:// memcached+unix://"
    )
    return ConfigurationError("cache", f"must be a URL with one of the schemes {schemes}")


def _redis(parts: SplitResult, port: int, options: dict[str, str], timeout: float) -> BackendFactory:
    cache, settings = _redis_settings(parts, timeout)
    import redis.asyncio

    unix = parts.scheme in _REDIS_UNIX
    database = options.get("db") or ("" if unix else parts.path.strip("/")) or "0"
    if not database.isdigit():
        raise _invalid_url()
    settings["db"] = int(database)
    if unix:
        settings |= {"connection_class": redis.asyncio.UnixDomainSocketConnection, "path": unquote(parts.path)}
    else:
        settings |= {"host": parts.hostname, "port": port}
    if parts.scheme in _REDIS_TLS:
        settings |= {"connection_class": redis.asyncio.SSLConnection, **_redis_tls(options)}

    def make() -> Any:
        # aiocache passes its own connection settings to the pool's class; ours know TLS and unix sockets
        pool = redis.asyncio.ConnectionPool(**settings, **_driver_info())
        return cache(serializer=_text_serializer(), connection_pool_class=lambda **_: pool)

    return make


def _redis_by_sentinel(parts: SplitResult, options: dict[str, str], timeout: float) -> BackendFactory:
    try:
        sentinels_of(parts)
    except ValueError:
        raise _invalid_url() from None
    if options.keys() - _SENTINEL_OPTIONS:
        raise _invalid_url()
    cache, settings = _redis_settings(parts, timeout)
    if parts.scheme in ("rediss+sentinel", "valkeys+sentinel"):
        settings |= _redis_tls(options)

    def make() -> Any:
        pool = sentinel_pool(parts, {**settings, **_driver_info()}, options)
        return cache(serializer=_text_serializer(), connection_pool_class=lambda **_: pool)

    return make


def _redis_settings(parts: SplitResult, timeout: float) -> tuple[Any, dict[str, Any]]:
    """The kind of cache, and what all of its connections have in common."""
    try:
        import redis.asyncio  # noqa: F401
        from aiocache import RedisCache
    except ImportError:
        raise ConfigurationError("cache", "needs redis: pip install 'bearward[redis]'") from None
    return RedisCache, {
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        # the caller enforces the time limit, and can distinguish a slow cache from a busy event loop
        "socket_connect_timeout": _DRIVER_TIMEOUT_FACTOR * timeout,
        "socket_timeout": _DRIVER_TIMEOUT_FACTOR * timeout,
    }


def _driver_info() -> dict[str, Any]:
    """Newer redis-py looks up its own version on disk for each connection unless it is given; this is in a thread."""
    try:
        with no_fork:
            from redis.driver_info import DriverInfo
    except ImportError:
        return {}
    return {"driver_info": DriverInfo()}


def _redis_tls(options: dict[str, str]) -> dict[str, Any]:
    names = {"ca": "ssl_ca_certs", "cert": "ssl_certfile", "key": "ssl_keyfile"}
    files = {names[name]: value for name, value in options.items() if name in names}
    # explicit: redis-py below 6 does not compare host names by default
    return {**files, "ssl_cert_reqs": "required", "ssl_check_hostname": True}


def _memcached(parts: SplitResult, port: int, options: dict[str, str]) -> BackendFactory:
    try:
        import aiomcache
        from aiocache import MemcachedCache
    except ImportError:
        raise ConfigurationError("cache", "needs aiomcache: pip install 'bearward[memcached]'") from None
    from bearward.cache.memcached import UnixSocketClient

    def make() -> Any:
        backend = MemcachedCache(serializer=_text_serializer(), endpoint=parts.hostname or "", port=port)
        if parts.scheme == "memcached+unix":
            backend.client = UnixSocketClient(unquote(parts.path))
        elif parts.scheme == "memcacheds":
            backend.client = aiomcache.Client(parts.hostname or "", port, conn_args={"ssl": _tls(options)})
        return backend

    return make


def _tls(options: dict[str, str]) -> ssl.SSLContext:
    with no_fork:
        context = ssl.create_default_context(cafile=options.get("ca"))
        if "cert" in options:
            context.load_cert_chain(options["cert"], options.get("key"))
        return context


def _text_serializer() -> Any:
    from aiocache.serializers import StringSerializer

    return StringSerializer(encoding=None)  # bytes come back: what other programs stored may not be text
