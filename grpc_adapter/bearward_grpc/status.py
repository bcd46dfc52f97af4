"""StatusMapper: the one table that maps a refusal of the core to what a gRPC caller sees.

Rules of this file: the core decides, this file translates. Every text is a constant of the catalogue, so that nothing
from a token or an exception can reach a caller. The trailers are sent with or without `googleapis-common-protos`; with
it the status also carries `google.rpc.ErrorInfo`, and `RetryInfo` if a retry makes sense.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc

from bearward.challenge import challenges
from bearward.errors import AuthError
from bearward.refusals import Fault, Refusal
from bearward.sender import Scheme
from bearward.verifier import Verifier
from bearward_grpc.explained import Explained

try:
    from google.protobuf import any_pb2, duration_pb2
    from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
except ImportError:  # the extra `grpc-status` is not installed
    RICH = False
else:
    RICH = True

__all__ = ["RICH", "CallStatus", "RefusalCache", "StatusMapper", "status_of"]

Trailers = tuple[tuple[str, str | bytes], ...]
T = TypeVar("T")

_STATUS = {
    Fault.CREDENTIALS: grpc.StatusCode.UNAUTHENTICATED,
    Fault.PERMISSION: grpc.StatusCode.PERMISSION_DENIED,
    Fault.SERVICE: grpc.StatusCode.UNAVAILABLE,
}
_DEFAULT_RETRY_SECONDS = 1.0
_MAX_CHALLENGE = 4096  # grpcio drops calls whose metadata passes 8 kB now and then, and the real status with them
_MAX_CACHED = 1024  # refusals differ by what the policy names only, so this is never reached by a sane policy


def status_of(refusal: Refusal) -> grpc.StatusCode:
    """The gRPC status of a refusal.

    >>> status_of(Refusal.TOKEN_EXPIRED), status_of(Refusal.SCOPE_INSUFFICIENT)
    (<StatusCode.UNAUTHENTICATED: (16, 'unauthenticated')>, <StatusCode.PERMISSION_DENIED: (7, 'permission denied')>)
    """
    return grpc.StatusCode.INTERNAL if refusal is Refusal.INTERNAL_ERROR else _STATUS[refusal.fault]


@dataclass(frozen=True, slots=True)
class CallStatus:
    """What one refusal looks like on the wire: status, fixed text, trailers."""

    code: grpc.StatusCode
    details: str
    trailers: Trailers
    explained: Explained | None = None

    def trailers_for(self, context: Any) -> Trailers:
        """The trailers of the call with this context: those of the refusal, and its explanation where one is given."""
        return self.trailers if self.explained is None else (*self.trailers, *self.explained.trailers(context))


class StatusMapper:
    """Makes statuses: `realm` for the challenge, `error_domain` for ErrorInfo, `resource_metadata` by RFC 9728.

    `refusal_docs` is the page to which Help links.
    `verifier` says which schemes are offered, and gives the nonce of a refusal under `DPoP` (RFC 9449 section 9).
    """

    def __init__(
        self,
        verifier: Verifier | None = None,
        *,
        realm: str | None,
        error_domain: str,
        resource_metadata: str | None,
        refusal_docs: str | None = None,
    ) -> None:
        self._docs = refusal_docs
        self._verifier = verifier
        self._dpop = None if verifier is None else verifier.dpop
        self._realm = realm
        self._domain = error_domain
        self._resource_metadata = resource_metadata

    def status_for(self, error: AuthError) -> CallStatus:
        """What a caller sees of `error`."""
        code, details = status_of(error.refusal), str(error)
        trailers: list[tuple[str, str | bytes]] = [("bearward-code", error.code)]
        offered = challenges(error, dpop=self._dpop, realm=self._realm, resource_metadata=self._resource_metadata)
        if sum(map(len, offered)) <= _MAX_CHALLENGE:
            trailers += [("www-authenticate", value) for value in offered]
        nonce = None if error.scheme != Scheme.DPOP.value or self._verifier is None else self._verifier.dpop_nonce()
        if nonce is not None:
            trailers.append(("dpop-nonce", nonce))
        retry = _retry_seconds(error)
        if retry is not None:
            # gRPC's own retry obeys this trailer and no other (gRFC A6); RetryInfo is for applications.
            trailers.append(("grpc-retry-pushback-ms", str(math.ceil(retry * 1000))))
        if RICH:
            trailers.append(("grpc-status-details-bin", self._details(error, code, details, retry)))
        return CallStatus(code, details, tuple(trailers), self._explained(error))

    def _explained(self, error: AuthError) -> Explained | None:
        if error.explanation is None or self._verifier is None:
            return None
        return Explained(error.explanation, anywhere=self._verifier.unsafe_explain_remote)

    def _details(self, error: AuthError, code: grpc.StatusCode, details: str, retry: float | None) -> bytes:
        number: int = code.value[0]
        info = error_details_pb2.ErrorInfo(reason=error.code.upper(), domain=self._domain)
        status = status_pb2.Status(code=number, message=details, details=[_packed(info)])
        if retry is not None:
            delay = duration_pb2.Duration()
            delay.FromNanoseconds(math.ceil(retry * 1e9))
            status.details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
        if self._docs is not None:
            link = error_details_pb2.Help.Link(description=error.message, url=f"{self._docs}#{error.refusal.code}")
            status.details.append(_packed(error_details_pb2.Help(links=[link])))
        octets: bytes = status.SerializeToString()
        return octets


class RefusalCache(Generic[T]):
    """One constant per refusal: what `make` made of it is cached, since refusals differ only by what the policy names."""

    def __init__(self, make: Callable[[AuthError], T]) -> None:
        self._make = make
        self._cached: dict[Any, T] = {}

    def get(self, error: AuthError) -> T:
        """What was made for an error like this one."""
        # The first differs, the second has a nonce, the third is of one call.
        if error.retry_after is not None or error.scheme is not None or error.explanation is not None:
            return self._make(error)
        key = (error.refusal, error.claim, error.scopes, error.acr_values, error.max_age, error.own)
        cached = self._cached.get(key)
        if cached is None:
            cached = self._make(error)
            if len(self._cached) < _MAX_CACHED:
                self._cached[key] = cached
        return cached


def _retry_seconds(error: AuthError) -> float | None:
    if error.fault is not Fault.SERVICE or error.refusal is Refusal.INTERNAL_ERROR:
        return None
    return _DEFAULT_RETRY_SECONDS if error.retry_after is None else max(0.0, error.retry_after)


def _packed(message: Any) -> Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
