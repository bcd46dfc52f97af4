"""Profiles of identity servers that people run themselves."""

from __future__ import annotations

from collections.abc import Collection
from typing import Unpack

from bearward.errors import ConfigurationError
from bearward.profiles.arguments import identifier, issuer_url, label, server, several, text
from bearward.profiles.build import Options, policy
from bearward.profiles.rows.self_hosted import AUTHENTIK, HYDRA, KEYCLOAK, ZITADEL
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["authentik", "hydra", "keycloak", "zitadel"]


def keycloak(*, host: str, realm: str, audience: str | Collection[str], **options: Unpack[Options]) -> TrustedIssuer:
    """Access tokens of a Keycloak realm for an API. Raises `ConfigurationError`.

    `host` may have a port and a path (`keycloak.example/auth` before release 17).

    >>> keycloak(host="keycloak.example", realm="demo", audience="https://api.example").issuer
    'https://keycloak.example/realms/demo'
    """
    if isinstance(host, str) and "/realms" in host:
        raise ConfigurationError("host", "must end before /realms, the realm is a separate argument")
    parts = {"host": server("host", host, "keycloak.example"), "realm": label("realm", realm, "demo")}
    apis = several("audience", audience, "https://api.example")
    if "account" in apis:
        raise ConfigurationError("audience", "must not be 'account', which is in every user's token: add a mapper")
    return policy(KEYCLOAK, parts, options, audience=apis)


def zitadel(*, host: str, project: str | int, **options: Unpack[Options]) -> TrustedIssuer:
    """Access tokens (as JWT) of a ZITADEL instance for a project, by its id. Raises `ConfigurationError`.

    >>> zitadel(host="my-instance.zitadel.cloud", project="240632459014275073").issuer
    'https://my-instance.zitadel.cloud'
    """
    parts = {"host": server("host", host, "my-instance.zitadel.cloud")}
    return policy(ZITADEL, parts, options, audience=identifier("project", project, "240632459014275073"))


def authentik(*, host: str, application: str, client_id: str, **options: Unpack[Options]) -> TrustedIssuer:
    """Access tokens of one application of authentik, by its slug and its provider's client id.

    Raises `ConfigurationError`.

    >>> authentik(host="authentik.example", application="notes", client_id="x1Yz").issuer
    'https://authentik.example/application/o/notes/'
    """
    if isinstance(host, str) and "/application" in host:
        raise ConfigurationError("host", "must end before /application, the slug is a separate argument")
    parts = {
        "host": server("host", host, "authentik.example"),
        "application": label("application", application, "notes"),
    }
    client = text("client_id", client_id, "x1Yz")
    return policy(AUTHENTIK, parts, options, audience=client, expected_claims={"azp": (client,)})


def hydra(*, issuer: str, audience: str | Collection[str], **options: Unpack[Options]) -> TrustedIssuer:
    """Access tokens (as JWT) of an Ory Hydra whose `urls.self.issuer` is `issuer`, to the letter.

    Raises `ConfigurationError`.

    >>> hydra(issuer="https://hydra.example/", audience="https://api.example").issuer
    'https://hydra.example/'
    """
    parts = {"issuer": issuer_url("issuer", issuer, "https://hydra.example/")}
    return policy(HYDRA, parts, options, audience=several("audience", audience, "https://api.example"))
