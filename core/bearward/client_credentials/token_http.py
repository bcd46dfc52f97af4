"""The client's boundary to HTTP: one POST to the token endpoint, within bounds.

Rules of this file: https, or http on loopback; no redirects, since they would carry the secret elsewhere; the body is
bounded; every failure is a `TokenUnavailableError`.
"""

from __future__ import annotations

import ssl

import httpcore2

from bearward.client_credentials.grant import TokenUnavailableError

__all__ = ["post"]

_MAX_BODY = 256 * 1024


def post(
    url: str,
    authorization: str | None,
    body: bytes,
    *,
    timeout: float,
    context: ssl.SSLContext | None,
    proof: str | None = None,
) -> tuple[int, bytes, str | None]:
    """POST the form `body` to `url`; `timeout` is in seconds for each step. Returns the status and the response's body."""
    headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")]
    if authorization is not None:
        headers.append(("authorization", authorization))
    if proof is not None:
        headers.append(("dpop", proof))
    steps = dict.fromkeys(("connect", "read", "write", "pool"), timeout)
    try:
        with (
            httpcore2.ConnectionPool(ssl_context=context) as pool,
            pool.stream("POST", url, headers=headers, content=body, extensions={"timeout": steps}) as response,
        ):
            return response.status, _read(response), _nonce(response)
    except TokenUnavailableError:
        raise
    except Exception as error:  # noqa: BLE001  (whatever it is, there is no token; its text may quote the request)
        raise TokenUnavailableError(f"the token endpoint cannot be reached ({type(error).__name__})") from None


def _read(response: httpcore2.Response) -> bytes:
    body = b""
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise TokenUnavailableError("the token endpoint's response is too large")
    return body


def _nonce(response: httpcore2.Response) -> str | None:
    """The nonce that the server wants in the next proof (RFC 9449 section 8)."""
    return next((value.decode("latin-1") for name, value in response.headers if name.lower() == b"dpop-nonce"), None)
