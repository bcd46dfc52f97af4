"""Issuers by name: one function for each, from the few things that its user knows to a policy.

    from bearward import Verifier, profiles

    verifier = Verifier(profiles.keycloak(host="keycloak.example", realm="demo", audience="https://api.example"))

A profile knows the issuer's form, where its keys are, its algorithms, and what tells its access tokens from its ID
tokens and from the tokens of its other versions. Each returns a `TrustedIssuer`, a `TenantIssuers`, or (where an issuer
has several) a tuple of them. `docs/issuers.md` has the table, with sources.
"""

from __future__ import annotations

from bearward.profiles.asserters import aws_alb, aws_verified_access, cloudflare_access, iap
from bearward.profiles.by_name import trusted_by_profile
from bearward.profiles.customers import apple, clerk, cognito, descope, firebase, supabase, workos
from bearward.profiles.enterprise import auth0, entra, entra_multi_tenant, okta
from bearward.profiles.id_token import check_access_token, check_nonce
from bearward.profiles.self_hosted import authentik, hydra, keycloak, zitadel
from bearward.profiles.standards import client_assertion, oidc_id_token, rfc9068
from bearward.profiles.workloads import github_actions, gitlab, google_id_token, kubernetes, spiffe, zuplo

__all__ = [
    "apple",
    "auth0",
    "authentik",
    "aws_alb",
    "aws_verified_access",
    "check_access_token",
    "check_nonce",
    "clerk",
    "client_assertion",
    "cloudflare_access",
    "cognito",
    "descope",
    "entra",
    "entra_multi_tenant",
    "firebase",
    "github_actions",
    "gitlab",
    "google_id_token",
    "hydra",
    "iap",
    "keycloak",
    "kubernetes",
    "oidc_id_token",
    "okta",
    "rfc9068",
    "spiffe",
    "supabase",
    "trusted_by_profile",
    "workos",
    "zitadel",
    "zuplo",
]
