"""How one issuer's keys are fetched and kept: every time and every bound, with its default and its limits.

Rules of this file: times are seconds, sizes are bytes, every value is checked when the options are created, and an
invalid one raises a ConfigurationError that names the setting. Whatever weakens a check is called `unsafe_*`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from bearward.errors import ConfigurationError
from bearward.fetch.settings import HTTPSettings
from bearward.jose.certificates import Authorities
from bearward.jwks import option_checks as check
from bearward.jwks.source import Source

__all__ = ["COUNTS", "SECONDS", "FilePath", "JWKSOptions", "MetadataKind", "StartMode"]

_YEAR = 366 * 86400.0


class StartMode(StrEnum):
    """What `Verifier.start` does about an issuer's keys."""

    REQUIRED = "required"
    """Fetch, wait, and fail if there is no usable key set within `total_timeout`."""
    EAGER = "eager"
    """Fetch, wait at most `start_wait`, and go on in the background. The default."""
    LAZY = "lazy"
    """Fetch when the first token asks. What a snapshot or the fleet brings before that is kept fresh."""


class MetadataKind(StrEnum):
    """Where the issuer's metadata is looked for when no `jwks_uri` is configured."""

    OPENID = "openid"
    """`/.well-known/openid-configuration` appended to the issuer (OpenID Connect Discovery 1.0 section 4)."""
    OAUTH = "oauth"
    """`/.well-known/oauth-authorization-server` inserted before the issuer's path (RFC 8414 section 3)."""
    ANY = "any"
    """OpenID first; RFC 8414 if the issuer responds that it has no such document."""


class FilePath(Protocol):
    """A `pathlib.Path`, or whatever else `os.fspath` takes; this module opens no file."""

    def __fspath__(self) -> str:
        """The path."""
        ...


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

    # The rate limit
    cooldown: float = 5.0
    """One attempt per cooldown, counted from the attempts, whether they succeeded or not."""
    burst: int = 2
    """Attempts that may be saved up: a scheduled refresh just before a rotation must not delay the rotation."""
    max_backoff: float = 30.0
    """While the issuer fails, attempts are spaced by a random time up to `cooldown * 2**n`, and up to this."""
    max_unknown_kids: int = 1024
    """How many `kid`s are remembered that a refresh did not find; they are refused without another one for one `cooldown`."""
    max_waiters: int = 10_000
    """How many callers may await one fetch; further ones are refused at once."""

    # HTTP
    connect_timeout: float = 2.0
    read_timeout: float = 5.0
    total_timeout: float = 10.0
    """For everything that one attempt does: discovery, the key set, and a slow response."""
    max_body: int = 65_536
    """The largest document in bytes, enforced while reading and while unpacking."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request to a URL that the configuration names, and to its origin; never to another origin that the
    issuer's metadata names (set `jwks_uri` if the keys are at another origin that needs them)."""
    ca_file: str | FilePath | None = None
    """PEM file of the certification authorities to trust instead of the system's. Read again when it changes."""
    client_cert: str | FilePath | None = None
    """PEM file of a client certificate (mutual TLS), with its key unless `client_key` names another file.

    Presented only where `headers` are sent. Read again when it changes."""
    client_key: str | FilePath | None = None
    proxy: str | None = field(default=None, repr=False)
    """`http://` or `https://` URL of a proxy, with `user:password@` for Basic authentication, escaped if necessary.

    An https proxy is verified by the system's authorities. The environment's proxy settings are not read."""
    x5c_authorities: str | bytes | None = field(default=None, repr=False)
    """Certificates in PEM: a key counts only if its `x5c` leads to one of them. None: chains say nothing."""
    same_origin: bool = False
    """Whether a discovered `jwks_uri` must have the scheme, host and port of the metadata: the issuer's, or `metadata_uri`'s."""
    metadata: MetadataKind = MetadataKind.ANY
    unsafe_allow_private_addresses: bool = False
    """Connect to private addresses too (RFC 1918, RFC 4193, RFC 6598). Link-local and metadata ones stay refused.

    An address that the issuer's metadata names may be private only if the metadata itself came from a private one."""

    # Sources beyond the issuer's own `jwks_uri`, `jwks` and discovery
    jwks_file: str | FilePath | None = None
    """A JWK Set in a file, watched for change, instead of HTTP."""
    sources: tuple[Source, ...] = ()
    """Your own sources, tried in order, instead of what the issuer's settings say."""

    # Start-up and fleet
    start: StartMode = StartMode.EAGER
    start_wait: float = 1.0
    snapshot_dir: str | FilePath | None = None
    """Where the last good key set is kept, so a restart does not need the issuer; its age counts from its fetch."""
    poll_interval: float = 0.5
    """How often a shared cache (or a file, or another source with `changed`) is asked for a newer key set."""

    authorities: Authorities | None = field(default=None, init=False, repr=False, compare=False)
    """`x5c_authorities`, parsed."""

    def __post_init__(self) -> None:
        """Check every field; raise `ConfigurationError`."""
        for name, (low, high) in SECONDS.items():
            check.seconds(name, getattr(self, name), low, high)
        for name, (least, most) in COUNTS.items():
            check.count(name, getattr(self, name), least, most)
        if not 0.1 <= check.number("refresh_fraction", self.refresh_fraction) <= 0.95:
            raise ConfigurationError("refresh_fraction", "must be a fraction from 0.1 to 0.95")
        for name in ("same_origin", "unsafe_allow_private_addresses"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(name, "must be true or false")
        object.__setattr__(self, "start", check.member("start", StartMode, self.start))
        object.__setattr__(self, "metadata", check.member("metadata", MetadataKind, self.metadata))
        object.__setattr__(self, "headers", check.headers(self.headers))
        object.__setattr__(self, "sources", tuple(self.sources))
        object.__setattr__(self, "authorities", check.authorities(self.x5c_authorities))
        self._check_combinations()

    def _check_combinations(self) -> None:
        if self.client_key is not None and self.client_cert is None:
            raise ConfigurationError("client_key", "must come with client_cert")
        if self.sources and self.jwks_file is not None:
            raise ConfigurationError("sources", "must not be combined with jwks_file")
        if self.proxy is not None and not check.is_proxy(self.proxy):
            raise ConfigurationError("proxy", "must be an http:// or https:// URL")

    def http_settings(self, *, unsafe_allow_http: bool = False) -> HTTPSettings:
        """What of it the HTTP client has to know."""
        return HTTPSettings(
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            total_timeout=self.total_timeout,
            max_body=self.max_body,
            headers=self.headers,
            ca_file=_path(self.ca_file),
            client_cert=_path(self.client_cert),
            client_key=_path(self.client_key),
            proxy=self.proxy,
            unsafe_allow_private_addresses=self.unsafe_allow_private_addresses,
            unsafe_allow_http=unsafe_allow_http,
        )


SECONDS = {
    "max_age": (0.1, _YEAR),
    "min_age": (0.0, _YEAR),
    "stale_if_error": (0.0, _YEAR),
    "cooldown": (0.0, 3600.0),
    "max_backoff": (0.0, 86400.0),
    "connect_timeout": (0.01, 300.0),
    "read_timeout": (0.01, 300.0),
    "total_timeout": (0.01, 600.0),
    "start_wait": (0.0, 600.0),
    "poll_interval": (0.05, 3600.0),
}
COUNTS = {
    "burst": (1, 100),
    "max_unknown_kids": (1, 1_000_000),
    "max_waiters": (1, 1_000_000),
    "max_body": (64, 16_777_216),
}


def _path(path: str | FilePath | None) -> str | None:
    return path if path is None or isinstance(path, str) else path.__fspath__()
