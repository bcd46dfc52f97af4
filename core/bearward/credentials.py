"""The `Authorization` value: which token was presented, if exactly one was (RFC 6750 section 2.1, RFC 9449 section 7.1).

    credentials = scheme 1*SP b64token          scheme: "Bearer", "DPoP" or "mtls_pop", of which a caller takes some
    b64token    = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="

Rule of this file: one credential or a refusal. The scheme is compared case-insensitively (RFC 9110 section 11.1);
another scheme counts as no token, though a token without its scheme, or behind another, is told so; a known scheme that
does not follow the grammar is malformed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bearward.errors import AuthError
from bearward.refusals import Refusal
from bearward.sender import Scheme, attributed

__all__ = ["SCHEMES", "bearer_token", "presented_token"]

SCHEMES: Mapping[bytes, Scheme] = MappingProxyType({scheme.value.lower().encode(): scheme for scheme in Scheme})
"""All schemes that are known here, by their names in lower case."""
_BEARER_ONLY = {b"bearer": Scheme.BEARER}

_TOKEN68 = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_DOTS = 2  # of a JWS in compact form; a JWE has more
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"


def bearer_token(values: Sequence[str | bytes], *, max_length: int = 16 * 1024) -> str:
    """The token of all `Authorization` values of a request; raise `AuthError`.

    `max_length` is in characters and is looked at before anything else. Refusals: CREDENTIALS_MISSING,
    BEARER_SCHEME_MISSING, CREDENTIALS_REPEATED, CREDENTIALS_MALFORMED, TOKEN_TOO_LARGE.

    >>> bearer_token(["bearer abc.def.ghi"])
    'abc.def.ghi'
    >>> bearer_token(["Basic dTpw"])
    Traceback (most recent call last):
        ...
    bearward.errors.AuthError: no bearer token was presented
    """
    return presented_token(values, _BEARER_ONLY, max_length=max_length)[1]


def presented_token(
    values: Sequence[str | bytes], schemes: Mapping[bytes, Scheme], *, max_length: int = 16 * 1024
) -> tuple[Scheme, str]:
    """Scheme and token of all `Authorization` values of a request, for any of `schemes`; otherwise as `bearer_token`.

    `schemes` has their names in lower case.

    >>> presented_token(["DPoP abc.def.ghi"], SCHEMES)
    (<Scheme.DPOP: 'DPoP'>, 'abc.def.ghi')
    """
    if len(values) != 1:
        raise AuthError(Refusal.CREDENTIALS_REPEATED if values else Refusal.CREDENTIALS_MISSING)
    value = values[0]
    if len(value) > max_length + 16:
        raise AuthError(Refusal.TOKEN_TOO_LARGE)
    octets = value if isinstance(value, bytes) else value.encode("utf-8", "replace")
    # RFC 9110 section 5.5: white space around a field's value is no part of it; gRPC hands it on all the same.
    name, space, token = octets.strip(b" \t").partition(b" ")
    scheme = schemes.get(name.lower())
    if scheme is None:
        raise AuthError(Refusal.BEARER_SCHEME_MISSING if _is_jwt(octets) else Refusal.CREDENTIALS_MISSING)
    try:
        return scheme, _token(space, token.lstrip(b" "), max_length)
    except AuthError as error:
        attributed(error, scheme)
        raise


def _is_jwt(octets: bytes) -> bool:
    """Whether a value under no known scheme ends in what must be a JWT: a header that begins with `{"`, and segments."""
    token = octets.split()[-1:]
    return bool(token) and token[0].startswith(b"eyJ") and token[0].count(b".") >= _DOTS


def _token(space: bytes, token: bytes, max_length: int) -> str:
    # Deleting the plain characters leaves nothing of a JWT, at a quarter of the cost of matching the expression.
    if not space or not token or (token.translate(None, _PLAIN) and not _TOKEN68.fullmatch(token)):
        raise AuthError(Refusal.CREDENTIALS_MALFORMED)
    if len(token) > max_length:
        raise AuthError(Refusal.TOKEN_TOO_LARGE)
    return token.decode("ascii")
