"""Tokens on the outgoing calls of aio channels.

Rules of this file: as in `sync`: retried once with a newer token if nothing has been received yet and the request can
be sent again. grpc.aio registers an interceptor for only one kind of method, so there are four.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from bearward_grpc.client.attach import has_authorization, with_token
from bearward_grpc.client.proofs import Prover
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

    async def invalidate_if_refused(self, call: Any, token: str | None) -> bool:
        """Wait for the call's end; drop the token if it was the reason for a refusal; whether to retry."""
        if token is None or await call.code() is not grpc.StatusCode.UNAUTHENTICATED:
            return False
        # A nonce that was asked for says nothing against the token.
        return self._prover.learn(await call.trailing_metadata()) or self._source.invalidate(token)

    def invalidate_later(self, call: Any, token: str | None) -> None:
        """The same, once the call has ended."""

        def ended(_: Any) -> None:
            task = asyncio.get_running_loop().create_task(self.invalidate_if_refused(call, token))
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
            _, call = await self._tokens.start(continuation, client_call_details, request)
            first = await call.read()
        return _responses(first, call)


class _StreamUnary(grpc.aio.StreamUnaryClientInterceptor):  # type: ignore[misc,unused-ignore]
    def __init__(self, tokens: _Tokens) -> None:
        self._tokens = tokens

    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        token, call = await self._tokens.start(continuation, client_call_details, request_iterator)
        self._tokens.invalidate_later(call, token)
        return call


class _StreamStream(grpc.aio.StreamStreamClientInterceptor):  # type: ignore[misc,unused-ignore]
    def __init__(self, tokens: _Tokens) -> None:
        self._tokens = tokens

    async def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        token, call = await self._tokens.start(continuation, client_call_details, request_iterator)
        self._tokens.invalidate_later(call, token)
        return call


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
