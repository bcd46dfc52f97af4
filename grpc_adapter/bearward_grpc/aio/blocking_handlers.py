"""Plain `def` handlers on a grpc.aio server, which runs them in its `migration_thread_pool`.

Rule of this file: grpc's executor drops the context variables, so the handler runs in a copy of the call's context.
"""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import Any

import grpc

from bearward_grpc.call import Call
from bearward_grpc.status import Answer, PerRefusal
from bearward_grpc.threads.handlers import ThreadWrapping
from bearward_grpc.threads.stream_guard import ThreadGuard

__all__ = ["threaded"]


def threaded(
    handler: grpc.RpcMethodHandler[Any, Any], call: Call, answers: PerRefusal[Answer], *, guarded: bool
) -> grpc.RpcMethodHandler[Any, Any]:
    """`handler`, run in the context of the current call; call this in the call's own task."""
    loop = asyncio.get_running_loop()
    call.loop = loop
    run = copy_context().run

    def guard(_: Any) -> ThreadGuard:
        return ThreadGuard(call, loop, None, 0.0)

    return ThreadWrapping(call, answers, run, guard if guarded else None).wrapped(handler)
