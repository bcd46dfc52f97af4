"""`AuthInterceptor`: bearer tokens for grpc.aio servers.

Rules of this file: who calls is settled before the handler is looked up and before any of the body is read; a refusal
is a constant handler; no exception leaves `intercept_service`, for grpc would send its text to the caller. It runs in
the call's own task, so a context variable that is set here is seen by the handler.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import grpc
import grpc.aio

from bearward.bug_reports import report_bug
from bearward.errors import AuthError, KeysNeededError, Refusal
from bearward.verifier import Verifier
from bearward_grpc.aio import denial as aio_denial
from bearward_grpc.aio.handlers import Wrapping
from bearward_grpc.call import CALL
from bearward_grpc.certificates import ClientCertificate
from bearward_grpc.gate import Gate
from bearward_grpc.options import StreamExpiry, certificate_finder, policy_of, stream_terms
from bearward_grpc.rules.policy import Policy, Rule, public
from bearward_grpc.status import Answers, PerRefusal
from bearward_grpc.threads import denial as thread_denial

__all__ = ["AuthInterceptor"]

_LOG: Final = logging.getLogger("bearward.grpc")

Req = TypeVar("Req")
Res = TypeVar("Res")
Handler = grpc.RpcMethodHandler  # subscripted in annotations only: at run time it is no generic


class AuthInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc,unused-ignore]
    """Guards every method of a grpc.aio server by `policy`.

    `verifier` must be started on the server's event loop. `policy` is a `Policy`, or a mapping from which one is
    built: by default `grpc.health.v1.Health` is public (`health`), reflection is not served to anyone without a rule
    (`reflection=True` makes it public, a requirement guards it). `realm` and `resource_metadata` go into the
    challenge (RFC 6750 section 3, RFC 9728 section 5.1), `error_domain` into `google.rpc.ErrorInfo`.

    Streams end with UNAUTHENTICATED when their token expires (`stream_leeway` seconds later), is revoked, or its key
    is withdrawn; `stream_expiry="ignore"` lets them live. `certificate_bound=True` accepts tokens that are bound to
    the peer's certificate (RFC 8705) and checks the binding; `client_certificate`, a function of the call's context,
    does so with a certificate that a proxy in front forwards. Otherwise such tokens are refused.

    Raises `ConfigurationError` for a policy that is empty or cannot be meant.
    """

    def __init__(
        self,
        verifier: Verifier,
        policy: Policy | Mapping[str, Rule],
        *,
        realm: str | None = "api",
        error_domain: str = "bearward",
        resource_metadata: str | None = None,
        health: Rule | None = public,
        reflection: Rule | bool = False,
        stream_expiry: StreamExpiry = "terminate",
        stream_leeway: float = 0.0,
        certificate_bound: bool = False,
        client_certificate: ClientCertificate | None = None,
    ) -> None:
        self.policy: Policy = policy_of(policy, health=health, reflection=reflection)
        self._gate = Gate(
            verifier,
            self.policy,
            streams=stream_terms(stream_expiry, stream_leeway),
            certificate_bound=certificate_bound,
            client_certificate=certificate_finder(client_certificate),
        )
        answers = PerRefusal(Answers(realm=realm, error_domain=error_domain, resource_metadata=resource_metadata).of)
        self._denials = PerRefusal(lambda error: _ready(aio_denial.denial(answers.of(error))))
        self._wrapping = Wrapping(answers, self._gate)
        self._misplaced = thread_denial.denial(answers.of(AuthError(Refusal.INTERNAL_ERROR)))

    def intercept_service(  # type: ignore[override,unused-ignore]
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler[Req, Res] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Awaitable[Handler[Req, Res] | None]:
        """Called by grpc for each call, before its body is read.

        No coroutine of its own: a caller who is refused costs none, and one that is let in costs one.
        """
        try:
            get_running_loop()
        except RuntimeError:
            # In a grpc.server the coroutine would be taken for a handler and kill the serving thread.
            _LOG.critical("AuthInterceptor is for grpc.aio.server; give grpc.server a SyncAuthInterceptor")
            return self._misplaced  # type: ignore[return-value]
        try:
            call = self._gate.admit_now(handler_call_details.method, handler_call_details.invocation_metadata)
        except KeysNeededError:
            CALL.set(None)
            return self._served(continuation, handler_call_details, admitted=False)
        except AuthError as error:
            refused = error
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  (grpc would send its text to the caller)
            report_bug(_LOG, "a bug while a call was authenticated", error)
            refused = AuthError(Refusal.INTERNAL_ERROR)
        else:
            CALL.set(call)  # also None: nobody is inherited from whoever started the server
            return self._served(continuation, handler_call_details, admitted=True)
        CALL.set(None)
        return self._denials.of(refused)

    async def _served(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler[Req, Res] | None]],
        details: grpc.HandlerCallDetails,
        *,
        admitted: bool,
    ) -> Handler[Req, Res] | None:
        try:
            if not admitted:
                CALL.set(await self._gate.admit_later(details.method, details.invocation_metadata))
            handler = await continuation(details)
            return None if handler is None else self._wrapping.wrapped(details.method, handler)
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
        return await self._denials.of(refused)


def _ready(handler: Handler[Any, Any]) -> Awaitable[Handler[Any, Any]]:
    """What awaits to `handler` at once, as often as one likes, on any loop; a coroutine per refusal would be dearer."""
    future: asyncio.Future[Handler[Any, Any]] = get_running_loop().create_future()
    future.set_result(handler)
    return future
