"""Base64url without padding (RFC 7515 section 2), canonical or refused.

Rule of this file: exactly one text decodes to a given sequence of octets. A stray character, padding, a length that
no encoder produces, or unused bits that are not zero (RFC 4648 section 3.5) are refused, so that a signed token
cannot be rewritten into another spelling that verifies.
"""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64

__all__ = ["decode", "encode"]

_INVALID = b"\x00"
# One pass maps the URL alphabet to the ordinary one and everything that only the ordinary one has to an octet that
# the strict decoder refuses.
_TO_ORDINARY = bytes.maketrans(b"-_+/=", b"+/" + _INVALID * 3)
_TO_URL = bytes.maketrans(b"+/", b"-_")
_PADDING = (b"", None, b"==", b"=")
# The last character of a final quantum of two carries four unused bits, that of a quantum of three carries two.
_FINAL = (None, None, frozenset(b"AQgw"), frozenset(b"AEIMQUYcgkosw048"))


def decode(text: bytes) -> bytes:
    """Decode canonical, unpadded base64url; raise `ValueError` for anything else.

    >>> decode(b"AQAB")
    b'\\x01\\x00\\x01'
    >>> decode(b"AR")
    Traceback (most recent call last):
        ...
    ValueError: not canonical base64url
    """
    tail = len(text) & 3
    padding = _PADDING[tail]
    final = _FINAL[tail]
    if padding is None or (final is not None and text[-1] not in final):
        raise ValueError("not canonical base64url")
    try:
        return a2b_base64(text.translate(_TO_ORDINARY) + padding, strict_mode=True)
    except Error:
        # `from None`: the text is part of a caller's token and must not travel in a chain of exceptions.
        raise ValueError("not canonical base64url") from None


def encode(octets: bytes) -> bytes:
    """Encode as canonical, unpadded base64url.

    >>> encode(b"\\x01\\x00\\x01")
    b'AQAB'
    """
    return b2a_base64(octets, newline=False).translate(_TO_URL).rstrip(b"=")
