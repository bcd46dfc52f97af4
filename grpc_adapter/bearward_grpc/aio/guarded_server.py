"""`guarded_server`: a grpc.aio server whose handlers are wrapped when they are registered.

Rules of this file: it decides nothing. A caller who is let in is served by a handler that is known beforehand, so grpc
neither walks the rest of the chain nor looks it up for each call, which costs as much as the decision (ADR 0011). That is
right only because this file makes the server: nobody is inside of ours then, and a stock handler serves a method the same
way each time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from concurrent.futures import Executor
from typing import Any, Final, TypeVar

import grpc
import grpc.aio

from bearward_grpc.aio.door import Continuation, Door, ready
from bearward_grpc.aio.interceptor import AuthInterceptor, door_of
from bearward_grpc.method_rules.registry import MethodRegistry
from bearward_grpc.method_rules.startup_check import watch_registration
from bearward_grpc.outer_interceptors import runs_us_apart

__all__ = ["guarded_server"]

Req = TypeVar("Req")
Res = TypeVar("Res")

_STOCK: Final = type(grpc.method_handlers_generic_handler("bearward", {}))
"""What generated code registers: it serves a method by the same handler each time, whoever calls."""


def guarded_server(
    auth: AuthInterceptor,
    *,
    outside: Sequence[grpc.aio.ServerInterceptor] = (),  # type: ignore[type-arg,unused-ignore]
    inside: Sequence[grpc.aio.ServerInterceptor] = (),  # type: ignore[type-arg,unused-ignore]
    migration_thread_pool: Executor | None = None,
    options: Sequence[tuple[str, Any]] | None = None,
    maximum_concurrent_rpcs: int | None = None,
    compression: grpc.Compression | None = None,
    check: bool = True,
) -> grpc.aio.Server:
    """A grpc.aio server that `auth` guards; its `start()` checks the policy as `check_on_start` does.

    As `check_on_start(grpc.aio.server(interceptors=[*outside, auth, *inside]), auth.policy)`, and a caller who comes
    again costs less: the handlers are wrapped when they are registered. Interceptors `outside` of `auth`, the first the
    outermost, see refused calls too. Those `inside` do not, and because of them the handler is looked up for each call.
    Without `check`, the server starts whatever is registered. The other arguments are those of `grpc.aio.server`:
    `migration_thread_pool` runs plain `def` handlers, `options` are channel arguments, `maximum_concurrent_rpcs` is a
    number of calls, `compression` the algorithm for responses.

    Register services with it as usual. Raises whatever `grpc.aio.server` raises; `start()` raises `ConfigurationError`.

        server = guarded_server(AuthInterceptor(verifier, {"notes.v1.Notes": authenticated}))
        add_NotesServicer_to_server(Notes(), server)
    """
    front = _Front(auth, apart=bool(outside))
    server = grpc.aio.server(
        migration_thread_pool=migration_thread_pool,
        interceptors=(*outside, front, *inside),
        options=options,
        maximum_concurrent_rpcs=maximum_concurrent_rpcs,
        compression=compression,
    )
    changed = _nothing if inside else front.registered
    return watch_registration(server, auth.policy, changed, checked=check)


def _nothing(_: MethodRegistry) -> None:
    """Who is inside runs for each call, so no handler is known beforehand."""


class _Front(grpc.aio.ServerInterceptor):  # type: ignore[misc,unused-ignore]
    """Stands for `auth` in one server. With `apart`, others are outside, who may run us in another task than the handler."""

    def __init__(self, auth: AuthInterceptor, *, apart: bool) -> None:
        self._auth = auth
        self._apart = apart
        self._door: Door = door_of(auth)
        self._known: dict[str, Awaitable[grpc.RpcMethodHandler[Any, Any]]] = {}

    def registered(self, registry: MethodRegistry) -> None:
        """What the server serves from now on; called while its loop runs."""
        self._door, self._known = door_of(self._auth), {}
        door = self._door
        for method, handler in registry.constant_handlers(_STOCK).items():
            lasting = door.wrapper.lasting(handler)
            if lasting is not None:
                self._known[method] = ready(lasting)
                door.gate.operations.record(method)

    def intercept_service(  # type: ignore[override,unused-ignore]
        self, continuation: Continuation[Req, Res], handler_call_details: grpc.HandlerCallDetails
    ) -> Awaitable[grpc.RpcMethodHandler[Req, Res] | None]:
        """Called by grpc for each call, before its body is read."""
        door = door_of(self._auth)
        known = self._known.get(handler_call_details.method)
        # A test may have given the interceptor another verifier (`use_verifier`), for which nothing was wrapped.
        if known is not None and (door is not self._door or (self._apart and runs_us_apart())):
            known = None
        return door.intercept(continuation, handler_call_details, known)
