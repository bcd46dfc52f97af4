"""Profiles of identity services for companies and their applications."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Unpack

from bearward.errors import ConfigurationError
from bearward.issuers.tenants import TenantIssuers
from bearward.profiles.arguments import guid, host, label, several, text
from bearward.profiles.build import Options, policy, settings_of
from bearward.profiles.profile import Profile
from bearward.profiles.rows.enterprise import AUTH0, ENTRA_V1, ENTRA_V2, OKTA
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["auth0", "entra", "entra_multi_tenant", "okta"]

_TENANT, _API = "9122040d-6c67-4c5b-b112-36a304b66dad", "6e74172b-be56-4843-9ff4-e66a39bb12e3"
_CLIENT_ID_OF_AUTH0 = re.compile(r"[A-Za-z0-9]{32}")
_ROWS = {"2.0": ENTRA_V2, "1.0": ENTRA_V1}
_VERSIONS = ("1.0", "2.0")


def auth0(*, domain: str, audience: str | Collection[str], **options: Unpack[Options]) -> TrustedIssuer:
    """Access tokens of an Auth0 tenant for an API, whose identifier is `audience`. Raises `ConfigurationError`.

    >>> auth0(domain="my-domain.eu.auth0.com", audience="https://api.example").issuer
    'https://my-domain.eu.auth0.com/'
    """
    apis = several("audience", audience, "https://api.example", _identifier_of_an_api)
    return policy(AUTH0, {"domain": host("domain", domain, "my-domain.eu.auth0.com")}, options, audience=apis)


def okta(
    *, org: str, audience: str | Collection[str], authorization_server: str = "default", **options: Unpack[Options]
) -> TrustedIssuer:
    """Access tokens of a custom authorization server of an Okta org. Raises `ConfigurationError`.

    >>> okta(org="dev-1.okta.com", audience="api://default").issuer
    'https://dev-1.okta.com/oauth2/default'
    """
    parts = {
        "org": host("org", org, "dev-1.okta.com"),
        "authorization_server": label("authorization_server", authorization_server, "default"),
    }
    if parts["org"].partition(".")[0].endswith("-admin"):
        raise ConfigurationError("org", "must be the org itself, not its admin console: without '-admin'")
    return policy(OKTA, parts, options, audience=several("audience", audience, "api://default"))


def entra(
    *,
    tenant: str,
    api: str,
    app_id_uri: str | None = None,
    versions: Collection[str] = _VERSIONS,
    **options: Unpack[Options],
) -> tuple[TrustedIssuer, ...]:
    """Access tokens of one Entra tenant for an API, v1.0 and v2.0, since the API's manifest decides which it gets.

    `tenant` and `api` (its client id) are GUIDs; `app_id_uri` is what v1.0 tokens may have as their audience, `api://`
    with the client id where it is not given. Raises `ConfigurationError`.

    >>> for trusted in entra(
    ...     tenant="9122040d-6c67-4c5b-b112-36a304b66dad", api="6e74172b-be56-4843-9ff4-e66a39bb12e3"
    ... ):
    ...     trusted.issuer
    'https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0'
    'https://sts.windows.net/9122040d-6c67-4c5b-b112-36a304b66dad/'
    """
    parts = {"tenant": guid("tenant", tenant, _TENANT)}
    audiences = _audiences(api, app_id_uri)
    of_tenant = {"tid": (parts["tenant"],)}
    return tuple(
        policy(row, parts, options, audience=audiences[row.title], expected_claims=of_tenant) for row in _rows(versions)
    )


def entra_multi_tenant(
    *,
    api: str,
    tenants: Collection[str] = (),
    every_tenant: bool = False,
    app_id_uri: str | None = None,
    versions: Collection[str] = _VERSIONS,
    **options: Unpack[Options],
) -> tuple[TenantIssuers, ...]:
    """Access tokens of several Entra tenants for a multi-tenant API, v1.0 and v2.0; as `entra` in all else.

    Either `tenants` are named, or `every_tenant` says that anybody who has one is a caller. Raises `ConfigurationError`.
    """
    named = several("tenants", tenants, _TENANT, guid) if tenants else None
    if (named is None) is not every_tenant:
        raise ConfigurationError("tenants", "must name tenants, or every_tenant must be True: one of both")
    audiences = _audiences(api, app_id_uri)
    of_tenant = {"tid": ("{tenant}",)}
    return tuple(
        TenantIssuers(
            row.issuer,
            tenants=named,
            **settings_of(row, {}, options, {"audience": audiences[row.title], "expected_claims": of_tenant}),
        )
        for row in _rows(versions)
    )


def _audiences(api: str, app_id_uri: str | None) -> dict[str, frozenset[str]]:
    """By row: v2.0 tokens are for the client id, v1.0 tokens for that or for the application id URI."""
    client_id = guid("api", api, _API)
    uri = f"api://{client_id}" if app_id_uri is None else text("app_id_uri", app_id_uri, "api://notes.example")
    return {ENTRA_V2.title: frozenset({client_id}), ENTRA_V1.title: frozenset({client_id, uri})}


def _rows(versions: Collection[str]) -> tuple[Profile, ...]:
    asked = (versions,) if isinstance(versions, str) else tuple(versions)
    if not asked or not set(asked) <= _ROWS.keys():
        raise ConfigurationError("versions", "must be '1.0', '2.0' or both")
    return tuple(row for version, row in _ROWS.items() if version in asked)


def _identifier_of_an_api(setting: str, value: object, example: str) -> str:
    identifier = text(setting, value, example)
    if _CLIENT_ID_OF_AUTH0.fullmatch(identifier):
        raise ConfigurationError(
            setting,
            f"must be an API's identifier, not an application's client id, whose ID tokens have it: {example!r}",
        )
    return identifier
