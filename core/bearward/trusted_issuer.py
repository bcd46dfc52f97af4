"""What we trust: issuers, and for each what its tokens must look like.

Rule of this file: a policy that could let everything in refuses to be built. Whatever weakens a check is called
`unsafe_…`. A policy is immutable and compiled once, so that a verification only looks things up.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import KW_ONLY, dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from bearward.errors import ConfigurationError
from bearward.fetch.urls import is_loopback_host
from bearward.jose.algorithms import ALGORITHMS, ASYMMETRIC, SYMMETRIC
from bearward.jose.compact import media_type
from bearward.jose.jwk import SymmetricKey, VerificationKey
from bearward.jose.jwk_set import JWKSet, JWKSetError
from bearward.jwks.options import JWKSOptions

__all__ = ["TrustedIssuer"]

_MAX_LEEWAY = 300.0
_LONGEST_AGE = 1e15
# Made for another purpose than access (RFC 8725 section 3.11): never a bearer token, whatever a policy says.
_NEVER = frozenset({"logout+jwt", "dpop+jwt", "oauth-authz-req+jwt", "secevent+jwt", "client-authentication+jwt"})


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer whose tokens are accepted, and on what terms. Raises `ConfigurationError` naming the setting.

    Keys come from `jwks_uri`, or by OpenID discovery from `issuer` where it is unset, or from a static `jwks`, or are
    `symmetric_keys`. `jwks_options` says how keys are fetched and kept. Times are in seconds.

    >>> TrustedIssuer("https://login.example/", audience="https://api.example").algorithms >= {"RS256", "ES256"}
    True
    >>> TrustedIssuer("https://login.example/")
    Traceback (most recent call last):
        ...
    bearward.errors.ConfigurationError: audience: must name at least one audience (or give client_ids)
    """

    issuer: str
    """The exact `iss`."""
    _: KW_ONLY
    audience: Collection[str] = frozenset()
    """Accepted audiences: one string or several."""
    client_ids: Collection[str] = frozenset()
    """Accepted `client_id` (or `azp`), for issuers that send no `aud`, such as Cognito."""
    jwks_uri: str | None = None
    jwks: Mapping[str, Any] | None = field(default=None, repr=False)
    symmetric_keys: Collection[SymmetricKey] = field(default=(), repr=False)
    algorithms: Collection[str] = frozenset()
    """Allow-list; empty: every asymmetric one but ES256K, or those of the symmetric keys."""
    leeway: float = 0.0
    """For clocks that differ: 0 to 300 seconds, for `exp`, `nbf`, `iat` and `max_token_age` alike."""
    max_token_age: float | None = None
    """Refuse tokens older than this, counted from `iat`, whatever their `exp`."""
    required_claims: Collection[str] = ()
    """Beyond `iss` and `exp`."""
    expected_claims: Mapping[str, Any] = field(default_factory=dict)
    """Claims that must have one of the given values, such as `{"token_use": "access"}`."""
    token_types: Collection[str | None] = (None, "JWT", "at+jwt")
    """Accepted `typ` headers; None stands for an absent one."""
    jwks_options: JWKSOptions = field(default_factory=JWKSOptions, repr=False)
    unsafe_allow_http: bool = False
    """Fetch keys over plain http from anywhere; without it only from loopback."""
    unsafe_allow_no_expiry: bool = False
    """Accept tokens without `exp`."""
    unsafe_any_audience: bool = False
    """Accept tokens that were issued for others."""
    static_keys: JWKSet | None = field(default=None, init=False, repr=False, compare=False)
    """The key set, where it is configured and never fetched."""

    def __post_init__(self) -> None:
        """Check and compile every field; the order of the checks is the order of the fields."""
        _check_issuer(self.issuer, allow_http=self.unsafe_allow_http)
        self._put("audience", _names("audience", self.audience))
        self._put("client_ids", _names("client_ids", self.client_ids))
        if not self.audience and not self.client_ids and not self.unsafe_any_audience:
            raise ConfigurationError("audience", "must name at least one audience (or give client_ids)")
        self._put("algorithms", self._compiled_algorithms())
        self._put("static_keys", self._static_keys())
        _check_seconds("leeway", self.leeway, _MAX_LEEWAY)
        if self.max_token_age is not None:
            _check_seconds("max_token_age", self.max_token_age, _LONGEST_AGE, above=0.0)
        self._put("required_claims", self._required_claims())
        self._put("expected_claims", _expected("expected_claims", self.expected_claims))
        self._put("token_types", _token_types(self.token_types))
        if not isinstance(self.jwks_options, JWKSOptions):
            raise ConfigurationError("jwks_options", "must be a JWKSOptions")

    def _put(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _compiled_algorithms(self) -> frozenset[str]:
        return _algorithms(self.algorithms, self._default_algorithms(), symmetric=bool(self.symmetric_keys))

    def _default_algorithms(self) -> frozenset[str]:
        if self.symmetric_keys:
            return frozenset(key.algorithm for key in self.symmetric_keys)
        return frozenset(ASYMMETRIC)

    def _required_claims(self) -> tuple[str, ...]:
        asked = _names("required_claims", self.required_claims)
        always = () if self.unsafe_allow_no_expiry else ("exp",)
        by_age = ("iat",) if self.max_token_age is not None else ()
        return tuple(dict.fromkeys((*always, *by_age, *sorted(asked - {"iss"}))))

    def _static_keys(self) -> JWKSet | None:
        given = [self.jwks_uri is not None, self.jwks is not None, bool(self.symmetric_keys)]
        if sum(given) > 1:
            raise ConfigurationError(
                "jwks_uri", "must be the only source of keys: give one of jwks_uri, jwks and symmetric_keys"
            )
        if self.jwks_uri is not None:
            _check_url("jwks_uri", self.jwks_uri, allow_http=self.unsafe_allow_http)
        if self.symmetric_keys:
            return JWKSet(VerificationKey.symmetric(key) for key in self.symmetric_keys)
        if self.jwks is not None:
            return _parsed(self.jwks)
        return None


def _parsed(jwks: Mapping[str, Any]) -> JWKSet:
    try:
        return JWKSet.parse(json.dumps(jwks).encode())
    except (JWKSetError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, JWKSetError) else "it is no JSON"
        raise ConfigurationError("jwks", f"must be a JWK Set with a usable key: {reason}") from None


def _check_issuer(issuer: object, *, allow_http: bool) -> None:
    # An octet that is no UTF-8 comes out of the environment as a lone surrogate, which no `iss` can hold.
    if not isinstance(issuer, str) or not issuer or issuer.strip() != issuer or not _is_unicode(issuer):
        raise ConfigurationError("issuer", "must be the exact `iss` of the tokens, a non-empty string")
    if issuer.lower().startswith("http://"):
        _check_url("issuer", issuer, allow_http=allow_http)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _check_url(setting: str, url: object, *, allow_http: bool) -> None:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        host = parts.hostname if parts else None
    except ValueError:
        parts = host = None
    if parts is None or parts.scheme.lower() not in ("http", "https") or not host or not _is_unicode(host):
        raise ConfigurationError(setting, "must be an https URL")
    if parts.username is not None or parts.fragment:
        raise ConfigurationError(setting, "must be an https URL without user name and fragment")
    if parts.scheme.lower() == "http" and not allow_http and not is_loopback_host(host):
        raise ConfigurationError(setting, "must be an https URL (http is for loopback, or with unsafe_allow_http)")


def _names(setting: str, names: Collection[str]) -> frozenset[str]:
    several = (names,) if isinstance(names, str) else names
    if not isinstance(several, Collection) or any(not isinstance(name, str) or not name for name in several):
        raise ConfigurationError(setting, "must be a non-empty string or several of them")
    return frozenset(several)


def _algorithms(given: Collection[str], default: frozenset[str], *, symmetric: bool) -> frozenset[str]:
    names = _names("algorithms", given) or default
    for name in sorted(names):
        if name not in ALGORITHMS:
            raise ConfigurationError("algorithms", f"must be among {', '.join(ALGORITHMS)}")
    if symmetric and names - SYMMETRIC:
        raise ConfigurationError("algorithms", "must be HS* only where symmetric_keys are given")
    if not symmetric and names & SYMMETRIC:
        raise ConfigurationError("algorithms", "must not hold HS* without symmetric_keys: never beside public keys")
    return names


def _check_seconds(setting: str, value: object, most: float, *, above: float | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or value == above:
        bound = f"between 0 and {most:g}" if above is None else "above 0"
        raise ConfigurationError(setting, f"must be a number of seconds {bound}")


def _expected(setting: str, expected: Mapping[str, Any]) -> Mapping[str, tuple[Any, ...]]:
    if not isinstance(expected, Mapping):
        raise ConfigurationError(setting, "must map a claim's name to its accepted values")
    compiled: dict[str, tuple[Any, ...]] = {}
    for name, values in expected.items():
        several = values if isinstance(values, list | tuple | set | frozenset) else (values,)
        if not isinstance(name, str) or not name or not several:
            raise ConfigurationError(setting, "must map a claim's name to its accepted values")
        if any(not isinstance(value, str | int | float) for value in several):
            raise ConfigurationError(setting, "must have strings, numbers or booleans as values")
        compiled[name] = tuple(several)
    return MappingProxyType(compiled)


def _token_types(types: Collection[str | None]) -> frozenset[str | None]:
    several: Collection[str | None] = (types,) if isinstance(types, str) else types
    if not several or any(not isinstance(name, str | None) or name == "" for name in several):
        raise ConfigurationError("token_types", "must name at least one `typ`; None stands for an absent one")
    compiled = frozenset(None if name is None else media_type(name) for name in several)
    if compiled & _NEVER:
        raise ConfigurationError(
            "token_types", f"must not hold {', '.join(sorted(_NEVER))}: these are no access tokens"
        )
    return compiled
