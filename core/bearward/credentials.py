"""The `Authorization` value: which bearer token was presented, if exactly one was (RFC 6750 section 2.1).

    credentials = "Bearer" 1*SP b64token
    b64token    = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="

Rule of this file: one credential or a refusal. The scheme is compared without regard to case (RFC 9110 section 11.1);
another scheme is no bearer token at all; a `Bearer` that does not follow the grammar is malformed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bearward.errors import AuthError, Refusal

__all__ = ["bearer_token"]

_TOKEN68 = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"


def bearer_token(values: Sequence[str | bytes], *, max_length: int = 16 * 1024) -> str:
    """The token of all `Authorization` values of a request; raise `AuthError`.

    `max_length` is in characters and is looked at before anything else. Refusals: CREDENTIALS_MISSING,
    CREDENTIALS_REPEATED, CREDENTIALS_MALFORMED, TOKEN_TOO_LARGE.

    >>> bearer_token(["bearer abc.def.ghi"])
    'abc.def.ghi'
    >>> bearer_token(["Basic dTpw"])
    Traceback (most recent call last):
        ...
    bearward.errors.AuthError: no bearer token was presented
    """
    if len(values) != 1:
        raise AuthError(Refusal.CREDENTIALS_REPEATED if values else Refusal.CREDENTIALS_MISSING)
    value = values[0]
    if len(value) > max_length + 16:
        raise AuthError(Refusal.TOKEN_TOO_LARGE)
    octets = value if isinstance(value, bytes) else value.encode("utf-8", "replace")
    # RFC 9110 section 5.5: white space around a field's value is no part of it; gRPC hands it on all the same.
    scheme, space, token = octets.strip(b" \t").partition(b" ")
    if scheme.lower() != b"bearer":
        raise AuthError(Refusal.CREDENTIALS_MISSING)
    token = token.lstrip(b" ")
    # Deleting the plain characters leaves nothing of a JWT, at a quarter of the cost of matching the expression.
    if not space or not token or (token.translate(None, _PLAIN) and not _TOKEN68.fullmatch(token)):
        raise AuthError(Refusal.CREDENTIALS_MALFORMED)
    if len(token) > max_length:
        raise AuthError(Refusal.TOKEN_TOO_LARGE)
    return token.decode("ascii")
