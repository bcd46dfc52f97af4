"""Profiles of standards: for issuers that follow one, whoever they are."""

from __future__ import annotations

from collections.abc import Collection
from typing import Unpack

from bearward.errors import ConfigurationError
from bearward.profiles.arguments import issuer_url, several, text
from bearward.profiles.build import Options, policy
from bearward.profiles.rows.standards import CLIENT_ASSERTION, OIDC_ID_TOKEN, RFC9068
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["client_assertion", "oidc_id_token", "rfc9068"]


def rfc9068(*, issuer: str, audience: str | Collection[str], **options: Unpack[Options]) -> TrustedIssuer:
    """Access tokens of an authorization server that follows RFC 9068: `at+jwt`, with all seven claims.

    Raises `ConfigurationError`.

    >>> trusted = rfc9068(issuer="https://login.example", audience="https://api.example")
    >>> sorted(trusted.token_types)
    ['at+jwt']
    """
    at = issuer_url("issuer", issuer, "https://login.example")
    return policy(RFC9068, {"issuer": at}, options, audience=several("audience", audience, "https://api.example"))


def oidc_id_token(*, issuer: str, client_id: str, **options: Unpack[Options]) -> TrustedIssuer:
    """ID tokens of an OpenID provider for one of its clients, your application (OpenID Connect Core section 3.1.3.7).

    `check_nonce` and `check_access_token` compare what only your application knows. Raises `ConfigurationError`.

    >>> sorted(oidc_id_token(issuer="https://login.example", client_id="notes-web").authorized_parties)
    ['notes-web']
    """
    at = issuer_url("issuer", issuer, "https://login.example")
    client = text("client_id", client_id, "notes-web")
    return policy(OIDC_ID_TOKEN, {"issuer": at}, options, audience=client, authorized_parties=client)


def client_assertion(*, client_id: str, audience: str | Collection[str], **options: Unpack[Options]) -> TrustedIssuer:
    """Signed JWTs by which one client authenticates at an authorization server (RFC 7523 section 2.2).

    `audience` is that server's issuer, or its token endpoint; the client's keys are `jwks_uri` or `jwks`. Each assertion
    counts once: its `jti` is remembered until it has expired. Raises `ConfigurationError`.
    """
    client = text("client_id", client_id, "notes-web")
    if "jwks" not in options and "jwks_uri" not in options:
        raise ConfigurationError("jwks_uri", "must be given, or jwks: a client's keys cannot be discovered")
    servers = several("audience", audience, "https://login.example", issuer_url)
    return policy(
        CLIENT_ASSERTION, {"client_id": client}, options, audience=servers, expected_claims={"sub": (client,)}
    )
