"""The body of a response, bounded while it is read and while it is decompressed.

Rule of this file: pure except for the stream it reads; an announced length, an endless stream and a gzip bomb use no
more memory than the largest allowed document.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Mapping

from bearward.fetch.errors import FetchError, FetchFailure

__all__ = ["read_body"]

_GZIP = 16 + zlib.MAX_WBITS
_PLAIN = ("identity", "")


async def read_body(stream: AsyncIterator[bytes], headers: Mapping[str, str], max_bytes: int) -> bytes:
    """The body, decompressed if `headers` say gzip (RFC 9110 section 8.4.1.3); raises `FetchError`."""
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding not in (*_PLAIN, "gzip", "x-gzip"):
        raise FetchError(FetchFailure.ENCODING)
    length = headers.get("content-length", "")
    if length.isdigit() and (len(length) > 18 or int(length) > max_bytes):
        raise FetchError(FetchFailure.TOO_LARGE)
    packed = bytearray()
    async for chunk in stream:
        packed += chunk
        if len(packed) > max_bytes:
            raise FetchError(FetchFailure.TOO_LARGE)
    return bytes(packed) if encoding in _PLAIN else _unpack(bytes(packed), max_bytes)


def _unpack(packed: bytes, max_bytes: int) -> bytes:
    """RFC 1952: one gzip member, whole, and nothing after it."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        body = unpacker.decompress(packed, max_bytes + 1)
    except zlib.error as exc:
        raise FetchError(FetchFailure.ENCODING) from exc
    if len(body) > max_bytes:
        raise FetchError(FetchFailure.TOO_LARGE)
    if not unpacker.eof or unpacker.unused_data:
        raise FetchError(FetchFailure.ENCODING)
    return body
