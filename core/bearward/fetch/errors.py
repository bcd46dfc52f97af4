"""Why a document cannot be fetched: one enum, so that logs and health name a class of error and nothing secret.

Rule of this file: pure. A message has the URL (without its query, which may hold a key), the setting that led to it,
what happened, and the setting that fixes it; of data from others it quotes at most a bounded, printable excerpt.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from bearward.errors import BearwardError

__all__ = ["FetchError", "FetchFailure", "excerpt"]

_MAX_EXCERPT = 200


class FetchFailure(Enum):
    """One way in which an attempt fails. The value is what a log line and the health page say."""

    DNS = "the host name cannot be resolved"
    CONNECT = "cannot connect"
    TLS = "TLS handshake failed"
    TIMEOUT = "timed out"
    ADDRESS_REFUSED = "resolves to an address that is refused"
    PROTOCOL = "broke off, or does not speak HTTP"
    PROXY = "the proxy refused to connect"
    REDIRECT = "responded with a redirect"
    NOT_FOUND = "responded that there is no such document"
    STATUS = "responded with an error status"
    TOO_LARGE = "document too large"
    ENCODING = "unknown or broken content encoding"
    NOT_A_KEY_SET = "document is not a usable JWK Set"
    OLDER = "document is older than the one that is held, by its own sequence"
    NOT_METADATA = "document is not issuer metadata"
    ISSUER_MISMATCH = "metadata belongs to another issuer"
    URL_REFUSED = "the URL is not one that keys may come from"
    FILE = "file cannot be read"
    PEER_FAILED = "another process tried just now and failed"
    RATE_LIMITED = "too many unknown tenants are being asked for"
    CLOSED = "the store was closed"
    INTERNAL = "internal error"


_REMEDIES: Final = {
    FetchFailure.DNS: "check the host name, or set jwks_uri",
    FetchFailure.CONNECT: "check the host and port, or set jwks_options.proxy",
    FetchFailure.TLS: "set jwks_options.ca_file for a private authority, client_cert where one is asked for",
    FetchFailure.TIMEOUT: "raise jwks_options.connect_timeout, read_timeout or total_timeout",
    FetchFailure.ADDRESS_REFUSED: "set jwks_options.unsafe_allow_private_addresses for an issuer in a private network",
    FetchFailure.PROXY: "check jwks_options.proxy",
    FetchFailure.REDIRECT: "set jwks_uri to where the redirect leads",
    FetchFailure.NOT_FOUND: "set jwks_uri, or jwks_options.metadata",
    FetchFailure.STATUS: "check that the issuer is up, and jwks_options.headers where it asks for credentials",
    FetchFailure.PROTOCOL: "check that the URL is served over http or https as it says, or set jwks_options.proxy",
    FetchFailure.ENCODING: "check what stands between the issuer and here, or set jwks_options.proxy",
    FetchFailure.TOO_LARGE: "raise jwks_options.max_body",
    FetchFailure.NOT_A_KEY_SET: "check that jwks_uri is the issuer's JWK Set",
    FetchFailure.OLDER: "check that all replicas behind the URL have the newest bundle",
    FetchFailure.NOT_METADATA: "set jwks_uri",
    FetchFailure.ISSUER_MISMATCH: "set issuer to exactly what the metadata says, or set jwks_uri",
    FetchFailure.URL_REFUSED: "set jwks_uri to where the keys are",
    FetchFailure.FILE: "check that the file is there and can be read",
}


class FetchError(BearwardError):
    """A document cannot be fetched: the class of failure, the HTTP status if there is one, and where it happened.

    `detail` has more about the cause, `url` and `setting` say which address and which setting led to it. Your own
    source raises it with just a `FetchFailure`.

    >>> print(FetchError(FetchFailure.FILE, url="/etc/keys.json", setting="jwks_file"))
    /etc/keys.json (jwks_file): file cannot be read; check that the file is there and can be read
    """

    def __init__(
        self,
        failure: FetchFailure,
        status: int | None = None,
        *,
        detail: str | None = None,
        url: str | None = None,
        setting: str | None = None,
    ) -> None:
        super().__init__(failure, status)
        self.failure = failure
        self.status = status
        self.detail = detail
        self.url = url
        self.setting = setting

    def locate(self, url: str, setting: str) -> None:
        """Add where it happened, unless that is known already."""
        if self.url is None:
            self.url, self.setting = url, setting

    @property
    def reason(self) -> str:
        """What happened, without the place and without the setting that fixes it."""
        text = self.failure.value if self.status is None else f"{self.failure.value} ({self.status})"
        return text if self.detail is None else f"{text}: {self.detail}"

    @property
    def remedy(self) -> str | None:
        """What to change, if there is something; where an address is wrong that was configured, that setting."""
        if self.failure is FetchFailure.NOT_FOUND and self.setting is not None and self.setting.endswith("_uri"):
            return f"correct {self.setting}"
        return _REMEDIES.get(self.failure)

    def fields(self) -> dict[str, str]:
        """What the text says, field by field: `failure`, `cause` and, where known, `url`, `setting` and `remedy`."""
        url = None if self.url is None else _without_query(self.url)
        known = {"url": url, "setting": self.setting, "remedy": self.remedy if url else None}
        found = {"failure": self.failure.name.lower(), "cause": self.reason, **known}
        return {name: value for name, value in found.items() if value}

    def __str__(self) -> str:
        where = "" if self.url is None else _without_query(self.url)
        if where and self.setting:
            where += f" ({self.setting})"
        return (f"{where}: " if where else "") + self.reason + (f"; {self.remedy}" if where and self.remedy else "")


def _without_query(url: str) -> str:
    """The query may hold a key."""
    return url.partition("?")[0]


def excerpt(text: object) -> str:
    """Data from others, for a message: printable ASCII in quotes, and short."""
    shown = ascii(text if isinstance(text, str) else type(text).__name__)
    return shown if len(shown) <= _MAX_EXCERPT else shown[:_MAX_EXCERPT] + "…"
