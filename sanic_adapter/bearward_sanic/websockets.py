"""Websockets: refused before the 101, ended when the token ends, reauthenticated in band.

Rules of this file: the behaviour is the same natively and under any ASGI server, which takes three translations: a
refusal becomes an HTTP response to the handshake (or a close, if the server cannot do that), a close becomes a message
to the server (Sanic's own is a no-op there), and the subprotocol `bearer` is echoed if it was offered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from sanic import HTTPResponse, Request
from websockets.protocol import State

from bearward import AuthError, Fault, Principal, Refusal, Verifier
from bearward.access import Access, unmarked
from bearward.authentication import authenticate, authorization_refusal
from bearward.errors import UsageError
from bearward.possession import Presented
from bearward.principal import same_caller
from bearward.reporter import Reporter
from bearward.sender import Scheme
from bearward.watches import Watch
from bearward_sanic.context import principal_of, set_outcome, state_of
from bearward_sanic.credentials import announced_subprotocol
from bearward_sanic.reports import operation_of, request_identifier

__all__ = [
    "SocketTerms",
    "accept_then_close",
    "echo_subprotocol",
    "guarded_websocket",
    "reauthenticate",
    "refuse_handshake",
]

_POLICY_VIOLATION: Final = 1008
"""RFC 6455 section 7.4.1: what a socket is closed with when its token ends."""

_CLOSE_CODES: Final = {Fault.CREDENTIALS: 4401, Fault.PERMISSION: 4403, Fault.SERVICE: 1013}
"""For a refusal after the 101: private codes that echo HTTP's, and "try again later" where the fault is ours."""

_CLOSE_TIMEOUT: Final = 5.0
"""Seconds that a client has to send its own close frame (RFC 6455 section 7.1.2)."""

_POLL_INTERVAL: Final = 0.02
"""Seconds between two looks at whether it has, and the connection is gone."""

_SOCKET: Final = "_bearward_socket"


@dataclass(frozen=True, slots=True)
class SocketTerms:
    """What holds for the sockets of an application: who verifies, and whether and how late they end with the token."""

    verifier: Verifier
    reporter: Reporter
    terminate: bool = True
    leeway: float = 0.0


def guarded_websocket(handler: Any, terms: SocketTerms, rule: Access) -> Any:
    """`handler`, a route's `partial(app._websocket_handler, function, ...)`, with its function under watch."""
    function: Callable[..., Any] = unmarked(handler.args[0])

    async def watched(request: Request, ws: Any, *args: Any, **kwargs: Any) -> Any:
        principal = principal_of(request)
        if principal is None:
            return await function(request, ws, *args, **kwargs)
        socket = _Socket(request, ws, terms, rule, principal)
        state_of(request)[_SOCKET] = socket
        return await socket.run(partial(function, request, ws, *args, **kwargs))

    wrapped = partial(handler.func, watched, *handler.args[1:], **handler.keywords)
    vars(wrapped).update(vars(handler))
    return wrapped


async def reauthenticate(request: Request, token: str, proof: str | None = None) -> Principal:
    """Go on with the websocket of `request` under a newer token, which the client sent over it.

    The token must be good, be the same caller's (`iss`, `sub` and the client: `client_id`, `azp`), and meet what the
    route requires; then `request.ctx.principal` is the new one and the socket lives until the new token ends. `proof` is a
    new DPoP proof for the handshake's own method and URI, where the token is bound to a key (RFC 9449). Raises `AuthError`
    and leaves
    everything as it was, also once the socket has ended; raises `UsageError` outside the handler of a guarded websocket that a caller was verified for.
    """
    socket: _Socket | None = state_of(request).get(_SOCKET)
    if socket is None:
        raise UsageError("reauthenticate is for the handler of a guarded websocket with a verified caller")
    return await socket.reauthenticate(token, proof)


class _Socket:
    """A websocket that was admitted, and the end of it."""

    def __init__(self, request: Request, ws: Any, terms: SocketTerms, rule: Access, principal: Principal) -> None:
        self._request = request
        self._ws = ws
        self._terms = terms
        self._verifier = terms.verifier
        self._rule = rule
        self._principal = principal
        self._watch: Watch | None = None
        self._task: asyncio.Task[Any] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._ended: AuthError | None = None

    async def run(self, handler: Callable[[], Any]) -> Any:
        self._task = asyncio.current_task()
        if self._terms.terminate:
            self._watch = self._verifier.watch(self._principal, self._end, leeway=self._terms.leeway)
        try:
            return await handler()
        except asyncio.CancelledError:
            if self._closing is None:
                raise
            return None  # it was we who cancelled the handler's task, which ends here: the socket is closed in order
        finally:
            if self._watch is not None:
                self._watch.close()
            if self._closing is not None:
                await self._closing

    async def reauthenticate(self, token: str, proof: str | None) -> Principal:
        reporter, operation = self._terms.reporter, operation_of(self._request)
        try:
            principal = await self._reauthenticated(token, proof)
        except AuthError as refused:
            reporter.refused(refused, operation, request_identifier(self._request))
            raise
        reporter.verified(principal, operation, request_identifier(self._request))
        return principal

    async def _reauthenticated(self, token: str, proof: str | None) -> Principal:
        principal = await self._verify(token, proof)
        if not same_caller(self._principal, principal):
            raise AuthError(Refusal.CLAIM_MISMATCH, claim="sub")
        refused = await authorization_refusal(self._verifier, self._rule, principal, self._request.match_info)
        if refused is not None:
            raise refused
        if self._ended is not None:  # a socket that has ended stays ended
            raise self._ended
        self._principal = principal
        set_outcome(self._request, principal, True)
        if self._watch is not None:
            self._watch.extend(principal)
        return principal

    async def _verify(self, token: str, proof: str | None) -> Principal:
        """The principal of a newer token, which is bound to what the first one was bound to, and proven in the same way."""
        held = self._principal.proof
        scheme, proofs = (Scheme.BEARER, ()) if proof is None else (Scheme.DPOP, (proof,))
        method, path = self._request.method, self._request.path
        # It is the handshake's connection still, and so its certificate.
        presented = Presented(
            scheme, token, proofs, method, path, certificate=held.certificate, vouched_by=held.vouched_by
        )
        principal = await authenticate(self._verifier, presented)
        if principal.proof != held:
            raise AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)
        return principal

    def _end(self, error: AuthError) -> None:
        self._ended = error
        self._terms.reporter.ended(error, self._principal, operation_of(self._request))
        closing = close(self._request, self._ws, _POLICY_VIOLATION, error.code)
        self._closing = asyncio.get_running_loop().create_task(closing, name="bearward: close of a websocket")
        if self._task is not None:
            self._task.cancel()


async def close(request: Request, ws: Any, code: int, reason: str) -> None:
    """Close an accepted websocket with a code, under an ASGI server too, and let the client close it as well.

    Sanic and hypercorn drop the connection as soon as this returns. TCP resets a connection that is dropped while the
    client still writes, and a browser then reports 1006 instead of the code (RFC 6455 section 7.1.1).
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_TIMEOUT):
            if _websocket_scope(request) is None:
                await ws.close(code=code, reason=reason)
                # Sanic drops the connection once the client's frame has come, and tells nobody.
                while ws.ws_proto.state is not State.CLOSED:  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_INTERVAL)
            else:
                await _close_by_asgi(request.transport, code, reason)


async def _close_by_asgi(transport: Any, code: int, reason: str) -> None:
    """Sanic's own close does nothing there."""
    with suppress(Exception):  # each server has its own exception for a client that is gone
        await transport.send({"type": "websocket.close", "code": code, "reason": reason})
        while (await transport.receive())["type"] != "websocket.disconnect":
            pass


def echo_subprotocol(request: Request, handler: Any) -> None:
    """Have the handshake select `bearer` or `dpop` for a client that offers it, after what the route itself speaks.

    A browser fails a socket whose subprotocol was not answered. Sanic takes the arguments of a websocket's handshake
    from the match of its route, which is where the list is put.
    """
    announced = announced_subprotocol(request)
    if announced is None:
        return
    own = handler.keywords.get("subprotocols") if isinstance(handler, partial) else None
    request.match_info["subprotocols"] = [*(name for name in own or () if name != announced), announced]


def refuse_handshake(request: Request) -> None:
    """Have the response to a websocket handshake go out as such under an ASGI server.

    With the ASGI extension `websocket.http.response` the server sends it; without, the handshake is closed, which
    servers turn into a 403.
    """
    scope = _websocket_scope(request)
    if scope is None:
        return
    transport: Any = request.transport
    send = transport._send  # noqa: SLF001  (Sanic has no public way to respond to a handshake)
    answers = "websocket.http.response" in (scope.get("extensions") or {})

    async def translated(message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind.startswith("http.response.") and answers:
            message = {**message, "type": f"websocket.{kind}"}
        elif kind == "http.response.start":
            message = {"type": "websocket.close", "code": _POLICY_VIOLATION}
        elif kind.startswith("http.response."):
            return
        await send(message)

    transport._send = translated  # noqa: SLF001


async def accept_then_close(request: Request, error: AuthError) -> HTTPResponse:
    """Accept the handshake and close at once, so that a browser's script learns why."""
    code = _CLOSE_CODES[error.fault]
    announced = announced_subprotocol(request)
    subprotocols = None if announced is None else [announced]
    transport: Any = request.transport
    ws: Any
    if _websocket_scope(request) is not None:
        ws = transport.get_websocket_connection()
        await ws.accept(subprotocols)
    else:
        ws = await transport.get_protocol().websocket_handshake(request, subprotocols)
    await close(request, ws, code, error.code)
    return _AlreadyAnswered()


class _AlreadyAnswered(HTTPResponse):
    """Stands where Sanic wants a response, and sends nothing: the socket was accepted and closed."""

    async def send(self, *args: Any, **kwargs: Any) -> None:
        """Send nothing."""


def _websocket_scope(request: Request) -> dict[str, Any] | None:
    scope = getattr(request.transport, "scope", None)
    return scope if isinstance(scope, dict) and scope.get("type") == "websocket" else None
