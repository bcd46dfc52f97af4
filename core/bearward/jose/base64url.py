"""Base64url without padding (RFC 7515 section 2), canonical or refused.

Rule of this file: exactly one text decodes to a given sequence of octets. Stray characters, padding, a length that no
encoder produces, and unused bits that are not zero (RFC 4648 section 3.5) are refused, so that a signed token has no
second spelling that verifies.
"""

from __future__ import annotations

from pybase64 import b64decode, b64encode

__all__ = ["decode", "encode"]

_URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# By the length of a text modulo 4, and its last character: what to put behind it. A final quantum of two characters
# carries four unused bits, one of three carries two; one of a single character no encoder produces.
_PADDING: tuple[dict[str, str], ...] = (
    dict.fromkeys((*_URL, ""), ""),
    {},
    dict.fromkeys("AQgw", "=="),
    dict.fromkeys("AEIMQUYcgkosw048", "="),
)


def decode(text: str | bytes) -> bytes:
    r"""Decode canonical, unpadded base64url, a text or its octets; raise `ValueError` for anything else.

    >>> decode("AQAB")
    b'\x01\x00\x01'
    >>> decode("AR")
    Traceback (most recent call last):
        ...
    ValueError: not canonical base64url
    """
    if isinstance(text, bytes):
        text = text.decode("latin-1")  # octet by octet: what is not ASCII is refused below
    padding = _PADDING[len(text) & 3].get(text[-1:])
    # pybase64 refuses what is in neither alphabet, but takes `+` and `/` beside `-` and `_`.
    if padding is None or "+" in text or "/" in text:
        raise ValueError("not canonical base64url")
    try:
        return b64decode(text + padding, b"-_", True)
    except ValueError:
        # `from None`: the text is part of a caller's token and must not travel in a chain of exceptions.
        raise ValueError("not canonical base64url") from None


def encode(octets: bytes) -> bytes:
    r"""Encode as canonical, unpadded base64url.

    >>> encode(b"\x01\x00\x01")
    b'AQAB'
    """
    return b64encode(octets, b"-_").rstrip(b"=")
