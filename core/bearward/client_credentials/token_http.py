"""The client's boundary to HTTP: one POST to the token endpoint, within bounds.

Rules of this file: https, or http on loopback; no redirects, since they would carry the secret elsewhere; the body is
bounded; every failure is a `TokenUnavailableError`. One time limit is for all of it, from the look-up of the name to the
last octet of the response: limits of single steps never end what an endpoint sends octet by octet. Only an event loop
can keep to that, so each request has its own, in the thread that waits for it.
"""

from __future__ import annotations

import asyncio
import ssl

import httpcore2

from bearward.client_credentials.grant import TokenUnavailableError
from bearward.fetch.network import GuardedBackend

__all__ = ["post"]

_MAX_BODY = 256 * 1024

Answer = tuple[int, bytes, str | None]


def post(
    url: str,
    authorization: str | None,
    body: bytes,
    *,
    timeout: float,
    context: ssl.SSLContext | None,
    proof: str | None = None,
) -> Answer:
    """POST the form `body` to `url`; `timeout` is in seconds, for all of it. Returns the status and the response's body."""
    headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")]
    if authorization is not None:
        headers.append(("authorization", authorization))
    if proof is not None:
        headers.append(("dpop", proof))
    try:
        return asyncio.run(_post_within(timeout, url, headers, body, context))
    except TokenUnavailableError:
        raise
    except Exception as error:  # noqa: BLE001  (whatever it is, there is no token; its text may quote the request)
        raise TokenUnavailableError(f"the token endpoint cannot be reached ({type(error).__name__})") from None


async def _post_within(
    seconds: float, url: str, headers: list[tuple[str, str]], body: bytes, context: ssl.SSLContext | None
) -> Answer:
    """The response; raises `TimeoutError`, and whatever the transport does."""
    connecting = {"timeout": {"connect": seconds}}  # shared by the addresses of the host
    async with (
        asyncio.timeout(seconds),
        httpcore2.AsyncConnectionPool(ssl_context=context, network_backend=_AnyAddress()) as pool,
        pool.stream("POST", url, headers=headers, content=body, extensions=connecting) as response,
    ):
        return response.status, await _read(response), _nonce(response)


class _AnyAddress(GuardedBackend):
    """Looks names up in a thread that no caller waits for. Where the endpoint lies is for whoever configured it to say."""

    def __init__(self) -> None:
        super().__init__(unsafe_allow_private=True)

    def _allows(self, address: str, host: str) -> bool:
        return True


async def _read(response: httpcore2.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise TokenUnavailableError("the token endpoint's response is too large")
    return body


def _nonce(response: httpcore2.Response) -> str | None:
    """The nonce that the server wants in the next proof (RFC 9449 section 8)."""
    return next((value.decode("latin-1") for name, value in response.headers if name.lower() == b"dpop-nonce"), None)
