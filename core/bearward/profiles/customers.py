"""Profiles of services that log in the users of an application."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal, Unpack

from bearward.errors import ConfigurationError
from bearward.profiles.arguments import host, label, origin, several, text
from bearward.profiles.build import Options, policy
from bearward.profiles.rows.customers import (
    APPLE,
    CLERK,
    COGNITO_ACCESS,
    COGNITO_ID,
    DESCOPE,
    FIREBASE,
    SUPABASE,
    WORKOS,
    WORKOS_PLAIN,
)
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["apple", "clerk", "cognito", "descope", "firebase", "supabase", "workos"]

_POOL = re.compile(r"([a-z]{2}(?:-[a-z]+)+-[0-9])_[A-Za-z0-9]+")
_EXAMPLE_OF_A_POOL = "eu-west-1_a1B2c3D4e"
_PROJECT = re.compile(r"[a-z0-9-]+")


def cognito(
    *,
    pool: str,
    clients: str | Collection[str],
    use: Literal["access", "id"] = "access",
    **options: Unpack[Options],
) -> TrustedIssuer:
    """Tokens of a Cognito user pool, issued to these app clients: access tokens, or with `use="id"` ID tokens.

    Raises `ConfigurationError`.

    >>> cognito(pool="eu-west-1_a1B2c3D4e", clients="3n4b5urk1ft4fl3mg5e62d9ado").issuer
    'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a1B2c3D4e'
    """
    parts = _pool_and_region(pool)
    ids = several("clients", clients, "3n4b5urk1ft4fl3mg5e62d9ado")
    if use == "access":
        return policy(COGNITO_ACCESS, parts, options, client_ids=ids)
    if use == "id":
        return policy(COGNITO_ID, parts, options, audience=ids)
    raise ConfigurationError("use", "must be 'access' or 'id'")


def firebase(*, project: str, **options: Unpack[Options]) -> TrustedIssuer:
    """ID tokens of the users of a Firebase project, by its id (not its number). Raises `ConfigurationError`.

    >>> firebase(project="notes-1a2b3").issuer
    'https://securetoken.google.com/notes-1a2b3'
    """
    name = label("project", project, "notes-1a2b3")
    if name.isdigit():
        raise ConfigurationError("project", "must be the project's id, not its number: 'notes-1a2b3'")
    return policy(FIREBASE, {"project": name}, options, audience=name)


def supabase(*, project: str, allow_anonymous: bool = False, **options: Unpack[Options]) -> TrustedIssuer:
    """Session tokens of the users of a Supabase project, by the reference that stands in its URL.

    Raises `ConfigurationError`.

    >>> supabase(project="abcdefghijklmnopqrst").issuer
    'https://abcdefghijklmnopqrst.supabase.co/auth/v1'
    """
    name = text("project", project, "abcdefghijklmnopqrst")
    if not _PROJECT.fullmatch(name):
        raise ConfigurationError("project", "must be the reference alone, not a URL: 'abcdefghijklmnopqrst'")
    known = {} if allow_anonymous else {"is_anonymous": (False,)}
    return policy(SUPABASE, {"project": name}, options, audience="authenticated", expected_claims=known)


def clerk(*, frontend_api: str, origins: str | Collection[str], **options: Unpack[Options]) -> TrustedIssuer:
    """Session tokens of a Clerk instance that were asked for by these web origins. Raises `ConfigurationError`.

    >>> clerk(frontend_api="clerk.notes.example", origins="https://notes.example").issuer
    'https://clerk.notes.example'
    """
    parts = {"frontend_api": host("frontend_api", frontend_api, "clerk.notes.example")}
    return policy(CLERK, parts, options, client_ids=several("origins", origins, "https://notes.example", origin))


def apple(*, client_id: str | Collection[str], **options: Unpack[Options]) -> TrustedIssuer:
    """ID tokens of Sign in with Apple for these applications. Raises `ConfigurationError`.

    >>> apple(client_id="example.notes.app").issuer
    'https://appleid.apple.com'
    """
    return policy(APPLE, {}, options, audience=several("client_id", client_id, "example.notes.app", label))


def workos(*, client_id: str, **options: Unpack[Options]) -> tuple[TrustedIssuer, ...]:
    """Session tokens of WorkOS AuthKit for one client, whichever form `iss` has. Raises `ConfigurationError`.

    >>> [trusted.issuer for trusted in workos(client_id="client_123456789")]
    ['https://api.workos.com/user_management/client_123456789', 'https://api.workos.com']
    """
    parts = {"client_id": label("client_id", client_id, "client_123456789")}
    if not parts["client_id"].startswith("client_"):
        raise ConfigurationError("client_id", "must be the client's id: 'client_123456789'")
    return tuple(policy(row, parts, options) for row in (WORKOS, WORKOS_PLAIN))


def descope(*, project: str, **options: Unpack[Options]) -> TrustedIssuer:
    """Session tokens of a Descope project, by its id. Raises `ConfigurationError`.

    >>> descope(project="P2abcdefghijklmnopqrstuvwxyz").jwks_uri
    'https://api.descope.com/P2abcdefghijklmnopqrstuvwxyz/.well-known/jwks.json'
    """
    name = label("project", project, "P2abcdefghijklmnopqrstuvwxyz")
    if not name.startswith("P"):
        raise ConfigurationError("project", "must be the project's id: 'P2abcdefghijklmnopqrstuvwxyz'")
    return policy(DESCOPE, {"project": name}, options)


def _pool_and_region(pool: object) -> dict[str, str]:
    name = text("pool", pool, _EXAMPLE_OF_A_POOL)
    if "://" in name or name.startswith("arn:"):
        raise ConfigurationError("pool", f"must be the pool's id, not a URL or an ARN: {_EXAMPLE_OF_A_POOL!r}")
    match = _POOL.fullmatch(name)
    if match is None:
        raise ConfigurationError("pool", f"must be the pool's id with its region: {_EXAMPLE_OF_A_POOL!r}")
    if name.startswith("cn-"):
        raise ConfigurationError("pool", "must not be in China, where Cognito has another domain: use TrustedIssuer")
    return {"pool": name, "region": match[1]}
