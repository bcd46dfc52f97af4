"""The authenticated envelope of everything stored outside the process: an HMAC over purpose, position and text.

Rule of this file: pure. What is not authentic is treated as absent: whoever can write to the store can neither plant a
text nor move one to another position or purpose.
"""

from __future__ import annotations

import hmac

from bearward.errors import BearwardError

__all__ = ["NotAuthenticError", "open_sealed", "seal"]


class NotAuthenticError(BearwardError, ValueError):
    """A text that no process with this secret wrote to this place; the message is a constant."""

    def __init__(self) -> None:
        super().__init__("not authentic")


def seal(text: str, *, purpose: str, place: str, secret: bytes) -> str:
    """The text, authenticated for its purpose and for the place (the key in the store) where it is stored."""
    return f"{_mac(text, purpose, place, secret)} {text}"


def open_sealed(sealed: str, *, purpose: str, place: str, secret: bytes) -> str:
    """The text that was sealed for `purpose` and `place`; raise `NotAuthenticError` for anything else.

    >>> sealed = seal("text", purpose="notes", place="a", secret=b"0" * 32)
    >>> open_sealed(sealed, purpose="notes", place="a", secret=b"0" * 32)
    'text'
    >>> open_sealed(sealed, purpose="notes", place="b", secret=b"0" * 32)
    Traceback (most recent call last):
        ...
    bearward.cache.sealed.NotAuthenticError: not authentic
    """
    mac, _, text = sealed.partition(" ")
    expected = _mac(text, purpose, place, secret).encode()
    if not hmac.compare_digest(mac.encode("utf-8", "replace"), expected):
        raise NotAuthenticError
    return text


def _mac(text: str, purpose: str, place: str, secret: bytes) -> str:
    context = f"bearward {purpose}\x00{place}\x00".encode("utf-8", "surrogatepass")
    return hmac.new(secret, context + text.encode("utf-8", "surrogatepass"), "sha256").hexdigest()
