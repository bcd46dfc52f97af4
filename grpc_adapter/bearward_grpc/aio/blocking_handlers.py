"""Plain `def` handlers on a grpc.aio server, which runs them in its `migration_thread_pool`.

Rule of this file: grpc's executor drops the context variables, so the handler runs in a copy of the call's context.
"""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import Any

import grpc

from bearward_grpc.call import Call
from bearward_grpc.status import CallStatus, RefusalCache
from bearward_grpc.threads.handlers import ThreadHandlerWrapper
from bearward_grpc.threads.stream_guard import ThreadGuard

__all__ = ["wrap_blocking_handler"]


def wrap_blocking_handler(
    handler: grpc.RpcMethodHandler[Any, Any], call: Call, statuses: RefusalCache[CallStatus], *, guarded: bool
) -> grpc.RpcMethodHandler[Any, Any]:
    """`handler`, run in the context of the current call; call this in the call's own task."""
    call.loop = loop = asyncio.get_running_loop()
    principal, run = call.principal, copy_context().run
    if not guarded or principal is None:
        return ThreadHandlerWrapper(call, statuses, run, None).wrap(handler)
    return ThreadHandlerWrapper(call, statuses, run, lambda _: ThreadGuard(call, principal, loop, None, 0.0)).wrap(
        handler
    )
