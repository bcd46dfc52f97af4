"""Where an issuer's tokens are: `Authorization`, unless a proxy in front puts them elsewhere.

Rules of this file: pure. A place belongs to an issuer: a token that is found in another place is not that issuer's
(Envoy's JWT filter ties them likewise), and credentials in two places at once are refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

from bearward.errors import AuthError, ConfigurationError
from bearward.refusals import Refusal

__all__ = ["CredentialPlace"]

_FIELD_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 section 5.1: a token; lower case, as HTTP/2 has it
_COOKIE_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 6265 section 4.1.1: a token
_TOKEN68 = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_PADDED = re.compile(rb"[A-Za-z0-9._=-]+")
_HEADER_PARAMETERS = frozenset({"alg", "b64", "crit", "cty", "enc", "kid", "typ", "zip"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialPlace:
    """A header (on gRPC: a metadata key), or a cookie, in which the tokens of an issuer are. Raises `ConfigurationError`.

    In a header the token stands bare, or after `scheme`. A cookie is read on HTTP only. `padded` and `header_claims` are
    for proxies whose tokens are no plain JWTs: base64url with padding, and claims that stand in the JOSE header, by name.

    >>> CredentialPlace(header="X-Goog-IAP-JWT-Assertion")
    CredentialPlace(header='x-goog-iap-jwt-assertion')
    """

    header: str | None = None
    scheme: str | None = None
    cookie: str | None = None
    padded: bool = False
    header_claims: Collection[str] = ()

    def __post_init__(self) -> None:
        """Check the fields; field names have no case."""
        if (self.header is None) is (self.cookie is None):
            raise ConfigurationError("place", "must be either a header or a cookie")
        if self.header is not None:
            name = self.header.lower() if isinstance(self.header, str) else ""
            if not _FIELD_NAME.fullmatch(name) or name.endswith("-bin"):
                raise ConfigurationError("place.header", "must be the name of a header that holds text")
            if name in ("authorization", "cookie"):
                raise ConfigurationError("place.header", f"must not be {name}, which is read separately")
            object.__setattr__(self, "header", name)
        elif not isinstance(self.cookie, str) or not _COOKIE_NAME.fullmatch(self.cookie):
            raise ConfigurationError("place.cookie", "must be the name of a cookie")
        if self.scheme is not None and (self.header is None or not str(self.scheme).isalpha()):
            raise ConfigurationError("place.scheme", "must be a scheme such as Bearer, for a header")
        self._check_form()

    def _check_form(self) -> None:
        if not isinstance(self.padded, bool):
            raise ConfigurationError("place.padded", "must be true or false")
        given: object = self.header_claims
        names = (given,) if not isinstance(given, Collection) or isinstance(given, str) else tuple(given)
        if not all(isinstance(name, str) and name and name not in _HEADER_PARAMETERS for name in names):
            raise ConfigurationError(
                "place.header_claims", "must be names of claims, not of what a JOSE header has anyway"
            )
        object.__setattr__(self, "header_claims", tuple(dict.fromkeys(names)))

    def __repr__(self) -> str:
        given = ((field.name, getattr(self, field.name)) for field in fields(self))
        return f"CredentialPlace({', '.join(f'{name}={value!r}' for name, value in given if value)})"

    def token(self, values: Sequence[str | bytes], *, max_length: int = 16 * 1024) -> str | None:
        """The token of all values that a request has in this place; None if it has none. Raises `AuthError`.

        Refusals: CREDENTIALS_REPEATED, CREDENTIALS_MALFORMED, TOKEN_TOO_LARGE.

        >>> CredentialPlace(header="x-token").token(["abc.def.ghi"])
        'abc.def.ghi'
        """
        if not values:
            return None
        if len(values) != 1:
            raise AuthError(Refusal.CREDENTIALS_REPEATED)
        value = values[0]
        if len(value) > max_length + 16:
            raise AuthError(Refusal.TOKEN_TOO_LARGE)
        octets = (value if isinstance(value, bytes) else value.encode("utf-8", "replace")).strip(b" \t")
        token = octets if self.scheme is None else self._after_scheme(octets, self.scheme)
        if not (_PADDED if self.padded else _TOKEN68).fullmatch(token):
            raise AuthError(Refusal.CREDENTIALS_MALFORMED)
        if len(token) > max_length:
            raise AuthError(Refusal.TOKEN_TOO_LARGE)
        return token.decode("ascii")

    @staticmethod
    def _after_scheme(octets: bytes, scheme: str) -> bytes:
        named, _, token = octets.partition(b" ")
        if named.lower() != scheme.lower().encode():
            raise AuthError(Refusal.CREDENTIALS_MALFORMED)
        return token.lstrip(b" ")
