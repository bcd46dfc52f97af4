"""The checks of a `TrustedIssuer`'s settings, one function each.

Rules of this file: pure. Invalid configuration raises `ConfigurationError`: it names the setting, says what it must be
and, where there is one, the nearest valid form; it shows no value. A placeholder that nobody filled in is no name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from bearward.errors import ConfigurationError
from bearward.fetch.urls import is_loopback_host
from bearward.frozen import FrozenMapping
from bearward.jose.algorithms import ALGORITHMS, SYMMETRIC
from bearward.jose.compact import media_type
from bearward.jose.jwk import SymmetricKey
from bearward.jose.jwk_set import JWKSet, JWKSetError
from bearward.jose.post_quantum import ML_DSA, is_supported
from bearward.jwks.issuer_settings import PER_KID

__all__ = [
    "algorithms",
    "discovery_address",
    "expected_claims",
    "flag",
    "identifier",
    "jwk_set",
    "names",
    "seconds",
    "symmetric_keys",
    "token_types",
    "url",
]

# Made for another purpose than access (RFC 8725 section 3.11): never a bearer token, whatever the settings say.
_NEVER = frozenset({"logout+jwt", "dpop+jwt", "oauth-authz-req+jwt", "secevent+jwt", "client-authentication+jwt"})
_PLACEHOLDER = re.compile(r"\$\{|\{\{|\{[A-Za-z_][A-Za-z0-9_.-]*\}|\$\([A-Za-z_]")
_HTTP_TERMS = "(http is for loopback, or with unsafe_allow_http)"


def flag(setting: str, value: object) -> None:
    """A setting that weakens a check is `True` or `False`: the string "false" would be true."""
    if not isinstance(value, bool):
        raise ConfigurationError(setting, "must be True or False")


def identifier(issuer: object) -> None:
    """Any string may be an `iss`; these are mistakes."""
    # An octet that is no UTF-8 comes out of the environment as a lone surrogate, which no `iss` can hold.
    if not isinstance(issuer, str) or not issuer or issuer.strip() != issuer or not _is_unicode(issuer):
        raise ConfigurationError("issuer", "must be the exact `iss` of the tokens, a non-empty string")
    if not issuer.isprintable():  # it stands in lines of the log, where an end of line would begin a forged one
        raise ConfigurationError("issuer", "must hold no end of line and no other control character")
    if "/.well-known/" in issuer:
        raise ConfigurationError(
            "issuer", "must be the exact `iss` of the tokens: leave out /.well-known/ and the rest"
        )
    _refuse_placeholder("issuer", issuer, "; all tenants of a provider are TenantIssuers")


def discovery_address(issuer: str, *, allow_http: bool) -> None:
    """An issuer whose metadata is to be fetched (RFC 8414 section 2, OpenID Connect Discovery 1.0 section 4)."""
    scheme = issuer.partition("://")[0].lower()
    if scheme not in ("http", "https"):
        raise ConfigurationError(
            "issuer", "must be an https URL to discover keys from; for any other `iss` say where the keys are: jwks_uri"
        )
    if scheme == "http" and not allow_http and not is_loopback_host(_host("issuer", issuer)):
        raise ConfigurationError(
            "issuer", f"must be an https URL to discover keys from {_HTTP_TERMS}; or say where the keys are: jwks_uri"
        )


def url(setting: str, address: object, *, allow_http: bool) -> None:
    """An address that keys are fetched from."""
    host = _host(setting, address)
    parts = urlsplit(str(address))
    if parts.username is not None or parts.fragment:
        raise ConfigurationError(setting, "must be an https URL without user name and fragment")
    if parts.scheme.lower() == "http" and not allow_http and not is_loopback_host(host):
        raise ConfigurationError(setting, f"must be an https URL {_HTTP_TERMS}")
    _refuse_placeholder(setting, str(address))


def pem_uri(address: object, *, allow_http: bool) -> None:
    """An address of keys in PEM, with `{kid}` at most once, and in its path."""
    text = address if isinstance(address, str) else ""
    url("pem_uri", text.replace(PER_KID, "kid") if text.count(PER_KID) == 1 else address, allow_http=allow_http)
    if PER_KID in text and PER_KID not in urlsplit(text).path:
        raise ConfigurationError("pem_uri", "must have {kid} in its path")


def names(setting: str, given: object) -> frozenset[str]:
    """One string or several."""
    several = (given,) if isinstance(given, str) else given
    if not isinstance(several, Collection) or isinstance(several, Mapping):
        raise ConfigurationError(setting, "must be a non-empty string or several of them")
    if any(not isinstance(name, str) or not name for name in several):
        raise ConfigurationError(setting, "must be a non-empty string or several of them")
    for name in several:
        _refuse_placeholder(setting, name)
    return frozenset(several)


def algorithms(given: object, default: frozenset[str], *, symmetric: bool) -> frozenset[str]:
    """An allow-list in which HMAC never stands beside public keys (RFC 8725 section 2.1)."""
    allowed = names("algorithms", given) or default
    for name in sorted(allowed):
        if name not in ALGORITHMS:
            raise ConfigurationError("algorithms", f"must be among {', '.join(ALGORITHMS)}")
        if name in ML_DSA and not is_supported(name):
            raise ConfigurationError("algorithms", f"{name} needs cryptography 47 or newer, built with it")
    if symmetric and allowed - SYMMETRIC:
        raise ConfigurationError("algorithms", "must be HS* only where symmetric_keys are given")
    if not symmetric and allowed & SYMMETRIC:
        raise ConfigurationError(
            "algorithms", "must not hold HS* without symmetric_keys: never together with public keys"
        )
    return allowed


def symmetric_keys(given: object) -> tuple[SymmetricKey, ...]:
    """One shared secret or several."""
    several = (given,) if isinstance(given, SymmetricKey) else given
    if not isinstance(several, list | tuple | set | frozenset) or any(not isinstance(k, SymmetricKey) for k in several):
        raise ConfigurationError("symmetric_keys", "must be a SymmetricKey or several: SymmetricKey(secret)")
    return tuple(several)


def jwk_set(jwks: object) -> JWKSet:
    """A configured JWK Set (RFC 7517 section 5)."""
    if not isinstance(jwks, Mapping):
        raise ConfigurationError("jwks", "must be a JWK Set as a mapping; from text, use json.loads(text)")
    try:
        return JWKSet.parse(json.dumps(jwks, default=_as_dict).encode())
    except (JWKSetError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, JWKSetError) else "it is not JSON"
        raise ConfigurationError("jwks", f"must be a JWK Set with a usable key: {reason}") from None


def seconds(setting: str, value: object, most: float, *, above: float | None = None) -> None:
    """A number of seconds within bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or value == above:
        bound = f"between 0 and {most:g}" if above is None else "above 0"
        raise ConfigurationError(setting, f"must be a number of seconds {bound}")


def expected_claims(expected: object) -> Mapping[str, tuple[Any, ...]]:
    """Claims and their accepted values."""
    if not isinstance(expected, Mapping):
        raise ConfigurationError("expected_claims", "must map a claim's name to its accepted values")
    return FrozenMapping({_claim_name(name): _claim_values(values) for name, values in expected.items()})


def token_types(types: object) -> frozenset[str | None]:
    """Accepted `typ` headers, in their short form (RFC 7515 section 4.1.9)."""
    several = (types,) if isinstance(types, str) else types
    if not isinstance(several, Collection) or not several:
        raise ConfigurationError("token_types", "must name at least one `typ`; None means an absent one")
    if any(not isinstance(name, str | None) or name == "" for name in several):
        raise ConfigurationError("token_types", "must name at least one `typ`; None means an absent one")
    compiled = frozenset(None if name is None else media_type(name) for name in several)
    if compiled & _NEVER:
        raise ConfigurationError(
            "token_types", f"must not hold {', '.join(sorted(_NEVER))}: these are not access tokens"
        )
    return compiled


def _as_dict(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


def _claim_name(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise ConfigurationError("expected_claims", "must map a claim's name to its accepted values")
    return name


def _claim_values(values: object) -> tuple[Any, ...]:
    several = tuple(values) if isinstance(values, list | tuple | set | frozenset) else (values,)
    if not several:
        raise ConfigurationError("expected_claims", "must map a claim's name to its accepted values")
    for value in several:
        if not isinstance(value, str | int | float):
            raise ConfigurationError("expected_claims", "must have strings, numbers or booleans as values")
        _refuse_placeholder("expected_claims", value)
    return several


def _refuse_placeholder(setting: str, value: object, hint: str = "") -> None:
    if isinstance(value, str) and _PLACEHOLDER.search(value):
        raise ConfigurationError(setting, f"must not hold a placeholder that was not filled in, ${{…}} or {{…}}{hint}")


def _host(setting: str, address: object) -> str:
    try:
        parts = urlsplit(address) if isinstance(address, str) else None
        host = parts.hostname if parts else None
    except ValueError:
        parts = host = None
    if parts is None or parts.scheme.lower() not in ("http", "https") or not host or not _is_unicode(host):
        raise ConfigurationError(setting, "must be an https URL")
    return host


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
