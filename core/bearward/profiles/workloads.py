"""Profiles of programs that say who they are: services, pods, pipelines, gateways."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Unpack

from bearward.errors import ConfigurationError
from bearward.profiles.arguments import host as host_name
from bearward.profiles.arguments import identifier, issuer_url, server, several, text
from bearward.profiles.build import Options, policy
from bearward.profiles.profile import Profile
from bearward.profiles.rows.workloads import (
    GITHUB_ACTIONS,
    GITLAB,
    GOOGLE,
    GOOGLE_WITHOUT_SCHEME,
    KUBERNETES,
    SPIFFE,
    ZUPLO,
)
from bearward.spiffe import is_trust_domain, trust_domain_of
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["github_actions", "gitlab", "google_id_token", "kubernetes", "spiffe", "zuplo"]

_GITHUB = "https://token.actions.githubusercontent.com"
_APPLICATION = re.compile(r"[0-9]+(?:-[a-z0-9]+)?\.apps\.googleusercontent\.com")
_EXAMPLE_OF_EMAIL = "notes@project.iam.gserviceaccount.com"
_ACCOUNT = re.compile(r"([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)/([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)")


def google_id_token(
    *,
    audience: str | Collection[str],
    emails: str | Collection[str] = (),
    legacy_iss: bool = False,
    **options: Unpack[Options],
) -> tuple[TrustedIssuer, ...]:
    """Google's ID tokens: of the service accounts with these `emails`, or of people who log in to your application.

    Anybody can get one for any audience but the client id of somebody's application: so `emails` must be given unless
    every audience is one of those. `legacy_iss` also trusts the `iss` without its scheme. Raises `ConfigurationError`.

    >>> service = google_id_token(
    ...     audience="https://notes.example", emails="notes@project.iam.gserviceaccount.com"
    ... )
    >>> [trusted.issuer for trusted in service]
    ['https://accounts.google.com']
    """
    wanted = several("audience", audience, "https://notes.example")
    expected: dict[str, Any] = {}
    if emails:
        expected = {
            "email": tuple(sorted(several("emails", emails, _EXAMPLE_OF_EMAIL, _email))),
            "email_verified": True,
        }
    elif not all(map(_APPLICATION.fullmatch, wanted)):
        raise ConfigurationError(
            "emails", f"must name who may call, such as {_EXAMPLE_OF_EMAIL!r}: anybody has a token"
        )
    rows = (GOOGLE, GOOGLE_WITHOUT_SCHEME) if legacy_iss else (GOOGLE,)
    return tuple(policy(row, {}, options, audience=wanted, expected_claims=expected) for row in rows)


def kubernetes(
    *, issuer: str, audience: str | Collection[str], accounts: str | Collection[str] = (), **options: Unpack[Options]
) -> TrustedIssuer:
    """Projected tokens of a cluster's service accounts, or of those in `accounts` (`namespace/name`).

    Raises `ConfigurationError`.

    >>> cluster = kubernetes(issuer="https://kubernetes.default.svc", audience="https://api.example", accounts="shop/cart")
    >>> dict(cluster.expected_claims)
    {'sub': ('system:serviceaccount:shop:cart',)}
    """
    at = issuer_url("issuer", issuer, "https://kubernetes.default.svc")
    names = sorted(several("accounts", accounts, "shop/cart", _account)) if accounts else ()
    expected = {"sub": tuple(names)} if names else {}
    apis = several("audience", audience, "https://api.example")
    if at in apis:
        raise ConfigurationError("audience", "must not be the issuer: tokens for the API server itself have it")
    return policy(KUBERNETES, {"issuer": at}, options, audience=apis, expected_claims=expected)


def github_actions(
    *,
    audience: str | Collection[str],
    repository_ids: str | int | Collection[str | int] = (),
    owner_ids: str | int | Collection[str | int] = (),
    host: str | None = None,
    **options: Unpack[Options],
) -> TrustedIssuer:
    """Tokens of GitHub Actions jobs, of these repositories, or of all that these owners have; ids, not names.

    `host` is a GitHub Enterprise Server. Raises `ConfigurationError`.

    >>> jobs = github_actions(audience="https://api.example", owner_ids=123456)
    >>> dict(jobs.expected_claims)
    {'repository_owner_id': ('123456',)}
    """
    at = _GITHUB if host is None else f"https://{host_name('host', host, 'github.example')}/_services/token"
    expected = _owners({"repository_ids": repository_ids, "owner_ids": owner_ids}, GITHUB_ACTIONS)
    apis = several("audience", audience, "https://api.example")
    return policy(GITHUB_ACTIONS, {"issuer": at}, options, audience=apis, expected_claims=expected)


def gitlab(
    *,
    audience: str | Collection[str],
    project_ids: str | int | Collection[str | int] = (),
    namespace_ids: str | int | Collection[str | int] = (),
    host: str = "gitlab.com",
    **options: Unpack[Options],
) -> TrustedIssuer:
    """Tokens of GitLab CI/CD jobs, of these projects, or of all in these namespaces; ids, not paths.

    Raises `ConfigurationError`.

    >>> gitlab(audience="https://api.example", project_ids=22).issuer
    'https://gitlab.com'
    """
    expected = _owners({"project_ids": project_ids, "namespace_ids": namespace_ids}, GITLAB)
    apis = several("audience", audience, "https://api.example")
    return policy(
        GITLAB, {"host": server("host", host, "gitlab.com")}, options, audience=apis, expected_claims=expected
    )


def zuplo(*, host: str, audience: str | Collection[str], **options: Unpack[Options]) -> TrustedIssuer:
    """Tokens that a Zuplo gateway mints for the services behind it. Raises `ConfigurationError`.

    >>> zuplo(host="my-api-a32f34.zuplo.api", audience="https://api.example").issuer
    'https://my-api-a32f34.zuplo.api/__zuplo/issuer'
    """
    parts = {"host": host_name("host", host, "my-api-a32f34.zuplo.api")}
    return policy(ZUPLO, parts, options, audience=several("audience", audience, "https://api.example"))


def spiffe(
    *,
    trust_domain: str,
    bundle: str,
    audience: str | Collection[str],
    workloads: str | Collection[str] = (),
    **options: Unpack[Options],
) -> TrustedIssuer:
    """JWT-SVIDs of a trust domain (`example.org`, or `spiffe://example.org`), or of some of its workloads by SPIFFE ID.

    `bundle` is the https address of the domain's bundle. Raises `ConfigurationError`.

    >>> spiffe(trust_domain="example.org", bundle="https://spire.example/bundle", audience="https://api.example").issuer
    'spiffe://example.org'
    """
    domain = "spiffe://" + text("trust_domain", trust_domain, "example.org").removeprefix("spiffe://")
    if not is_trust_domain(domain):
        raise ConfigurationError(
            "trust_domain", "must be the domain alone, in lower case, without a path: 'example.org'"
        )
    example = f"{domain}/ns/shop/sa/cart"
    ids = sorted(several("workloads", workloads, example)) if workloads else []
    if any(trust_domain_of(each) != domain for each in ids):
        raise ConfigurationError("workloads", f"must be SPIFFE IDs of the trust domain, such as {example!r}")
    parts = {"trust_domain": domain, "bundle": issuer_url("bundle", bundle, "https://spire.example/bundle")}
    apis = several("audience", audience, "https://api.example")
    return policy(SPIFFE, parts, options, audience=apis, expected_claims={"sub": tuple(ids)} if ids else {})


_CLAIMS = {
    "repository_ids": "repository_id",
    "owner_ids": "repository_owner_id",
    "project_ids": "project_id",
    "namespace_ids": "namespace_id",
}


def _owners(given: dict[str, str | int | Collection[str | int]], profile: Profile) -> dict[str, tuple[str, ...]]:
    """The claims that say whose job it is; the issuer gives tokens to everyone, so at least one is needed."""
    expected = {}
    for argument, ids in given.items():
        several_ids = (ids,) if isinstance(ids, str | int) else ids
        if several_ids:
            checked = several(argument, several_ids, "456789", identifier)
            expected[_CLAIMS[argument]] = tuple(sorted(checked))
    if not expected:
        names = " or ".join(given)
        raise ConfigurationError(names, f"must say whose jobs may call: {profile.title} gives tokens to everyone")
    return expected


def _email(setting: str, value: object, example: str) -> str:
    address = text(setting, value, example)
    name, at, domain = address.partition("@")
    if not name or not at or "." not in domain:
        raise ConfigurationError(setting, f"must be an e-mail address such as {example!r}")
    return address


def _account(setting: str, value: object, example: str) -> str:
    match = _ACCOUNT.fullmatch(
        text(setting, value, example).removeprefix("system:serviceaccount:").replace(":", "/", 1)
    )
    if match is None:
        raise ConfigurationError(setting, f"must be namespace and name of a service account, such as {example!r}")
    return f"system:serviceaccount:{match[1]}:{match[2]}"
