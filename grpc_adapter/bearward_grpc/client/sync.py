"""`ClientAuthInterceptor`: tokens on the outgoing calls of sync channels.

Rules of this file: a call that is refused with UNAUTHENTICATED is retried once with a newer token, if nothing has been
received yet and its request can be sent again. A stream of requests is sent again for a nonce that was asked for, since
the server has then not looked at it; if the token was refused, it is only dropped. A call started with `.future()` is
not waited for, and so not retried after it was returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc

from bearward_grpc.client.attach import CallDetails, has_authorization, with_token
from bearward_grpc.client.proofs import Prover
from bearward_grpc.client.repeatable import RepeatableRequests
from bearward_grpc.client.sources import TokenSource

__all__ = ["ClientAuthInterceptor"]

Continue = Callable[[Any, Any], Any]


class ClientAuthInterceptor(  # type: ignore[misc,unused-ignore]
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Puts tokens of `source` on calls, for `grpc.intercept_channel`.

    As call credentials, which need TLS; `unsafe_plaintext` sends them as metadata over whatever the channel is. `origin` is
    the server's public origin for DPoP proofs, where it is not what the channel connects to.
    """

    def __init__(self, source: TokenSource, *, unsafe_plaintext: bool = False, origin: str | None = None) -> None:
        self._source = source
        self._prover = Prover(source, origin)
        self._plaintext = unsafe_plaintext

    def intercept_unary_unary(self, continuation: Continue, client_call_details: Any, request: Any) -> Any:
        """Called by grpc."""
        token, call = self._start(continuation, client_call_details, request)
        if not call.done():
            call.add_done_callback(lambda done: self._invalidate_if_refused(done, token))
            return call
        return (
            self._start(continuation, client_call_details, request)[1]
            if self._invalidate_if_refused(call, token)
            else call
        )

    def intercept_unary_stream(self, continuation: Continue, client_call_details: Any, request: Any) -> Any:
        """Called by grpc."""
        token, call = self._start(continuation, client_call_details, request)
        return _Responses(
            call,
            lambda refused: (
                self._start(continuation, client_call_details, request)[1]
                if self._invalidate_if_refused(refused, token)
                else None
            ),
        )

    def intercept_stream_unary(self, continuation: Continue, client_call_details: Any, request_iterator: Any) -> Any:
        """Called by grpc."""
        if not self._prover.has_key:
            return self._send_once(continuation, client_call_details, request_iterator)
        requests = RepeatableRequests(request_iterator)
        token, call = self._start(continuation, client_call_details, iter(requests))
        if not call.done():
            return call
        return self._repeated(continuation, client_call_details, requests, call, token) or call

    def intercept_stream_stream(self, continuation: Continue, client_call_details: Any, request_iterator: Any) -> Any:
        """Called by grpc."""
        if not self._prover.has_key:
            return self._send_once(continuation, client_call_details, request_iterator)
        requests = RepeatableRequests(request_iterator)
        token, call = self._start(continuation, client_call_details, iter(requests))
        return _Responses(
            call,
            lambda refused: self._repeated(continuation, client_call_details, requests, refused, token),
            requests.settle,
        )

    def _send_once(self, continuation: Continue, details: Any, request_iterator: Any) -> Any:
        token, call = self._start(continuation, details, request_iterator)
        call.add_done_callback(lambda done: self._invalidate_if_refused(done, token))
        return call

    def _repeated(
        self, continuation: Continue, details: Any, requests: RepeatableRequests, refused: Any, token: str | None
    ) -> Any:
        """The call again, with the nonce for want of which it was refused; None if that is not why, or too late."""
        if not self._is_asked_for_nonce(refused, token) or (again := requests.again()) is None:
            return None
        return self._start(continuation, details, again)[1]

    def _start(self, continuation: Continue, details: Any, request: Any) -> tuple[str | None, Any]:
        if has_authorization(details.metadata):
            return None, continuation(details, request)
        token = self._source.token()
        metadata, credentials = with_token(details, token, self._prover, plaintext=self._plaintext)
        ready, compression = getattr(details, "wait_for_ready", None), getattr(details, "compression", None)
        ours = CallDetails(details.method, details.timeout, metadata, credentials, ready, compression)
        call = continuation(ours, request)
        if self._prover.has_key:  # any response may bring the next nonce (RFC 9449 section 8.2)
            call.add_done_callback(lambda done: self._prover.learn(done.trailing_metadata()))
        return token, call

    def _is_asked_for_nonce(self, call: Any, token: str | None) -> bool:
        """Whether the finished `call` was refused for want of a nonce, which is held now."""
        if token is None or call.code() is not grpc.StatusCode.UNAUTHENTICATED:
            return False
        if self._prover.learn(call.trailing_metadata()):
            return True
        self._source.invalidate(token)
        return False

    def _invalidate_if_refused(self, call: Any, token: str | None) -> bool:
        """Drop the token if the finished `call` was refused because of it; whether a retry makes sense."""
        if token is None or call.code() is not grpc.StatusCode.UNAUTHENTICATED:
            return False
        # A nonce that was asked for says nothing against the token.
        return self._prover.learn(call.trailing_metadata()) or self._source.invalidate(token)


class _Responses:
    """The responses of a call that may be started once more, as long as nothing came; else it is the call."""

    def __init__(self, call: Any, again: Callable[[Any], Any], settle: Callable[[], None] = lambda: None) -> None:
        self._call = call
        self._again: Callable[[Any], Any] | None = again
        self._settle = settle

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        again, self._again = self._again, None
        if again is None:
            return next(self._call)
        try:
            return self._first()
        except grpc.RpcError:
            other = again(self._call)
            if other is None:
                raise
            self._call = other
        return self._first()

    def _first(self) -> Any:
        response = next(self._call)
        self._settle()
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)
