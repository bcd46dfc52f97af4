"""Tokens on the outgoing calls of aio channels.

Rules of this file: as in `sync`: retried once with a newer token, or with a nonce, if nothing has been received yet and
the request can be sent again. A call whose requests are written (`call.write`) is not retried: grpc lets its caller
write only once we return, and then it is theirs. grpc.aio registers an interceptor for only one kind of method, so there
are four.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from bearward_grpc.client.attach import has_authorization, with_token
from bearward_grpc.client.proofs import Prover
from bearward_grpc.client.repeatable import AsyncRepeatableRequests, is_written_by_caller
from bearward_grpc.client.sources import TokenSource

__all__ = ["aio_interceptors"]

Continue = Callable[[Any, Any], Awaitable[Any]]


def aio_interceptors(source: TokenSource, *, unsafe_plaintext: bool = False, origin: str | None = None) -> list[Any]:
    """Interceptors that put tokens of `source` on calls, for `grpc.aio.secure_channel(interceptors=…)`.

    As call credentials, which need TLS; `unsafe_plaintext` sends them as metadata over whatever the channel is. `origin` is
    the server's public origin for DPoP proofs, where it is not what the channel connects to.
    """
    tokens = _Tokens(source, Prover(source, origin), plaintext=unsafe_plaintext)
    return [_UnaryUnary(tokens), _UnaryStream(tokens), _StreamUnary(tokens), _StreamStream(tokens)]


class _Tokens:
    """What the four share."""

    def __init__(self, source: TokenSource, prover: Prover, *, plaintext: bool) -> None:
        self._source = source
        self._prover = prover
        self._plaintext = plaintext
        self._pending: set[asyncio.Task[bool]] = set()

    async def start(self, continuation: Continue, details: Any, request: Any) -> tuple[str | None, Any]:
        """Start the call, with a token unless it has its own."""
        if has_authorization(details.metadata):
            return None, await continuation(details, request)
        token = await self._source.token_async()
        metadata, credentials = with_token(details, token, self._prover, plaintext=self._plaintext)
        if metadata is not None and not isinstance(metadata, grpc.aio.Metadata):
            metadata = grpc.aio.Metadata(*metadata)
        ready = details.wait_for_ready
        ours = grpc.aio.ClientCallDetails(details.method, details.timeout, metadata, credentials, ready)
        return token, await continuation(ours, request)

    @property
    def are_proven(self) -> bool:
        """Whether calls carry proofs, and so may be asked for a nonce."""
        return self._prover.has_key

    async def invalidate_if_refused(self, call: Any, token: str | None) -> bool:
        """Wait for the call's end; drop the token if it was the reason for a refusal; whether to retry."""
        if token is None:
            return False
        code = await _code_of(call)
        return self._judge(token, code, await call.trailing_metadata()) or self.invalidate(token, code)

    async def is_asked_for_nonce(self, call: Any, token: str | None, failed: grpc.aio.AioRpcError | None) -> bool:
        """Keep the nonce of a call with a stream of requests, which has ended; whether it was refused for want of one.

        `failed` is what its response raised: where the server responds while requests are still sent, the call itself may
        say INTERNAL, and have no metadata (grpc#36066). Its token is dropped if it was the reason for another refusal.
        """
        if failed is None:
            return self._judge(token, grpc.StatusCode.OK, await call.trailing_metadata())
        asked = self._judge(token, failed.code(), failed.trailing_metadata())
        if not asked:
            self.invalidate(token, failed.code())
        return asked

    def _judge(self, token: str | None, code: grpc.StatusCode, trailers: Any) -> bool:
        if token is None or not self._prover.has_key:
            return False
        # Any response may bring the next one (RFC 9449 section 8.2).
        return self._prover.learn(trailers) and code is grpc.StatusCode.UNAUTHENTICATED

    def invalidate(self, token: str | None, code: grpc.StatusCode) -> bool:
        """Drop the token if it was refused; whether there may be another."""
        return token is not None and code is grpc.StatusCode.UNAUTHENTICATED and self._source.invalidate(token)

    async def send_once(self, continuation: Continue, details: Any, requests: Any) -> Any:
        """A call that is not retried."""
        token, call = await self.start(continuation, details, requests)
        self.invalidate_later(call, token)
        return call

    def invalidate_later(self, call: Any, token: str | None) -> None:
        """The same, once the call has ended."""

        def ended(_: Any) -> None:
            learning = self.invalidate_if_refused(call, token)
            task = asyncio.get_running_loop().create_task(learning, name="bearward: end of a call")
            self._pending.add(task)
            task.add_done_callback(self._pending.discard)

        call.add_done_callback(ended)


class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc,unused-ignore]
    def __init__(self, tokens: _Tokens) -> None:
        self._tokens = tokens

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        token, call = await self._tokens.start(continuation, client_call_details, request)
        if await self._tokens.invalidate_if_refused(call, token):
            _, call = await self._tokens.start(continuation, client_call_details, request)
        return call


class _UnaryStream(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[misc,unused-ignore]
    def __init__(self, tokens: _Tokens) -> None:
        self._tokens = tokens

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        token, call = await self._tokens.start(continuation, client_call_details, request)
        first = await _first(call)
        if isinstance(first, grpc.aio.AioRpcError):
            if not await self._tokens.invalidate_if_refused(call, token):
                raise first
            token, call = await self._tokens.start(continuation, client_call_details, request)
            first = await call.read()
        if self._tokens.are_proven:
            self._tokens.invalidate_later(call, token)
        return _responses(first, call)


class _StreamUnary(grpc.aio.StreamUnaryClientInterceptor):  # type: ignore[misc,unused-ignore]
    def __init__(self, tokens: _Tokens) -> None:
        self._tokens = tokens

    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        if not self._tokens.are_proven or is_written_by_caller(request_iterator):
            return await self._tokens.send_once(continuation, client_call_details, request_iterator)
        requests = AsyncRepeatableRequests(request_iterator)
        token, call = await self._tokens.start(continuation, client_call_details, aiter(requests))
        asked = await self._tokens.is_asked_for_nonce(call, token, await _failure_of(call))
        if asked and (again := requests.again()) is not None:
            _, call = await self._tokens.start(continuation, client_call_details, again)
        return call


class _StreamStream(grpc.aio.StreamStreamClientInterceptor):  # type: ignore[misc,unused-ignore]
    def __init__(self, tokens: _Tokens) -> None:
        self._tokens = tokens

    async def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        if not self._tokens.are_proven or is_written_by_caller(request_iterator):
            return await self._tokens.send_once(continuation, client_call_details, request_iterator)
        requests = AsyncRepeatableRequests(request_iterator)
        token, call = await self._tokens.start(continuation, client_call_details, aiter(requests))
        first = await _first(call)
        if isinstance(first, grpc.aio.AioRpcError):
            asked = await self._tokens.is_asked_for_nonce(call, token, first)
            if not asked or (again := requests.again()) is None:
                raise first
            token, call = await self._tokens.start(continuation, client_call_details, again)
            first = await call.read()
        requests.settle()
        self._tokens.invalidate_later(call, token)
        return _responses(first, call)


async def _code_of(call: Any) -> grpc.StatusCode:
    """The status of a call, once it has ended; a caller that gives up waiting for it cancels it."""
    try:
        code: grpc.StatusCode = await call.code()
    except asyncio.CancelledError:
        call.cancel()
        raise
    return code


async def _failure_of(call: Any) -> grpc.aio.AioRpcError | None:
    """What the one response of a call raises, once it has ended; a caller that gives up waiting for it cancels it."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error
    return None


async def _first(call: Any) -> Any:
    """The first response, EOF, or the error in its place."""
    try:
        return await call.read()
    except grpc.aio.AioRpcError as error:
        return error


async def _responses(first: Any, call: Any) -> AsyncIterator[Any]:
    response = first
    while response is not grpc.aio.EOF:
        yield response
        response = await call.read()
