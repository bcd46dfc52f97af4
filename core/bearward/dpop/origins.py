"""The target URI of a request as its client saw it (RFC 9449 section 4.3, check 9), and when two URIs are the same.

Rules of this file: pure. A URI is compared after the normalization of RFC 3986 sections 6.2.2 and 6.2.3, without its
query and fragment. The origins are configured: what the caller says about the server (`Host`, `:authority`,
`X-Forwarded-*`) is never used, since whoever replays a proof can choose those freely.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv6Address

from bearward.errors import ConfigurationError

__all__ = ["PublicOrigins", "normalize_path", "normalize_uri"]

MAX_URI = 4096
"""Characters of an `htu`, and of a request's path; longer ones are refused."""

_DEFAULT_PORTS = {"http": "80", "https": "443"}
# RFC 3986 section 3, narrowed: no user information, and a query or a fragment is cut off.
_URI = re.compile(
    r"(?P<scheme>[A-Za-z]+)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^/?#:@\[\]]+)(?::(?P<port>[0-9]*))?(?P<path>/[^?#]*)?"
)
_REG_NAME = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")
# Visible ASCII but for what ends a path. A backslash is a slash to some parsers; the other characters that RFC 3986
# section 3.3 does not know (`|`, `^`, …) browsers send as they are.
_PATH = re.compile(r"/(?:[!\"$&->@-\[\]-~]|%[0-9A-Fa-f]{2})*")
_TRIPLET = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_MAX_PORT = 65535
_MAX_ORIGINS = 64


class PublicOrigins:
    """The origins under which clients reach this server, and the path prefix that a proxy in front removes.

    Each origin is `scheme://host` or `scheme://host:port`. `prefix` is a path such as `/orders`, without a slash at its
    end: a request that arrives here as `/list` was sent to `/orders/list`. Raises `ConfigurationError`.

    >>> origins = PublicOrigins("https://api.example", prefix="/orders")
    >>> origins.match("HTTPS://API.example:443/orders/%6Cist?page=2", "/list")
    True
    >>> origins.match("https://elsewhere.example/orders/list", "/list")
    False
    """

    __slots__ = ("_bases", "origins", "prefix")

    def __init__(self, *origins: str, prefix: str = "") -> None:
        if not origins or len(origins) > _MAX_ORIGINS:
            raise ConfigurationError("origins", f"must name one to {_MAX_ORIGINS} public origins of this server")
        self.origins: tuple[str, ...] = tuple(dict.fromkeys(_origin(origin) for origin in origins))
        self.prefix: str = _prefix(prefix)
        self._bases = tuple(origin + self.prefix for origin in self.origins)

    @classmethod
    def of(cls, origins: PublicOrigins | str | Collection[str]) -> PublicOrigins:
        """From what a setting holds: one origin, several, or origins with a prefix. Raises `ConfigurationError`."""
        if isinstance(origins, PublicOrigins):
            return origins
        if not isinstance(origins, str | Collection):
            raise ConfigurationError("origins", "must be strings, such as https://api.example")
        return cls(*((origins,) if isinstance(origins, str) else origins))

    def match(self, htu: str, path: str) -> bool:
        """Whether `htu` names the request that arrived here for `path` (as it was sent, without a query)."""
        if not path.startswith("/"):
            return False
        # Most clients write the URI as it is configured here, and then there is nothing to normalize.
        for base in self._bases:
            if htu == base + path:
                return len(htu) <= MAX_URI and "?" not in path and "#" not in path
        claimed, suffix = normalize_uri(htu), normalize_path(self.prefix + path)
        return claimed is not None and suffix is not None and any(claimed == origin + suffix for origin in self.origins)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicOrigins) and self._bases == other._bases

    def __hash__(self) -> int:
        return hash(self._bases)

    def __repr__(self) -> str:
        return f"<PublicOrigins: {', '.join(self._bases)}>"


def normalize_uri(uri: str) -> str | None:
    """An http(s) URI in normal form, without query and fragment; None for what is no such URI.

    >>> normalize_uri("HTTP://Example.COM:80/%7Esmith/./a/../b?c#d")
    'http://example.com/~smith/b'
    >>> normalize_uri("https://example.com")
    'https://example.com/'
    >>> normalize_uri("https://user@example.com/") is None
    True
    """
    if len(uri) > MAX_URI:
        return None
    # A query or a fragment may hold anything, and says nothing.
    bare = re.split(r"[?#]", uri, maxsplit=1)[0]
    found = _URI.fullmatch(bare)
    path = normalize_path(found["path"] or "/") if found is not None else None
    if found is None or path is None:
        return None
    scheme, host = found["scheme"].lower(), _host(found["host"])
    port = _port(found["port"], scheme)
    if scheme not in _DEFAULT_PORTS or host is None or port is None:
        return None
    return f"{scheme}://{host}{port}{path}"


def normalize_path(path: str) -> str | None:
    """An absolute path in normal form (RFC 3986 section 6.2.2), None for what is no such path.

    >>> normalize_path("/a/%2e%2E/b%2fc/%c3%a9/")
    '/b%2Fc/%C3%A9/'
    """
    if len(path) > MAX_URI or not _PATH.fullmatch(path):
        return None
    if "%" in path:
        path = _TRIPLET.sub(_normal_triplet, path)
    return _without_dot_segments(path) if "/." in path else path


def _normal_triplet(found: re.Match[str]) -> str:
    """RFC 3986 sections 6.2.2.1 and 6.2.2.2: upper case, and no encoding of what needs none."""
    character = chr(int(found[0][1:], 16))
    return character if character in _UNRESERVED else found[0].upper()


def _without_dot_segments(path: str) -> str:
    """RFC 3986 section 5.2.4."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _host(host: str) -> str | None:
    if host.startswith("["):
        try:
            return f"[{IPv6Address(host[1:-1])}]"
        except ValueError:
            return None
    if not _REG_NAME.fullmatch(host):
        return None
    lowered = _TRIPLET.sub(_normal_triplet, host).lower() if "%" in host else host.lower()
    return _TRIPLET.sub(lambda found: found[0].upper(), lowered)


def _port(port: str | None, scheme: str) -> str | None:
    """`:port`, or nothing for the scheme's own (RFC 3986 section 6.2.3); None for what is no port."""
    if not port or port == _DEFAULT_PORTS.get(scheme):
        return ""
    return f":{port}" if len(port) <= 5 and port[0] != "0" and int(port) <= _MAX_PORT else None


def _origin(origin: object) -> str:
    normal = normalize_uri(origin) if isinstance(origin, str) and "?" not in origin and "#" not in origin else None
    if normal is None or normal.count("/") != 3 or not normal.endswith("/"):
        raise ConfigurationError("origins", "must be http(s)://host or http(s)://host:port, with a path only in prefix")
    return normal[:-1]


def _prefix(prefix: object) -> str:
    if prefix == "":
        return ""
    normal = normalize_path(prefix) if isinstance(prefix, str) else None
    if normal is None or normal.endswith("/"):
        raise ConfigurationError("prefix", "must be an absolute path without a trailing slash, such as /orders")
    return normal
