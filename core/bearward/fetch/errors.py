"""Why an attempt to fetch keys failed: one enum, so that logs and health name a class of error and nothing secret."""

from __future__ import annotations

from enum import Enum

from bearward.errors import BearwardError

__all__ = ["FetchError", "FetchFailure"]


class FetchFailure(Enum):
    """One way in which an attempt fails. The value is what a log line and the health page say."""

    CONNECT = "cannot connect"
    TLS = "TLS handshake failed"
    TIMEOUT = "timed out"
    ADDRESS_REFUSED = "resolves to an address that is refused"
    PROTOCOL = "broke off, or does not speak HTTP"
    PROXY = "the proxy refused to connect"
    REDIRECT = "answered with a redirect"
    NOT_FOUND = "answered that there is no such document"
    STATUS = "answered with an error status"
    TOO_LARGE = "document too large"
    ENCODING = "unknown or broken content encoding"
    NOT_A_KEY_SET = "document is no usable JWK Set"
    NOT_METADATA = "document is no issuer metadata"
    ISSUER_MISMATCH = "metadata belongs to another issuer"
    URL_REFUSED = "the jwks_uri is not https, or not of the issuer's origin"
    FILE = "file cannot be read"
    PEER_FAILED = "another process tried just now and failed"
    CLOSED = "the store was closed"
    INTERNAL = "internal error"


class FetchError(BearwardError):
    """An attempt to fetch a document failed; carries its class and, for an HTTP answer, the status."""

    def __init__(self, failure: FetchFailure, status: int | None = None) -> None:
        super().__init__(failure.value if status is None else f"{failure.value} ({status})")
        self.failure = failure
        self.status = status
