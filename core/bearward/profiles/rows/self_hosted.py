"""Identity servers that people run themselves.

Rule of this file: data.
"""

from __future__ import annotations

from types import MappingProxyType

from bearward.claim_names import RightsFrom
from bearward.profiles.profile import Certainty, Profile, Right, Source, TokenKind

__all__ = ["AUTHENTIK", "HYDRA", "KEYCLOAK", "ZITADEL"]

_ASYMMETRIC_OF_KEYCLOAK = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")

KEYCLOAK = Profile(
    name="keycloak",
    title="Keycloak",
    kind=TokenKind.ACCESS,
    issuer="{host}/realms/{realm}",
    algorithms=_ASYMMETRIC_OF_KEYCLOAK,
    token_types=("JWT", "at+jwt"),
    required_claims=("azp", "iat", "jti"),
    expected_claims=MappingProxyType({"typ": ("Bearer", "DPoP")}),
    audience="what an audience mapper puts there",
    client="azp",
    granted=("scope", RightsFrom(("realm_access", "roles"), prefix="role:")),
    rights=(
        Right(
            "Keycloak",
            "`scope`; roles below `realm_access`",
            'scope("notes:read"), claim("realm_access.roles", "offline_access")',
        ),
    ),
    apart="""The claim `typ` says what a token is: `Bearer` (or `DPoP`, bound to a key) for access, `ID`, `Refresh`,
`Logout` for the rest. So an ID token is refused even if the API is its own client.""",
    notes="""Give the client an audience mapper (or a client scope with one) for the API's name. Without it `aud` is
`account`, or absent if the user has no roles, and both are refused. So is the refresh token, a JWT signed with HS512.
Tokens that are bound to a certificate need `certificate_bound` or `client_certificate` ([grpc.md](grpc.md),
[sanic.md](sanic.md)). Servers older than 17 have `/auth` before `/realms`: `host="keycloak.example/auth"`.

The roles of a client are below `resource_access`. A `TrustedIssuer` has them as rights by
`rights=["scope", RightsFrom(("resource_access", "orders.api", "roles"))]`: the path is a tuple of names, and a dot in a
name is text.""",
    sources=(
        Source(
            "JavaDoc of org.keycloak.representations.AccessToken",
            "https://www.keycloak.org/docs-api/latest/javadocs/org/keycloak/representations/AccessToken.html",
            "the claims beyond those of OpenID: realm_access, resource_access, allowed-origins, cnf",
        ),
        Source(
            "Keycloak: OIDC layers",
            "https://www.keycloak.org/securing-apps/oidc-layers",
            "the paths of the metadata and of the keys",
        ),
        Source(
            "Keycloak: TokenUtil.java",
            "https://github.com/keycloak/keycloak/blob/main/core/src/main/java/org/keycloak/util/TokenUtil.java",
            "the values of the claim typ",
            Certainty.SOURCE,
        ),
        Source(
            "Phase Two: Get a Keycloak token and read every claim",
            "https://phasetwo.io/tutorials/getting-started/your-first-token/",
            "whole tokens of Keycloak 26; why aud is not the API's",
            Certainty.EXAMPLE,
        ),
    ),
)

ZITADEL = Profile(
    name="zitadel",
    title="ZITADEL",
    kind=TokenKind.ACCESS,
    issuer="{host}",
    algorithms=("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"),
    token_types=(None, "JWT", "at+jwt"),
    required_claims=("iat", "jti", "sub"),
    audience="the id of the project that the API belongs to, in a list with client ids",
    granted=("urn:zitadel:iam:org:project:roles",),
    rights=(Right("ZITADEL", "keys of `urn:zitadel:iam:org:project:roles`", 'right("reader")'),),
    apart="`jti` is in every access token and in no ID token, whose audience holds the project too.",
    notes="""Tokens are opaque unless the application's token type is JWT. A client asks for the project with the scope
`urn:zitadel:iam:org:project:id:PROJECT:aud`. Roles are the keys of an object, `urn:zitadel:iam:org:project:roles`.""",
    sources=(
        Source("ZITADEL: Claims", "https://zitadel.com/docs/apis/openidoauth/claims", "the claims, and that of roles"),
        Source("ZITADEL: Scopes", "https://zitadel.com/docs/apis/openidoauth/scopes", "how a project gets into aud"),
        Source(
            "zitadel: internal/api/oidc/token.go",
            "https://github.com/zitadel/zitadel/blob/main/internal/api/oidc/token.go",
            "that both tokens have one audience, and that the access token alone has jti",
            Certainty.SOURCE,
        ),
    ),
)

AUTHENTIK = Profile(
    name="authentik",
    title="authentik",
    kind=TokenKind.ACCESS,
    issuer="{host}/application/o/{application}/",
    algorithms=("RS256", "ES256"),
    token_types=(None, "JWT", "at+jwt"),
    required_claims=("azp", "iat", "sub", "uid"),
    audience="the application's client id",
    client="azp",
    granted=("scope", RightsFrom("groups", prefix="group:")),
    rights=(Right("authentik", "`groups`, a list", 'claim("groups", "readers")'),),
    apart="""An access token is its ID token with `azp` and `uid` added, for the same audience: `uid` must be there. All
applications of a server share their keys, so `azp` must be the application too.""",
    notes="""The slash at the end of the issuer is part of it, and is added. Choose a signing key for the provider: without
one authentik signs with HS256 and the client's secret, which is refused. Providers whose issuer mode is global have
another issuer and need a `TrustedIssuer`.""",
    sources=(
        Source(
            "authentik: providers/oauth2/id_token.py",
            "https://github.com/goauthentik/authentik/blob/main/authentik/providers/oauth2/id_token.py",
            "the claims of both tokens, and what the access token has more",
            Certainty.SOURCE,
        ),
        Source(
            "authentik: OAuth 2.0 provider",
            "https://docs.goauthentik.io/add-secure-apps/providers/oauth2/",
            "the issuer, the signing key, HS256 without one",
        ),
    ),
)

HYDRA = Profile(
    name="hydra",
    title="Ory Hydra",
    kind=TokenKind.ACCESS,
    issuer="{issuer}",
    algorithms=("RS256", "ES256"),
    token_types=(None, "JWT", "at+jwt"),
    required_claims=("client_id", "iat", "jti", "sub"),
    audience="what the client asked for and was granted; an empty list unless it asks",
    client="client_id",
    rights=(Right("Hydra", "`scp`, a list; below `ext` what the consent application adds", 'scope("notes:read")'),),
    apart="`client_id` is in every access token and in no ID token.",
    notes="""Tokens are opaque (`ory_at_…`) unless `strategies.access_token` is `jwt`. Have clients ask for an `audience`:
a token without one is refused. The issuer is exactly `urls.self.issuer`, often with a slash at its end.""",
    sources=(
        Source(
            "hydra: oauth2/session.go",
            "https://github.com/ory/hydra/blob/master/oauth2/session.go",
            "the claims of an access token; client_id, scp, ext",
            Certainty.SOURCE,
        ),
        Source(
            "fosite: token/jwt/claims_id_token.go",
            "https://github.com/ory/fosite/blob/master/token/jwt/claims_id_token.go",
            "the claims of an ID token",
            Certainty.SOURCE,
        ),
    ),
)
