"""How one issuer's keys are fetched and kept: every time and every bound, with its default and its limits.

Rules of this file: times are seconds, sizes are bytes, every value is checked when the options are built, and a wrong
one is a ConfigurationError that names the setting. What weakens a check is called `unsafe_*`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum, StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bearward.errors import ConfigurationError
from bearward.frozen import FrozenMapping
from bearward.jose.certificates import Authorities

if TYPE_CHECKING:
    from pathlib import Path

    from bearward.jwks.source import Source

__all__ = ["JWKSOptions", "Metadata", "StartMode"]

_YEAR = 366 * 86400.0
_FORBIDDEN_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})


class StartMode(StrEnum):
    """What `start` does about an issuer's keys."""

    REQUIRED = "required"
    """Fetch, wait, and fail if there is no usable key set within `total_timeout`."""
    EAGER = "eager"
    """Fetch, wait at most `start_wait`, and go on in the background. The default."""
    LAZY = "lazy"
    """Fetch when the first token asks."""


class Metadata(StrEnum):
    """Where the issuer's metadata is looked for when no `jwks_uri` is configured."""

    OPENID = "openid"
    """`/.well-known/openid-configuration` appended to the issuer (OpenID Connect Discovery 1.0 section 4)."""
    OAUTH = "oauth"
    """`/.well-known/oauth-authorization-server` put before the issuer's path (RFC 8414 section 3)."""
    ANY = "any"
    """OpenID first; RFC 8414 where the issuer answers that it has no such document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JWKSOptions:
    """Times (seconds) and bounds of one issuer's keys. The defaults suit an issuer on the Internet.

    Raises:
        ConfigurationError: a value is out of its bounds; the error names the setting.

    >>> JWKSOptions(max_age=300).cooldown
    5.0
    >>> JWKSOptions(cooldown=-1)
    Traceback (most recent call last):
    bearward.errors.ConfigurationError: cooldown: must be a number of seconds from 0 to 3600
    """

    # Freshness
    max_age: float = 600.0
    """A key set is fresh at most this long, whatever the issuer's Cache-Control says; also when it says nothing."""
    min_age: float = 30.0
    """A key set is fresh at least this long, so that `no-store` cannot make each request a fetch. `max_age` wins."""
    refresh_fraction: float = 0.5
    """The share of the lifetime after which a refresh may begin; the moment is drawn between it and half the rest."""
    stale_if_error: float = 3600.0
    """How long after its freshness a set is still used while the issuer fails (RFC 5861 section 4). 0: not at all."""

    # The brake
    cooldown: float = 5.0
    """One attempt per cooldown, counted from the attempts, whether they succeeded or not."""
    burst: int = 2
    """Attempts that may be saved up: a scheduled refresh just before a rotation must not block the rotation."""
    max_backoff: float = 30.0
    """While the issuer fails, attempts are spaced by a random time up to `cooldown * 2**n`, and up to this."""
    unknown_kid_ttl: float = 30.0
    """How long a `kid` that refreshes did not find is refused without another one (while the set is the same).

    After the first refresh it is one `cooldown`, and then twice as long each time, up to this."""
    max_unknown_kids: int = 1024
    """How many such `kid`s are remembered; the oldest goes first."""
    max_waiters: int = 10_000
    """How many callers may await one fetch; further ones are refused at once."""

    # HTTP
    connect_timeout: float = 2.0
    read_timeout: float = 5.0
    total_timeout: float = 10.0
    """For everything that one attempt does: discovery, the key set, and what a slow issuer trickles."""
    max_body: int = 65_536
    """The largest document in bytes, enforced while reading and while unpacking."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request to this issuer."""
    ca_file: str | Path | None = None
    """PEM file of the certification authorities to trust instead of the system's."""
    client_cert: str | Path | None = None
    """PEM file of a client certificate (mutual TLS), with its key unless `client_key` names another file."""
    client_key: str | Path | None = None
    proxy: str | None = field(default=None, repr=False)
    """`http://` or `https://` URL of a proxy, with `user:password@` for Basic authentication, escaped where need be.

    An https proxy is judged by the system's authorities. The environment's proxy settings are not read."""
    x5c_authorities: str | bytes | None = field(default=None, repr=False)
    """Certificates in PEM: a key counts only if its `x5c` leads to one of them. None: chains say nothing."""
    same_origin: bool = False
    """Whether a discovered `jwks_uri` must have the issuer's scheme, host and port."""
    metadata: Metadata = Metadata.ANY
    unsafe_allow_private_addresses: bool = False
    """Connect to private addresses too (RFC 1918, RFC 4193, RFC 6598). Link-local and metadata ones stay refused."""

    # Sources beyond the issuer's own `jwks_uri`, `jwks` and discovery
    jwks_file: str | Path | None = None
    """A JWK Set in a file, watched for change, instead of HTTP."""
    sources: tuple[Source, ...] = ()
    """Own sources, tried in order, instead of what the issuer's settings say."""

    # Start-up and fleet
    start: StartMode = StartMode.EAGER
    start_wait: float = 1.0
    snapshot_dir: str | Path | None = None
    """Where the last good key set is kept, so that a restart needs no issuer; it ages from its fetch."""
    poll_interval: float = 0.5
    """How often a shared cache (or a watched file) is asked whether there is a newer key set."""

    authorities: Authorities | None = field(default=None, init=False, repr=False, compare=False)
    """`x5c_authorities`, read."""

    def __post_init__(self) -> None:
        for name, (low, high) in _SECONDS.items():
            _check_seconds(name, getattr(self, name), low, high)
        for name, (least, most) in _COUNTS.items():
            _check_count(name, getattr(self, name), least, most)
        if not 0.1 <= _number("refresh_fraction", self.refresh_fraction) <= 0.95:
            raise ConfigurationError("refresh_fraction", "must be a share from 0.1 to 0.95")
        for name in ("same_origin", "unsafe_allow_private_addresses"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(name, "must be true or false")
        object.__setattr__(self, "start", _member("start", StartMode, self.start))
        object.__setattr__(self, "metadata", _member("metadata", Metadata, self.metadata))
        object.__setattr__(self, "headers", _headers(self.headers))
        object.__setattr__(self, "sources", tuple(self.sources))
        object.__setattr__(self, "authorities", _authorities(self.x5c_authorities))
        _check_files(self)
        if self.proxy is not None and not _is_proxy(self.proxy):
            raise ConfigurationError("proxy", "must be an http:// or https:// URL")

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        """By what was given: what was read from it is read again where the options are sent to."""
        return partial(type(self), **{item.name: getattr(self, item.name) for item in fields(self) if item.init}), ()


_SECONDS = {
    "max_age": (0.1, _YEAR),
    "min_age": (0.0, _YEAR),
    "stale_if_error": (0.0, _YEAR),
    "cooldown": (0.0, 3600.0),
    "max_backoff": (0.0, 86400.0),
    "unknown_kid_ttl": (0.0, 86400.0),
    "connect_timeout": (0.01, 300.0),
    "read_timeout": (0.01, 300.0),
    "total_timeout": (0.01, 600.0),
    "start_wait": (0.0, 600.0),
    "poll_interval": (0.05, 3600.0),
}
_COUNTS = {
    "burst": (1, 100),
    "max_unknown_kids": (1, 1_000_000),
    "max_waiters": (1, 1_000_000),
    "max_body": (64, 16_777_216),
}


def _number(name: str, value: object) -> float:
    number = math.inf
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # hundreds of digits, which a configuration file can hold
            number = float(value)
    if not math.isfinite(number):
        raise ConfigurationError(name, "must be a number")
    return number


def _check_seconds(name: str, value: object, low: float, high: float) -> None:
    if not low <= _number(name, value) <= high:
        raise ConfigurationError(name, f"must be a number of seconds from {low:g} to {high:g}")


def _check_count(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigurationError(name, f"must be a whole number from {least} to {most}")


def _member(name: str, kind: type[Enum], value: object) -> Enum:
    try:
        return kind(value)
    except ValueError:
        raise ConfigurationError(name, "must be one of " + ", ".join(member.value for member in kind)) from None


def _headers(value: object) -> Mapping[str, str]:
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


def _authorities(pem: object) -> Authorities | None:
    try:
        if pem is None or isinstance(pem, str | bytes):
            return None if pem is None else Authorities(pem)
    except ValueError as wrong:
        raise ConfigurationError("x5c_authorities", f"must be one or more certificates in PEM: {wrong}") from None
    raise ConfigurationError("x5c_authorities", "must be one or more certificates in PEM")


def _is_proxy(url: object) -> bool:
    """Whether it names a host, and at most a port and who asks."""
    try:
        parts = urlsplit(url) if isinstance(url, str) and url.isascii() and url.isprintable() else None
        return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _check_files(options: JWKSOptions) -> None:
    if options.client_key is not None and options.client_cert is None:
        raise ConfigurationError("client_key", "must come with client_cert")
    if options.sources and options.jwks_file is not None:
        raise ConfigurationError("sources", "must not be combined with jwks_file")
