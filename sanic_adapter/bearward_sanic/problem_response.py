"""A refusal over HTTP: status, challenge, problem document.

Rules of this file: one table from `Refusal` to a status, total by construction; the body is RFC 9457 problem JSON with
the stable code; no cache may store a refusal. The parts that are the same for every refusal are created once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, NamedTuple

from sanic import HTTPResponse
from sanic.response import BaseHTTPResponse

from bearward import AuthError, Fault, Refusal, Verifier
from bearward.challenge import challenges
from bearward.sender import Scheme

__all__ = ["STATUS", "RefusalResponses", "add_nonce"]


def _status(refusal: Refusal) -> HTTPStatus:
    if refusal is Refusal.INTERNAL_ERROR:
        return HTTPStatus.INTERNAL_SERVER_ERROR
    if refusal.fault is Fault.SERVICE:
        return HTTPStatus.SERVICE_UNAVAILABLE
    if refusal.fault is Fault.PERMISSION:
        return HTTPStatus.FORBIDDEN
    # RFC 6750 section 3.1: invalid_request is 400, everything else about credentials is 401.
    return HTTPStatus.BAD_REQUEST if refusal.is_malformed else HTTPStatus.UNAUTHORIZED


STATUS: Final = MappingProxyType({refusal: _status(refusal) for refusal in Refusal})
"""The HTTP status of each refusal."""

PROBLEM_JSON: Final = "application/problem+json"
_MAX_CACHED = 512


class _Parts(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]


class RefusalResponse(HTTPResponse):
    """A response whose headers are encoded once: Sanic's own way takes longer than the rest of a refusal."""

    @property
    def processed_headers(self) -> Iterator[tuple[bytes, bytes]]:
        """The headers as octets, as Sanic would encode them."""
        self.headers.setdefault("content-type", self.content_type)
        items = tuple(self.headers.items())
        pairs = _ENCODED.get(items) if self.headers.keys() <= _OWN_HEADERS else None
        if pairs is None:
            pairs = tuple(super().processed_headers)
            # What others put there may be a secret, or new in each response.
            if len(_ENCODED) < _MAX_CACHED and self.headers.keys() <= _OWN_HEADERS:
                _ENCODED[items] = pairs
        return iter(pairs)


_OWN_HEADERS: Final = frozenset(
    {"alt-svc", "cache-control", "connection", "content-length", "content-type", "retry-after", "www-authenticate"}
)
_ENCODED: Final[dict[tuple[tuple[str, str], ...], tuple[tuple[bytes, bytes], ...]]] = {}
"""Headers of refusals and their octets; bounded, and only filled with what bearward and Sanic put there."""


class RefusalResponses:
    """Makes the response to a refusal.

    `realm` and `resource_metadata` (the URL of the RFC 9728 document) go into the challenges. `verifier` says which schemes
    are offered, and gives the nonce of a refusal under `DPoP` (RFC 9449 section 9).
    """

    __slots__ = ("_cache", "_docs", "_dpop", "_realm", "_resource_metadata", "_verifier")

    def __init__(
        self,
        verifier: Verifier | None = None,
        *,
        realm: str | None,
        resource_metadata: str | None,
        refusal_docs: str | None = None,
    ) -> None:
        self._docs = refusal_docs
        self._realm = realm
        self._resource_metadata = resource_metadata
        self.use(verifier)

    def use(self, verifier: Verifier | None) -> None:
        """Offer what this verifier accepts."""
        self._verifier = verifier
        self._dpop = None if verifier is None else verifier.dpop
        self._cache: dict[object, _Parts] = {}

    def response(self, error: AuthError, scopes: tuple[str, ...] = ()) -> HTTPResponse:
        """The response to `error`; `scopes` are what the route needs, where the caller may learn that."""
        scheme = error.scheme
        key = (
            error.refusal,
            error.claim,
            error.scopes,
            error.retry_after,
            error.acr_values,
            error.max_age,
            error.own,
            scopes,
            scheme,
        )
        parts = None if error.explanation is not None else self._cache.get(key)
        if parts is None:
            parts = self._make(error, scopes)
            if error.explanation is None and len(self._cache) < _MAX_CACHED:
                self._cache[key] = parts
        response = RefusalResponse(parts.body, status=parts.status, headers=parts.headers, content_type=PROBLEM_JSON)
        if scheme == Scheme.DPOP.value and self._verifier is not None:
            add_nonce(response, self._verifier)
        return response

    def _make(self, error: AuthError, scopes: tuple[str, ...]) -> _Parts:
        status = STATUS[error.refusal]
        headers = {"cache-control": "no-store"}
        offered = challenges(
            error, dpop=self._dpop, realm=self._realm, resource_metadata=self._resource_metadata, scopes=scopes
        )
        if offered:
            headers["www-authenticate"] = ", ".join(offered)  # RFC 9110 section 11.6.1: a list in one field
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers["retry-after"] = str(retry_after(error))
        return _Parts(status.value, problem(error, self._docs), headers)


def add_nonce(response: BaseHTTPResponse, verifier: Verifier) -> None:
    """Give the client the nonce to use next, where one is asked for (RFC 9449 section 8.2), to a browser's script too."""
    nonce = verifier.dpop_nonce()
    if nonce is not None:
        response.headers["dpop-nonce"] = nonce
        exposed = response.headers.get("access-control-expose-headers", "")
        if "dpop-nonce" not in exposed.lower():
            response.headers["access-control-expose-headers"] = f"{exposed}, {_EXPOSED}" if exposed else _EXPOSED


_EXPOSED: Final = "DPoP-Nonce, WWW-Authenticate"


def problem(error: AuthError, docs: str | None = None) -> bytes:
    """The RFC 9457 problem document.

    `docs` is where the catalogue of refusals is served, and `type` the section of this one. Without it `type` is
    about:blank by absence, so `title` is the status phrase (section 4.2.1).
    """
    status = STATUS[error.refusal]
    document: dict[str, object] = {
        **({} if docs is None else {"type": f"{docs}#{error.refusal.code}"}),
        "title": status.phrase if docs is None else error.message,
        "status": status.value,
        "detail": str(error),
        "code": error.code,
    }
    if error.explanation is not None:
        document["explanation"] = error.explanation.to_dict()["checks"]
    return json.dumps(document).encode("ascii")


def retry_after(error: AuthError) -> int:
    """Whole seconds until it is worth trying again, at least 1 (RFC 9110 section 10.2.3)."""
    return max(1, math.ceil(error.retry_after or 1.0))
