"""Identity services for companies and their applications.

Rule of this file: data.
"""

from __future__ import annotations

from types import MappingProxyType

from bearward.profiles.profile import Profile, Right, Source, TokenKind

__all__ = ["AUTH0", "ENTRA_V1", "ENTRA_V2", "OKTA"]

_ENTRA_TOKENS = "https://learn.microsoft.com/en-us/entra/identity-platform/access-tokens"
_ENTRA_CLAIMS = "https://learn.microsoft.com/en-us/entra/identity-platform/access-token-claims-reference"

ENTRA_V2 = Profile(
    name="entra",
    title="Microsoft Entra ID, v2.0",
    kind=TokenKind.ACCESS,
    issuer="https://login.microsoftonline.com/{tenant}/v2.0",
    algorithms=("RS256",),
    token_types=("JWT",),
    required_claims=("azp", "tid"),
    expected_claims=MappingProxyType({"ver": ("2.0",)}),
    audience="the API's client id, a GUID",
    subject="`sub`, which differs from API to API; `oid` with `tid` does not",
    client="azp",
    granted=("scp", "roles"),
    rights=(
        Right("Entra, of a user", "`scp`, one string", 'scope("notes:read")'),
        Right("Entra, of an application", "`roles`, a list", 'claim("roles", "Notes.Read.All")'),
    ),
    apart="""`azp` is in every access token and in no ID token; without it an ID token would pass where one registration
is both the API and its client. A token of version 1.0 has another issuer.""",
    notes="""Which version an API gets is its own setting, `accessTokenAcceptedVersion` in the manifest, whatever
endpoint the client asked: `entra` trusts both, or those of `versions`. For several tenants use `entra_multi_tenant`,
where each tenant's keys come from its own metadata; the metadata of `common` and `organizations` name a template as
issuer and are refused. A token for Microsoft Graph is for Graph only. Tokens that are bound to a certificate come under
a scheme of their own, `mtls_pop`, and need `certificate_bound` or `client_certificate` ([grpc.md](grpc.md),
[sanic.md](sanic.md)).""",
    sources=(
        Source("Access tokens in the Microsoft identity platform", _ENTRA_TOKENS, "a whole token; metadata and keys"),
        Source("Access token claims reference", _ENTRA_CLAIMS, "each claim, and which belong to v2.0"),
        Source(
            "OpenID Connect on the Microsoft identity platform",
            "https://learn.microsoft.com/en-us/entra/identity-platform/v2-protocols-oidc",
            "the metadata",
        ),
    ),
)

ENTRA_V1 = Profile(
    name="entra",
    title="Microsoft Entra ID, v1.0",
    kind=TokenKind.ACCESS,
    issuer="https://sts.windows.net/{tenant}/",
    jwks_uri="https://login.microsoftonline.com/{tenant}/discovery/keys",
    algorithms=("RS256",),
    token_types=("JWT",),
    required_claims=("appid", "tid"),
    expected_claims=MappingProxyType({"ver": ("1.0",)}),
    audience="the application id URI, or the client id, as the client asked",
    subject="`sub`, which differs from API to API; `oid` with `tid` does not",
    client="appid",
    client_claim="appid",
    granted=("scp", "roles"),
    apart="`appid` is in every access token and in no ID token. A token of version 2.0 has another issuer.",
    notes="""The slash at the end of the issuer is part of it. Keys and metadata are on a different host. `entra` accepts
the API's client id, and `app_id_uri` or `api://` with the client id.""",
    sources=(
        Source("Access tokens in the Microsoft identity platform", _ENTRA_TOKENS, "a whole token; metadata and keys"),
        Source("Access token claims reference", _ENTRA_CLAIMS, "each claim, and which belong to v1.0"),
    ),
)

AUTH0 = Profile(
    name="auth0",
    title="Auth0",
    kind=TokenKind.ACCESS,
    issuer="https://{domain}/",
    algorithms=("RS256", "PS256"),
    token_types=("JWT", "at+jwt"),
    required_claims=("iat", "sub"),
    audience="the API's identifier, as registered; in a list with the userinfo endpoint where a user logged in",
    client="`azp`, or `client_id` in the RFC 9068 profile",
    rights=(
        Right(
            "Auth0",
            "`scope`; with RBAC `permissions`, a list",
            'scope("notes:read"), claim("permissions", "read:notes")',
        ),
    ),
    apart="""An ID token is for the application: its audience is a client id, which `auth0` refuses to take for an
API's identifier.""",
    notes="""The slash at the end of the issuer is part of it, and is added. A client that asks for no audience gets an
opaque or an encrypted token, which no API can read. Both token profiles are accepted. A custom domain is the issuer, so
give it as `domain`; for several of them, use several profiles.""",
    sources=(
        Source(
            "Auth0: Access Token Profiles",
            "https://auth0.com/docs/secure/tokens/access-tokens/access-token-profiles",
            "a token of each profile",
        ),
        Source(
            "Auth0: JSON Web Key Set Properties",
            "https://auth0.com/docs/secure/tokens/json-web-tokens/json-web-key-set-properties",
            "a whole key set",
        ),
        Source(
            "Auth0: ID Token Structure",
            "https://auth0.com/docs/secure/tokens/id-tokens/id-token-structure",
            "an ID token; its aud is the application",
        ),
    ),
)

OKTA = Profile(
    name="okta",
    title="Okta",
    kind=TokenKind.ACCESS,
    issuer="https://{org}/oauth2/{authorization_server}",
    algorithms=("RS256",),
    token_types=(None,),
    required_claims=("cid", "jti"),
    audience="the audience of the authorization server, `api://default` or your own",
    client="cid",
    client_claim="cid",
    rights=(Right("Okta", "`scp`, a list", 'scope("notes:read")'),),
    apart="`cid` is in every access token and in no ID token. The org's own server has another issuer and a `typ`.",
    notes="""Use a custom authorization server (`default` is one). Okta says that tokens of the org's own server are not
for APIs.""",
    sources=(
        Source(
            "Okta: OAuth 2.0 and OpenID Connect claims",
            "https://developer.okta.com/docs/concepts/oauth-claims/",
            "a whole payload of an access token",
        ),
        Source(
            "Okta: OpenID Connect and OAuth 2.0 API",
            "https://developer.okta.com/docs/api/openapi/okta-oauth/guides/overview/",
            "the header and each claim; a whole key set; the metadata",
        ),
        Source(
            "Okta: Validate access tokens",
            "https://developer.okta.com/docs/guides/validate-access-tokens/",
            "that tokens of the org's own server must not be accepted",
        ),
    ),
)
