"""`ClientAuthInterceptor`: tokens on the outgoing calls of sync channels.

Rules of this file: a call that is refused with UNAUTHENTICATED is retried once with a newer token, if nothing has been
received yet and its request can be sent again; a stream of requests cannot, so there the token is only dropped. A call
started with `.future()` is not waited for, and so not retried after it was returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc

from bearward_grpc.client.attach import CallDetails, has_authorization, with_token
from bearward_grpc.client.proofs import Prover
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
        token, call = self._start(continuation, client_call_details, request_iterator)
        call.add_done_callback(lambda done: self._invalidate_if_refused(done, token))
        return call

    def intercept_stream_stream(self, continuation: Continue, client_call_details: Any, request_iterator: Any) -> Any:
        """Called by grpc."""
        return self.intercept_stream_unary(continuation, client_call_details, request_iterator)

    def _start(self, continuation: Continue, details: Any, request: Any) -> tuple[str | None, Any]:
        if has_authorization(details.metadata):
            return None, continuation(details, request)
        token = self._source.token()
        metadata, credentials = with_token(details, token, self._prover, plaintext=self._plaintext)
        ready, compression = getattr(details, "wait_for_ready", None), getattr(details, "compression", None)
        ours = CallDetails(details.method, details.timeout, metadata, credentials, ready, compression)
        return token, continuation(ours, request)

    def _invalidate_if_refused(self, call: Any, token: str | None) -> bool:
        """Drop the token if the finished `call` was refused because of it; whether a retry makes sense."""
        if token is None or call.code() is not grpc.StatusCode.UNAUTHENTICATED:
            return False
        # A nonce that was asked for says nothing against the token.
        return self._prover.learn(call.trailing_metadata()) or self._source.invalidate(token)


class _Responses:
    """The responses of a call that may be started once more, as long as nothing came; else it is the call."""

    def __init__(self, call: Any, again: Callable[[Any], Any]) -> None:
        self._call = call
        self._again: Callable[[Any], Any] | None = again

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        again, self._again = self._again, None
        try:
            return next(self._call)
        except grpc.RpcError:
            other = again(self._call) if again is not None else None
            if other is None:
                raise
            self._call = other
        return next(self._call)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)
