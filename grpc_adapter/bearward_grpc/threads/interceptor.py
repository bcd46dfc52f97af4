"""`SyncAuthInterceptor`: bearer tokens for grpc.server, with its thread pool.

Rules of this file: `intercept_service` runs on the server's only polling thread, under the server's lock, so it decides
from held keys or not at all: calls that need a fetch wait elsewhere (see `deferred_call`). No exception leaves it. grpc
runs it and the handler in one context, so the handler sees a context variable that is set here.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import FrameType
from typing import Any, Final, TypeVar

import grpc

from bearward.access import deny, public
from bearward.bug_reports import report_bug
from bearward.client_certificates import ForwardedCertificate, ProvingProxy
from bearward.errors import AuthError, AwaitNeededError
from bearward.jose.compact import MAX_TOKEN
from bearward.refusals import Refusal
from bearward.verifier import Verifier
from bearward_grpc.call import CALL, Call
from bearward_grpc.certificates import ClientCertificate
from bearward_grpc.method_rules.policy import REFLECTION, Policy, Rule
from bearward_grpc.options import (
    StreamExpiry,
    as_policy,
    checked_certificate_finder,
    checked_correlation_key,
    checked_docs,
    checked_token_length,
    metadata_url,
    stream_terms,
)
from bearward_grpc.outer_interceptors import calls_us
from bearward_grpc.placed import gate_type
from bearward_grpc.rpc_handlers import ANY_KIND, MethodKind, MethodKinds, behavior_of
from bearward_grpc.status import RefusalCache, StatusMapper
from bearward_grpc.threads.deferred_call import DeferredCalls
from bearward_grpc.threads.denial import denial, denial_of_kind
from bearward_grpc.threads.handlers import ThreadHandlerWrapper
from bearward_grpc.threads.stream_guard import ThreadGuard
from bearward_grpc.threads.verifier_thread import VerifierThread

__all__ = ["SyncAuthInterceptor"]

_LOG: Final = logging.getLogger("bearward.grpc")

Req = TypeVar("Req")
Res = TypeVar("Res")
Handler = grpc.RpcMethodHandler  # subscripted in annotations only: at run time it is no generic
_REFLECTION_WORKERS = 4
_GRACE_SECONDS = 0.5  # what a handler has to pass a check, before its stream is cancelled from outside


class SyncAuthInterceptor(grpc.ServerInterceptor):  # type: ignore[misc,unused-ignore]
    """Guards every method of a grpc.server by `policy`; takes what `AuthInterceptor` takes.

    `verifier` is a `VerifierThread`, or a `Verifier`, for which one is started here (`interceptor.background`).
    A stream whose handler neither sends nor receives when its token ends is cancelled: its caller sees CANCELLED. Calls
    that had to wait for keys are served in `pool`, which should be the server's own; without it, in one of 32 threads.
    """

    def __init__(
        self,
        verifier: Verifier | VerifierThread,
        policy: Policy | Mapping[str, Rule],
        *,
        default: Rule = deny,
        realm: str | None = "api",
        error_domain: str = "bearward",
        resource: str | None = None,
        resource_metadata: str | None = None,
        health: Rule | None = public,
        reflection: Rule | bool = False,
        stream_expiry: StreamExpiry = "terminate",
        stream_leeway: float = 0.0,
        max_token_length: int = MAX_TOKEN,
        certificate_bound: bool = False,
        client_certificate: ClientCertificate | ForwardedCertificate | None = None,
        unsafe_binding_proved_by: ProvingProxy | None = None,
        correlation_key: str | None = None,
        refusal_docs: str | None = None,
        pool: ThreadPoolExecutor | None = None,
    ) -> None:
        given = dict(locals())
        self.given: dict[str, Any] = {name: given[name] for name in given if name not in ("self", "verifier")}
        """What it was made with, beside the verifier."""
        self.policy: Policy = as_policy(policy, default=default, health=health, reflection=reflection)
        streams, finder = (
            stream_terms(stream_expiry, stream_leeway),
            checked_certificate_finder(client_certificate, unsafe_binding_proved_by),
        )
        self.background: VerifierThread = verifier if isinstance(verifier, VerifierThread) else VerifierThread(verifier)
        self._gate = gate_type(self.background.verifier)(
            self.background.verifier,
            self.policy,
            streams=streams,
            max_token_length=checked_token_length(max_token_length),
            certificate_bound=certificate_bound,
            client_certificate=finder,
            correlation_key=checked_correlation_key(correlation_key),
        )
        self._gate.report_rules()
        self._admit_cached = self._gate.admit_cached_and_report if self._gate.reports else self._gate.admit_cached
        metadata = metadata_url(resource, resource_metadata)
        mapper = StatusMapper(
            self.background.verifier,
            realm=realm,
            error_domain=error_domain,
            resource_metadata=metadata,
            refusal_docs=checked_docs(refusal_docs),
        )
        self._statuses = RefusalCache(mapper.status_for)
        self._denials = RefusalCache(lambda error: denial(self._statuses.get(error)))
        self._kinds = MethodKinds()
        self._reflection = ThreadPoolExecutor(_REFLECTION_WORKERS, thread_name_prefix="bearward-reflection")
        self._deferred = DeferredCalls(self.background, self._gate, self._statuses, self._wrap, pool)
        self.background.start()

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler[Req, Res] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler[Req, Res] | None:
        """Called by grpc for each call, before its body is read."""
        CALL.set(None)
        try:
            return self._intercept(continuation, handler_call_details)
        except AuthError as error:
            refused = error
        except BaseException as error:  # noqa: BLE001  (it would end the serving thread, and so the server)
            report_bug(_LOG, "a bug while a call was authenticated", error)
            refused = AuthError(Refusal.INTERNAL_ERROR)
        CALL.set(None)
        method, metadata = handler_call_details.method, handler_call_details.invocation_metadata
        annotate = self._gate.report_refused(refused, method, metadata)
        kind = self._kind_for(sys._getframe(1), continuation, handler_call_details)  # noqa: SLF001
        if kind is None and annotate is None:
            return self._denials.get(refused)
        return denial_of_kind(self._statuses.get(refused), kind or ANY_KIND, annotate)

    def _intercept(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler[Req, Res] | None],
        details: grpc.HandlerCallDetails,
    ) -> Handler[Req, Res] | None:
        try:
            call = self._admit_cached(details.method, details.invocation_metadata)
        except AwaitNeededError as error:
            needed = error
        else:
            CALL.set(call)
            handler: Handler[Req, Res] | None = self._wrap(continuation(details), call)
            if handler is not None and details.method in REFLECTION:
                # Tools leave its streams open, and each would hold a worker of the pool that serves everybody.
                behavior_of(handler).experimental_thread_pool = self._reflection  # type: ignore[attr-defined]
            return handler
        kind = self._kind_for(sys._getframe(2), continuation, details)  # noqa: SLF001
        if kind is None:
            return self._deferred.handler(lambda: continuation(details), details, needed)
        return self._deferred.handler_of_kind(lambda: continuation(details), details, needed, kind)

    def _kind_for(
        self,
        caller: FrameType,
        continuation: Callable[[grpc.HandlerCallDetails], Handler[Req, Res] | None],
        details: grpc.HandlerCallDetails,
    ) -> MethodKind | None:
        """The kind of the method, if an interceptor outside of ours goes by it; looked up once where it is unknown."""
        if not calls_us(caller):
            return None
        kind = self._kinds.get(details.method)
        if kind is None:
            try:
                handler = continuation(details)
            except Exception as error:  # noqa: BLE001  (of an interceptor inside of ours, for a caller not admitted yet)
                report_bug(_LOG, "a bug while a refused method was looked up", error)
                return None
            return None if handler is None else self._kinds.record(details.method, handler)
        return kind

    def _wrap(self, handler: Any, call: Call) -> Any:
        if handler is None:
            return None
        self._gate.operations.record(call.method)
        call.loop = self.background.loop
        streaming = handler.request_streaming or handler.response_streaming
        guard = self._guard_of(call) if streaming and self._gate.streams.terminate else None
        return ThreadHandlerWrapper(call, self._statuses, partial(_run_as, call), guard).wrap(handler)

    def _guard_of(self, call: Call) -> Callable[[Any], ThreadGuard] | None:
        """What makes the guard of a stream from its context; None if there is no token that could end."""
        principal, loop = call.principal, self.background.loop
        if principal is None:
            return None
        return lambda context: ThreadGuard(call, principal, loop, context.cancel, _GRACE_SECONDS)


def _run_as(call: Call, work: Callable[..., Any], *args: Any) -> Any:
    if CALL.get() is not call:  # an interceptor outside of ours may have run us in another context
        CALL.set(call)
    return work(*args)
