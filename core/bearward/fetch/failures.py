"""What an exception of the transport means: a class of failure, and the cause in a few words.

Rule of this file: details come from the operating system and from OpenSSL (a refused connection, why a certificate does not
verify), never from a peer.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator

from bearward.fetch.errors import FetchFailure

__all__ = ["failure_of"]


def failure_of(error: Exception) -> tuple[FetchFailure, str | None]:
    """The class of failure, and more about it if something is known."""
    import httpcore2

    if isinstance(error, httpcore2.TimeoutException):
        return FetchFailure.TIMEOUT, "while connecting" if isinstance(error, httpcore2.ConnectTimeout) else None
    if isinstance(error, httpcore2.ConnectError | ssl.SSLError):
        return _why_not_connected(error)
    if isinstance(error, httpcore2.ProxyError):
        return FetchFailure.PROXY, None
    # Otherwise a certificate file that cannot be read, or a response that is not HTTP.
    return (FetchFailure.FILE if isinstance(error, OSError) else FetchFailure.PROTOCOL), None


def _why_not_connected(error: Exception) -> tuple[FetchFailure, str | None]:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLError):  # why a certificate does not verify, else OpenSSL's name for what happened
            return FetchFailure.TLS, getattr(cause, "verify_message", None) or cause.reason
    numbers = [cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno]
    return FetchFailure.CONNECT, os.strerror(numbers[0]).lower() if numbers else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it came from, exception groups included, each once."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, *(one.exceptions if isinstance(one, BaseExceptionGroup) else ())]
