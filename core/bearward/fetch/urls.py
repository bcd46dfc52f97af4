"""Which URLs keys may come from, and where an issuer's metadata is (pure).

Rules of this file: https only, except that loopback may be reached over http for development; no user info, no
fragment; printable ASCII (an internationalized host is written in its A-label form, RFC 5890).
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

__all__ = ["check_url", "host_of", "is_loopback_host", "oauth_metadata_url", "openid_metadata_url", "same_origin"]

_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_url(url: str, *, unsafe_allow_http: bool = False) -> str:
    """Return `url` if keys may be fetched from it; raise `ValueError` with a constant text otherwise.

    >>> check_url("https://login.example/jwks")
    'https://login.example/jwks'
    >>> check_url("http://login.example/jwks")
    Traceback (most recent call last):
    ValueError: must be an https:// URL (http:// only on loopback)
    """
    parts = _split(url)
    if parts.scheme == "http" and not unsafe_allow_http and not is_loopback_host(parts.hostname or ""):
        raise ValueError("must be an https:// URL (http:// only on loopback)")
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("must be an https:// URL (http:// only on loopback)")
    if "@" in parts.netloc or "#" in url:
        raise ValueError("must be a URL without user information and fragment")
    return url


def is_loopback_host(host: str) -> bool:
    """Whether a URL's host names this machine by its very text: 127.0.0.0/8, ::1, localhost (RFC 6761).

    >>> is_loopback_host("127.0.0.1"), is_loopback_host("localhost"), is_loopback_host("localhost.example")
    (True, True, False)
    """
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def openid_metadata_url(issuer: str) -> str:
    """OpenID Connect Discovery 1.0 section 4.1: appended to the issuer, after its path.

    >>> openid_metadata_url("https://login.example/tenant/")
    'https://login.example/tenant/.well-known/openid-configuration'
    """
    return issuer.rstrip("/") + "/.well-known/openid-configuration"


def oauth_metadata_url(issuer: str) -> str:
    """RFC 8414 section 3.1: between the host and the issuer's path.

    >>> oauth_metadata_url("https://login.example/tenant/")
    'https://login.example/.well-known/oauth-authorization-server/tenant'
    """
    parts = _split(issuer)
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("must be an https:// URL")
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{path}"


def host_of(url: str) -> str:
    """The host of a URL, in lower case; empty if there is none."""
    return urlsplit(url).hostname or ""


def same_origin(one: str, other: str) -> bool:
    """Whether two URLs have the same scheme, host and port (RFC 6454 section 4)."""
    return _origin(_split(one)) == _origin(_split(other))


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _split(url: str) -> SplitResult:
    if not url.isascii() or any(char <= " " or char in "\x7f\\" for char in url):
        raise ValueError("must be a URL of printable ASCII without spaces")
    parts = urlsplit(url)
    if not parts.hostname or (parts.port is not None and not 0 < parts.port <= 65_535):
        raise ValueError("must be a URL with a host")
    return parts
