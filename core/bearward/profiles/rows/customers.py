"""Services that log in the users of an application.

Rule of this file: data.
"""

from __future__ import annotations

from types import MappingProxyType

from bearward.claim_names import RightsFrom
from bearward.profiles.profile import Certainty, Profile, Right, Source, TokenKind

__all__ = [
    "APPLE",
    "CLERK",
    "COGNITO_ACCESS",
    "COGNITO_ID",
    "DESCOPE",
    "FIREBASE",
    "SUPABASE",
    "WORKOS",
    "WORKOS_PLAIN",
]

_COGNITO_ISSUER = "https://cognito-idp.{region}.amazonaws.com/{pool}"
_COGNITO_SOURCES = (
    Source(
        "Amazon Verified Permissions: client and audience validation for Amazon Cognito",
        "https://docs.aws.amazon.com/verifiedpermissions/latest/userguide/cognito-validation.html",
        "which claim holds the app client in each of the two tokens, and token_use",
    ),
    Source(
        "Amazon Cognito: Verifying JSON web tokens",
        "https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html",
        "issuer, keys and token_use",
    ),
)

COGNITO_ACCESS = Profile(
    name="cognito",
    title="Amazon Cognito",
    kind=TokenKind.ACCESS,
    issuer=_COGNITO_ISSUER,
    jwks_uri=f"{_COGNITO_ISSUER}/.well-known/jwks.json",
    algorithms=("RS256",),
    required_claims=("client_id", "iat", "jti", "sub"),
    expected_claims=MappingProxyType({"token_use": ("access",)}),
    audience="none: `client_id` is the app client that may call",
    client="client_id",
    granted=("scope", RightsFrom("cognito:groups", prefix="group:")),
    rights=(
        Right(
            "Cognito",
            "`scope`; `cognito:groups`, a list",
            'scope("notes/read"), claim("cognito:groups", "readers")',
        ),
    ),
    apart="`token_use` is `access`; in an ID token it is `id`, and the app client is in `aud`.",
    notes="""`clients` are the app clients that may call. A pool in China has another domain and needs a
`TrustedIssuer`; so do tokens that are bound to a resource, which have an `aud`.""",
    sources=_COGNITO_SOURCES,
)

COGNITO_ID = Profile(
    name="cognito",
    title="Amazon Cognito, ID tokens",
    kind=TokenKind.ID,
    issuer=_COGNITO_ISSUER,
    jwks_uri=f"{_COGNITO_ISSUER}/.well-known/jwks.json",
    algorithms=("RS256",),
    required_claims=("iat", "sub"),
    expected_claims=MappingProxyType({"token_use": ("id",)}),
    audience="the app client",
    client="aud",
    apart="`token_use` is `id`; an access token says `access`, and has no `aud`.",
    notes="""`use="id"`, for a gateway in front of Cognito that expects ID tokens; an API takes access tokens.""",
    sources=_COGNITO_SOURCES,
)

FIREBASE = Profile(
    name="firebase",
    title="Firebase Authentication",
    kind=TokenKind.ID,
    issuer="https://securetoken.google.com/{project}",
    jwks_uri="https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
    algorithms=("RS256",),
    required_claims=("auth_time", "iat", "sub"),
    audience="the project's id",
    rights=(Right("Firebase", "custom claims, at the top level", 'claim("role", "reader")'),),
    apart="""Session cookies and custom tokens have other issuers. All projects share their keys: issuer and audience
tell them apart.""",
    notes="""An ID token is what a Firebase application sends to its own backend. Also for Google Cloud's Identity
Platform; its tenant is `firebase.tenant`. `firebase.sign_in_provider` says how the user logged in, and is `anonymous`
if nobody did.""",
    sources=(
        Source(
            "Firebase: Verify ID tokens",
            "https://firebase.google.com/docs/auth/admin/verify-id-tokens",
            "alg, iss, aud, sub, exp, iat, auth_time, and what each must be",
        ),
        Source(
            "toy: shared/toy-gauth/src/constants.rs",
            "https://github.com/defvar/toy/blob/master/shared/toy-gauth/src/constants.rs",
            "the same keys as a JWK Set; the documentation names certificates",
            Certainty.EXAMPLE,
        ),
    ),
)

SUPABASE = Profile(
    name="supabase",
    title="Supabase",
    kind=TokenKind.SESSION,
    issuer="https://{project}.supabase.co/auth/v1",
    jwks_uri="https://{project}.supabase.co/auth/v1/.well-known/jwks.json",
    algorithms=("ES256", "RS256"),
    token_types=("JWT",),
    required_claims=("aal", "iat", "session_id", "sub"),
    expected_claims=MappingProxyType({"role": ("authenticated",)}),
    audience="`authenticated`, the same in every project",
    rights=(Right("Supabase", "`app_metadata`", 'claim("app_metadata.role", "reader")'),),
    apart="""`role` keeps out the keys of the project (`anon`, `service_role`), and `session_id` whatever is not a session.
Anonymous users are `authenticated` too: they are refused unless `allow_anonymous` is set.""",
    notes="""The project needs asymmetric signing keys: the shared secret of older projects is not accepted. The audience
says nothing about your API; the issuer is what matters. `user_metadata` can be written by the user and is never a right.""",
    sources=(
        Source(
            "Supabase: JWT Claims Reference",
            "https://supabase.com/docs/guides/auth/jwt-fields",
            "the claims that are always there, and their values",
        ),
        Source("Supabase: JSON Web Tokens", "https://supabase.com/docs/guides/auth/jwts", "keys and algorithms"),
    ),
)

CLERK = Profile(
    name="clerk",
    title="Clerk",
    kind=TokenKind.SESSION,
    issuer="https://{frontend_api}",
    jwks_uri="https://{frontend_api}/.well-known/jwks.json",
    algorithms=("RS256",),
    token_types=("JWT",),
    required_claims=("azp", "iat", "nbf", "sid", "sub"),
    audience="none: `azp` is the origin that asked for the token",
    client="azp",
    rights=(Right("Clerk", "what the session token's template puts there", 'claim("role", "reader")'),),
    apart="`sid` is in every session token; tokens made from a template share the keys and lack it.",
    notes="""`origins` are your front ends, as browsers send them in `Origin`. A session token lives for a minute.""",
    sources=(
        Source(
            "Clerk: Manual JWT verification",
            "https://clerk.com/docs/guides/sessions/manual-jwt-verification",
            "keys, azp and what to check",
        ),
        Source(
            "Clerk: Session tokens",
            "https://clerk.com/docs/guides/sessions/session-tokens",
            "the claims, and the issuer of production and development instances",
        ),
    ),
)

APPLE = Profile(
    name="apple",
    title="Sign in with Apple",
    kind=TokenKind.ID,
    issuer="https://appleid.apple.com",
    jwks_uri="https://appleid.apple.com/auth/keys",
    algorithms=("RS256",),
    required_claims=("iat", "sub"),
    audience="the application's client id: a bundle id or a services id",
    apart="Apple issues no other JWT to applications. Audiences are applications, one each.",
    notes="""An application sends the ID token to its own backend. Where it chose a `nonce`, compare it:
`check_nonce(principal, nonce)`. `email_verified` and `is_private_email` are booleans or their names as strings.""",
    sources=(
        Source(
            "Apple: Authenticating users with Sign in with Apple",
            "https://developer.apple.com/documentation/signinwithapple/authenticating-users-with-sign-in-with-apple",
            "the claims of the identity token",
        ),
        Source(
            "Apple: Fetch Apple's public key for verifying token signature",
            "https://developer.apple.com/documentation/signinwithapplerestapi/fetch-apple-s-public-key-for-verifying-token-signature",
            "where the keys are",
        ),
    ),
)

WORKOS = Profile(
    name="workos",
    title="WorkOS AuthKit",
    kind=TokenKind.SESSION,
    issuer="https://api.workos.com/user_management/{client_id}",
    jwks_uri="https://api.workos.com/sso/jwks/{client_id}",
    algorithms=("RS256",),
    required_claims=("iat", "jti", "sid", "sub"),
    keys_are_ours=True,
    audience="none: the keys are those of your client alone, and a token for somebody else has an `aud`",
    granted=("permissions", RightsFrom("roles", prefix="role:")),
    rights=(Right("WorkOS", "`permissions`, `roles`, lists", 'right("notes:read"), right("role:member")'),),
    apart="A session token has `sid` and no `aud`.",
    notes="""`iss` is WorkOS itself, or has your client's id in it: both are trusted, with your client's keys. The claims
have the rights within the organization `org_id`.""",
    sources=(
        Source(
            "WorkOS: Session tokens",
            "https://workos.com/docs/reference/authkit/session-tokens",
            "the claims, and that each client has its own keys",
        ),
        Source(
            "workos-node: README",
            "https://github.com/workos/workos-node/pull/1694",
            "the issuer with the client's id",
            Certainty.SOURCE,
        ),
    ),
)

WORKOS_PLAIN = Profile(
    name="workos",
    title="WorkOS AuthKit, without the client's id in `iss`",
    kind=TokenKind.SESSION,
    issuer="https://api.workos.com",
    jwks_uri=WORKOS.jwks_uri,
    algorithms=WORKOS.algorithms,
    required_claims=WORKOS.required_claims,
    keys_are_ours=True,
    audience=WORKOS.audience,
    granted=WORKOS.granted,
    apart=WORKOS.apart,
    sources=WORKOS.sources,
)

DESCOPE = Profile(
    name="descope",
    title="Descope",
    kind=TokenKind.SESSION,
    issuer="{project}",
    jwks_uri="https://api.descope.com/{project}/.well-known/jwks.json",
    algorithms=("RS256",),
    required_claims=("iat", "sub"),
    expected_claims=MappingProxyType({"drn": ("DS",)}),
    keys_are_ours=True,
    audience="none: the keys are those of your project alone, and a token for somebody else has an `aud`",
    granted=("permissions", RightsFrom("roles", prefix="role:")),
    rights=(Right("Descope", "`permissions`, `roles`, lists", 'right("notes:read"), right("role:admin")'),),
    apart="`drn` is `DS` in a session token and `DSR` in a refresh token, which has the same keys and issuer.",
    notes="""`iss` is the project's id. Rights within a tenant are below `tenants`: give `rights` with the path to them.
Tokens of an application (OpenID Connect, inbound apps) have another issuer and need a `TrustedIssuer`.""",
    sources=(
        Source("Descope: Session Overview", "https://docs.descope.com/session-overview", "the claims, and drn"),
        Source(
            "descope: tests of python-sdk",
            "https://github.com/descope/python-sdk",
            "iss and the values of drn",
            Certainty.SOURCE,
        ),
    ),
)
