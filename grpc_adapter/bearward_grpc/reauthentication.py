"""Re-authentication in band: a stream that outlives its token because its caller brought a newer one.

Rules of this file: the newer token is judged like the first, must speak for the same caller, must satisfy the rule of
the method, and if one of the two is bound to a certificate, so must be the other, to the same.
"""

from __future__ import annotations

import asyncio

from bearward.confirmation import is_bound
from bearward.errors import AuthError, Refusal
from bearward.principal import Principal
from bearward_grpc.call import CALL, Call

__all__ = ["extend", "extend_blocking"]


async def extend(token: str) -> Principal:
    """Prolong the stream that is being served by a newer `token` of the same caller; on grpc.aio.

    `token` is the bare token, as the caller sent it in a message of the stream. Returns the new principal, which is
    from now on the `current_principal()`. Raises `AuthError` if the token is refused (the stream then ends with the
    old token) or if the stream has ended already, `LookupError` outside a guarded call.
    """
    call = _current_call()
    return _extended(call, token, await call.gate.verify(token))


def extend_blocking(token: str) -> Principal:
    """`extend` for handlers that run in a thread; raises what `extend` raises.

    It blocks the thread while keys are fetched, if they must be.
    """
    call = _current_call()
    if call.loop is None:
        raise LookupError("this handler runs on an event loop: await extend(token) instead")
    return _extended(call, token, asyncio.run_coroutine_threadsafe(call.gate.verify(token), call.loop).result())


def _current_call() -> Call:
    call = CALL.get()
    if call is None:
        raise LookupError("there is no guarded call to extend")
    return call


def _extended(call: Call, token: str, principal: Principal) -> Principal:
    call.gate.readmit(call, principal)
    if _confirmation(principal) != _confirmation(call.principal):
        raise AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)
    if call.guard is not None:
        if call.guard.ended is not None:
            raise call.guard.ended
        call.guard.extend(principal)
    call.principal, call.token = principal, token
    return principal


def _confirmation(principal: Principal) -> object:
    return principal.claims["cnf"] if is_bound(principal) else None
