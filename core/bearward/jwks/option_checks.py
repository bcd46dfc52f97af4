"""The checks of one option each: a value in its bounds, or a `ConfigurationError` that names the setting (pure)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from enum import Enum
from urllib.parse import urlsplit

from bearward.errors import ConfigurationError
from bearward.frozen import FrozenMapping
from bearward.jose.certificates import Authorities

__all__ = [
    "authorities",
    "count",
    "headers",
    "is_proxy",
    "member",
    "missing_secret",
    "number",
    "seconds",
    "shared_secret",
]

_FORBIDDEN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})

_MIN_SECRET_BYTES = 16
_SECRET_NEEDED = (
    f"must be set beside a shared jwks_cache (cache_secret in a file, BEARWARD_CACHE_SECRET in the environment), at least "
    f"{_MIN_SECRET_BYTES} bytes, the same in the whole fleet: otherwise whoever can write to the cache can plant keys. "
    "unsafe_allow_unauthenticated_cache=True accepts that"
)


def number(name: str, value: object) -> float:
    """A finite number."""
    converted = math.inf
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # hundreds of digits, which a configuration file can hold
            converted = float(value)
    if not math.isfinite(converted):
        raise ConfigurationError(name, "must be a number")
    return converted


def seconds(name: str, value: object, low: float, high: float) -> None:
    """A number of seconds within bounds."""
    if not low <= number(name, value) <= high:
        raise ConfigurationError(name, f"must be a number of seconds from {low:g} to {high:g}")


def count(name: str, value: object, least: int, most: int) -> None:
    """A whole number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigurationError(name, f"must be a whole number from {least} to {most}")


def member(name: str, kind: type[Enum], value: object) -> Enum:
    """A member of `kind`, or its value."""
    try:
        return kind(value)
    except ValueError:
        raise ConfigurationError(name, "must be one of " + ", ".join(member.value for member in kind)) from None


def headers(value: object) -> Mapping[str, str]:
    """A copy that cannot be changed."""
    if not isinstance(value, Mapping):
        raise ConfigurationError("headers", "must map header names to values")
    for name, text in value.items():
        if not _is_header(name, text):
            raise ConfigurationError("headers", "must map header names to values of printable ASCII")
        if name.lower() in _FORBIDDEN_HEADERS:
            raise ConfigurationError("headers", f"must not set {name.lower()}")
    return FrozenMapping(value)


def _is_header(name: object, value: object) -> bool:
    """RFC 9110 section 5: a token, and a value without control characters."""
    if not isinstance(name, str) or not isinstance(value, str) or not name:
        return False
    token = all(char.isascii() and (char.isalnum() or char in "!#$%&'*+-.^_`|~") for char in name)
    return token and all(" " <= char <= "~" for char in value)


def authorities(pem: object) -> Authorities | None:
    """The certificates, parsed."""
    try:
        if pem is None or isinstance(pem, str | bytes):
            return None if pem is None else Authorities(pem)
    except ValueError as wrong:
        raise ConfigurationError("x5c_authorities", f"must be one or more certificates in PEM: {wrong}") from None
    raise ConfigurationError("x5c_authorities", "must be one or more certificates in PEM")


def is_proxy(url: object) -> bool:
    """Whether it names a host, and beyond it at most a port and credentials."""
    try:
        parts = urlsplit(url) if isinstance(url, str) and url.isascii() and url.isprintable() else None
        return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def shared_secret(secret: bytes | None) -> bytes | None:
    """The secret of a shared cache, as given; raises `ConfigurationError`."""
    if secret is not None and (not isinstance(secret, bytes) or len(secret) < _MIN_SECRET_BYTES):
        raise ConfigurationError("jwks_cache_secret", f"must be at least {_MIN_SECRET_BYTES} bytes")
    return secret


def missing_secret() -> ConfigurationError:
    """For a shared cache that nothing authenticates."""
    return ConfigurationError("jwks_cache_secret", _SECRET_NEEDED)
