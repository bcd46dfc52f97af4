"""In-band reauthentication: a stream that outlives its token because its caller sent a newer one.

Rules of this file: the newer token is verified like the first, must be the same caller's, must satisfy the rule of the
method, and if one of the two is bound to a certificate, the other must be bound to the same. A stream that has ended
stays ended.
"""

from __future__ import annotations

import asyncio

from bearward.errors import AuthError, UsageError
from bearward.principal import Principal
from bearward_grpc.call import CALL, Call

__all__ = ["reauthenticate", "reauthenticate_blocking"]


async def reauthenticate(token: str, proof: str | None = None) -> Principal:
    """Go on with the stream that is being served under a newer `token` of the same caller; on grpc.aio.

    `token` is the bare token, as the caller sent it in a message of the stream, `proof` a new DPoP proof for the same
    method where the token is bound to a key (RFC 9449). Returns the new principal, which is
    from now on the `current_principal()`. Raises `AuthError` if the token is refused (the stream then ends with the
    old token) or if the stream has ended already, `UsageError` outside a call whose caller is known.
    """
    call = _current_call()
    try:
        return _accept(call, token, await call.gate.reauthenticate(call, token, proof))
    except AuthError as refused:
        call.gate.report_handler_refused(refused, call)
        raise


def reauthenticate_blocking(token: str, proof: str | None = None) -> Principal:
    """`reauthenticate` for handlers that run in a thread; raises what `reauthenticate` raises.

    It blocks the thread while keys are fetched, if they must be.
    """
    call = _current_call()
    if call.loop is None:
        raise UsageError("this handler runs on an event loop: await reauthenticate(token) instead")
    verifying = asyncio.run_coroutine_threadsafe(call.gate.reauthenticate(call, token, proof), call.loop)
    try:
        return _accept(call, token, verifying.result())
    except AuthError as refused:
        call.gate.report_handler_refused(refused, call)
        raise


def _current_call() -> Call:
    call = CALL.get()
    if call is None or call.principal is None:
        raise UsageError("there is no authenticated call here, and so no caller to authenticate again")
    return call


def _accept(call: Call, token: str, principal: Principal) -> Principal:
    if call.guard is not None:
        if call.guard.ended is not None:
            raise call.guard.ended
        call.guard.extend(principal)
    call.principal, call.token = principal, token
    call.gate.report_reauthenticated(call, principal)
    return principal
