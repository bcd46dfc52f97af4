"""The issuers' profiles that the servers trust: the local issuer stands in for each of them.

Rule of this file: data. What a token of a profile looks like is known to its policy, and to the test issuer of the core.
"""

from __future__ import annotations

from collections.abc import Mapping

from bearward import TrustedIssuer
from bearward.profiles.by_name import trusted_by_profile

__all__ = ["LOCAL", "PROFILES", "arguments_of", "policy_of"]

LOCAL = "local"
"""The local issuer itself: an access token of RFC 9068."""

_API = "https://api.example"
_TENANT, _APPLICATION = "9122040d-6c67-4c5b-b112-36a304b66dad", "6e74172b-be56-4843-9ff4-e66a39bb12e3"
_OTHER_TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
_TAG = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2"

PROFILES: Mapping[str, Mapping[str, str | list[str]]] = {
    "apple": {"client_id": "example.notes.app"},
    "auth0": {"domain": "my-domain.auth0.com", "audience": _API},
    "authentik": {"host": "authentik.example", "application": "notes", "client_id": "x1Yz"},
    "clerk": {"frontend_api": "clerk.notes.example", "origins": "https://notes.example"},
    "client_assertion": {"client_id": "notes-web", "audience": "https://login.example/"},
    "cloudflare_access": {"team": "notes", "applications": _TAG},
    "cognito": {"pool": "eu-central-1_example", "clients": "3n4b5urk1ft4fl3mg5e62d9ado"},
    "descope": {"project": "P2abcdefghijklmnopqrstuvwxyz"},
    "entra": {"tenant": _TENANT, "api": _APPLICATION},
    "entra_multi_tenant": {"tenants": [_OTHER_TENANT], "api": _APPLICATION},
    "firebase": {"project": "notes-1a2b3"},
    "github_actions": {"audience": _API, "repository_ids": "123"},
    "gitlab": {"audience": _API, "project_ids": "22"},
    "google_id_token": {"audience": _API, "emails": "notes@project.iam.gserviceaccount.com"},
    "hydra": {"issuer": "https://hydra.example/", "audience": _API},
    "iap": {"audience": "/projects/123456789/global/backendServices/987654321"},
    "keycloak": {"host": "keycloak.example", "realm": "demo", "audience": _API},
    "kubernetes": {"issuer": "https://kubernetes.default.svc", "audience": _API},
    "oidc_id_token": {"issuer": "https://id.example/", "client_id": "notes-web"},
    "okta": {"org": "dev-1.okta.com", "audience": "api://default"},
    "rfc9068": {"issuer": "https://login.example/", "audience": _API},
    "spiffe": {"trust_domain": "example.org", "audience": _API, "workloads": "spiffe://example.org/notes"},
    "supabase": {"project": "abcdefghijklmnopqrst"},
    "workos": {"client_id": "client_123456789"},
    "zitadel": {"host": "my-instance.zitadel.cloud", "project": "240632459014275073"},
    "zuplo": {"host": "my-api.zuplo.dev", "audience": _API},
}
"""The profiles that the servers trust, with the arguments of an imagined user."""


def arguments_of(profile: str, jwks_uri: str) -> dict[str, str | list[str]]:
    """The arguments of a profile, with its keys at `jwks_uri`."""
    return {**PROFILES[profile], "bundle" if profile == "spiffe" else "jwks_uri": jwks_uri}


def policy_of(profile: str, jwks_uri: str) -> TrustedIssuer:
    """What the servers hold this profile's tokens to; the first of them where there are several."""
    policy = trusted_by_profile(profile, arguments_of(profile, jwks_uri))[0]
    if isinstance(policy, TrustedIssuer):
        return policy
    tenant = policy.issuer_for(policy.template.replace("{tenant}", _OTHER_TENANT))
    assert tenant is not None, "it is among the tenants"
    return tenant
