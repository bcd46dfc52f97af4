"""`AuthInterceptor`: bearer tokens for grpc.aio servers.

Rules of this file: the caller is authenticated before the handler is looked up and before any of the body is read; a
refusal is a constant handler; no exception leaves `intercept_service`, because grpc would send its text to the caller.
It runs in the call's own task, so the handler sees a context variable that is set here.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import grpc
import grpc.aio

from bearward.access import deny, public
from bearward.bug_reports import report_bug
from bearward.client_certificates import ForwardedCertificate, ProvingProxy
from bearward.errors import AuthError, AwaitNeededError, Refusal
from bearward.jose.compact import MAX_TOKEN
from bearward.verifier import Verifier
from bearward_grpc.aio import denial as aio_denial
from bearward_grpc.aio.handlers import HandlerWrapper
from bearward_grpc.call import CALL, Call
from bearward_grpc.certificates import ClientCertificate
from bearward_grpc.method_rules.policy import Policy, Rule
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
from bearward_grpc.outer_interceptors import awaits_us
from bearward_grpc.placed import gate_type
from bearward_grpc.recent_values import RecentValues
from bearward_grpc.rpc_handlers import ANY_KIND, MethodKinds
from bearward_grpc.status import RefusalCache, StatusMapper
from bearward_grpc.threads import denial as thread_denial

__all__ = ["AuthInterceptor"]

_LOG: Final = logging.getLogger("bearward.grpc")

Req = TypeVar("Req")
Res = TypeVar("Res")
Handler = grpc.RpcMethodHandler  # subscripted in annotations only: at run time it is no generic


class AuthInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc,unused-ignore]
    """Guards every method of a grpc.aio server by `policy`.

    `verifier` must be started on the server's event loop. `policy` is a `Policy`, or a mapping from which one is
    built: what no rule names is denied unless `default` says `authenticated` or `requires(...)`, `grpc.health.v1.Health`
    is public (`health`), and reflection is denied (`reflection=True` makes it public, a rule guards it). `realm` and
    `resource_metadata` go into the challenge (RFC 6750 section 3, RFC 9728 section 5.1; `resource` stands for the URL of
    its metadata, RFC 9728 section 3.1), `error_domain` into `google.rpc.ErrorInfo`.

    Streams end with UNAUTHENTICATED when their token expires (`stream_leeway` seconds later), is revoked, or its key
    is withdrawn; `stream_expiry="ignore"` lets them live. `certificate_bound=True` accepts tokens that are bound to
    the peer's certificate (RFC 8705) and checks the binding; `client_certificate`, a function of the call's context
    or a `ForwardedCertificate`, does so with a certificate that a proxy in front forwards. Otherwise such tokens are refused.
    `unsafe_binding_proved_by`, a `ProvingProxy`, relies on a proxy that checks the binding itself.

    Longer tokens than `max_token_length`, in octets, are refused unread.

    `correlation_key` is the metadata key of a request's identifier, for events: `x-request-id`. `refusal_docs` is the URL
    of the catalogue of refusals, where you serve it: `google.rpc.Help` links to the section of the code.

    Raises `ConfigurationError` for an invalid policy or setting.
    """

    def __init__(
        self,
        verifier: Verifier,
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
    ) -> None:
        given = dict(locals())
        self.given: dict[str, Any] = {name: given[name] for name in given if name not in ("self", "verifier")}
        """What it was made with, beside the verifier."""
        self.policy: Policy = as_policy(policy, default=default, health=health, reflection=reflection)
        gate = gate_type(verifier)(
            verifier,
            self.policy,
            streams=stream_terms(stream_expiry, stream_leeway),
            max_token_length=checked_token_length(max_token_length),
            certificate_bound=certificate_bound,
            client_certificate=checked_certificate_finder(client_certificate, unsafe_binding_proved_by),
            correlation_key=checked_correlation_key(correlation_key),
        )
        gate.recent = RecentValues(verifier)
        gate.report_rules()
        metadata = metadata_url(resource, resource_metadata)
        mapper = StatusMapper(
            verifier,
            realm=realm,
            error_domain=error_domain,
            resource_metadata=metadata,
            refusal_docs=checked_docs(refusal_docs),
        )
        statuses = RefusalCache(mapper.status_for)
        self._gate = gate
        self._admit_cached = gate.admit_cached_and_report if gate.reports else gate.admit_cached
        self._statuses = statuses
        self._kinds = MethodKinds()
        self._denials = RefusalCache(lambda error: _ready(aio_denial.denial(statuses.get(error))))
        self._wrapper = HandlerWrapper(
            statuses, gate, enters=gate.certificate_bound or gate.annotated or gate.gives_nonces
        )
        self._misplaced = thread_denial.denial(statuses.get(AuthError(Refusal.INTERNAL_ERROR)))

    def intercept_service(  # type: ignore[override,unused-ignore]
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler[Req, Res] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Awaitable[Handler[Req, Res] | None]:
        """Called by grpc for each call, before its body is read.

        No coroutine of its own: a caller who is refused costs none, and one that is admitted costs one.
        """
        try:
            get_running_loop()
        except RuntimeError:
            # In a grpc.server the coroutine would be taken for a handler and kill the serving thread.
            _LOG.critical("AuthInterceptor is for grpc.aio.server; give grpc.server a SyncAuthInterceptor")
            return self._misplaced  # type: ignore[return-value]
        try:
            call = self._admit_cached(handler_call_details.method, handler_call_details.invocation_metadata)
        except AwaitNeededError as needed:
            CALL.set(None)
            return self._serve(continuation, handler_call_details, needed)
        except AuthError as error:
            refused = error
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  (grpc would send its text to the caller)
            report_bug(_LOG, "a bug while a call was authenticated", error)
            refused = AuthError(Refusal.INTERNAL_ERROR)
        else:
            CALL.set(call)
            return self._serve(continuation, handler_call_details, call)
        CALL.set(None)  # no caller is inherited from whoever started the server
        method, metadata = handler_call_details.method, handler_call_details.invocation_metadata
        annotate = self._gate.report_refused(refused, method, metadata)
        if awaits_us(sys._getframe(1)):  # noqa: SLF001  (there is no other way to ask for the caller's frame)
            return self._deny_as_method(continuation, handler_call_details, refused, annotate)
        return self._denial(refused, annotate)

    async def _serve(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler[Req, Res] | None]],
        details: grpc.HandlerCallDetails,
        call: Call | AwaitNeededError,
    ) -> Handler[Req, Res] | None:
        """The handler for `call`; or for what comes of it once what it needs was awaited."""
        try:
            if isinstance(call, AwaitNeededError):
                call = await self._gate.admit(details.method, details.invocation_metadata, call)
                CALL.set(call)
            handler = await continuation(details)
            if handler is None:
                return None
            return self._wrapper.wrap(details.method, handler, call)
        except AuthError as error:
            refused = error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # the caller went away
            report_bug(_LOG, "a stray cancellation while a call was authenticated", error)
            refused = AuthError(Refusal.INTERNAL_ERROR)
        except Exception as error:  # noqa: BLE001  (grpc would send its text to the caller)
            report_bug(_LOG, "a bug while a call was authenticated", error)
            refused = AuthError(Refusal.INTERNAL_ERROR)
        CALL.set(None)
        annotate = self._gate.report_refused(refused, details.method, details.invocation_metadata)
        if awaits_us(sys._getframe(1)):  # noqa: SLF001
            return await self._deny_as_method(continuation, details, refused, annotate)
        return await self._denial(refused, annotate)

    def _denial(self, refused: AuthError, annotate: Callable[[], None] | None) -> Awaitable[Handler[Any, Any]]:
        if annotate is None:
            return self._denials.get(refused)
        return _ready(aio_denial.denial_of_kind(self._statuses.get(refused), ANY_KIND, annotate))

    async def _deny_as_method(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler[Req, Res] | None]],
        details: grpc.HandlerCallDetails,
        refused: AuthError,
        annotate: Callable[[], None] | None,
    ) -> Handler[Req, Res]:
        """A refusal in the form of the method, for an interceptor outside of ours; looked up once where it is unknown."""
        kind = self._kinds.get(details.method)
        if kind is None:
            try:
                handler = await continuation(details)
            except Exception as error:  # noqa: BLE001  (of an interceptor inside of ours, for a caller who is refused)
                report_bug(_LOG, "a bug while a refused method was looked up", error)
                handler = None
            if handler is None:
                return await self._denial(refused, annotate)
            kind = self._kinds.record(details.method, handler)
        return aio_denial.denial_of_kind(self._statuses.get(refused), kind, annotate)


def _ready(handler: Handler[Any, Any]) -> Awaitable[Handler[Any, Any]]:
    """An awaitable that returns `handler` at once, any number of times, on any loop; a coroutine would cost more."""
    future: asyncio.Future[Handler[Any, Any]] = get_running_loop().create_future()
    future.set_result(handler)
    return future
