"""Tokens of services that log in the users of an application, and of their neighbours."""

from __future__ import annotations

from functools import partial

from bearward.profiles import apple, clerk, cognito, descope, firebase, supabase, workos
from tests.profiles.table import Table, no, ok

__all__ = ["TABLES"]

_POOL, _CLIENT, _OTHER_CLIENT = "eu-west-1_a1B2c3D4e", "3n4b5urk1ft4fl3mg5e62d9ado", "7hq2v9s8d0f1g2h3j4k5l6m7n8"
_COGNITO = f"https://cognito-idp.eu-west-1.amazonaws.com/{_POOL}"
_COGNITO_ID_TOKEN = {
    "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "cognito:groups": ["readers"],
    "cognito:username": "ada",
    "email_verified": True,
    "iss": _COGNITO,
    "aud": _CLIENT,
    "event_id": "64f513be-32db-42b0-b78e-b02127b4f463",
    "token_use": "id",
    "auth_time": -60,
    "exp": 3600,
    "iat": -1,
    "jti": "7c9e6679",
    "email": "ada@example.com",
}
_COGNITO_ACCESS_TOKEN = {
    "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "cognito:groups": ["readers"],
    "iss": _COGNITO,
    "version": 2,
    "client_id": _CLIENT,
    "origin_jti": "bbbb",
    "token_use": "access",
    "scope": "openid notes/read",
    "auth_time": -60,
    "exp": 3600,
    "iat": -1,
    "jti": "cccc",
    "username": "ada",
}

_COGNITO_ACCESS = Table(
    name="cognito",
    trust=partial(cognito, pool=_POOL, clients=_CLIENT),
    header={"alg": "RS256"},
    claims=_COGNITO_ACCESS_TOKEN,
    others={"ID token": {**_COGNITO_ID_TOKEN, "client_id": None}},
    rows=(
        ok("a user's token"),
        ok("a machine's token", sub=_CLIENT, scope="notes/read", without=("cognito:groups", "username", "origin_jti")),
        ok("of a sign-in by the SDK", scope="aws.cognito.signin.user.admin"),
        ok("without groups", without=("cognito:groups",)),
        no("claim_missing", "ID token", base="ID token"),
        no("claim_missing", "ID token without its aud", base="ID token", without=("aud",)),
        no("claim_mismatch", "ID token with a client_id", base="ID token", client_id=_CLIENT, without=("aud",)),
        no("claim_missing", "without token_use", without=("token_use",)),
        no("claim_mismatch", "of another app client", client_id=_OTHER_CLIENT),
        no("claim_missing", "without an app client", without=("client_id",)),
        no("issuer_untrusted", "of another pool", iss="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_other"),
        no("issuer_untrusted", "of another region", iss=f"https://cognito-idp.us-east-1.amazonaws.com/{_POOL}"),
        no("audience_mismatch", "bound to a resource", aud="https://other.example"),
        no("algorithm_not_allowed", "signed by ES256", header={"alg": "ES256"}),
    ),
)

_COGNITO_ID = Table(
    name="cognito, ID tokens",
    trust=partial(cognito, pool=_POOL, clients=(_CLIENT,), use="id"),
    header={"alg": "RS256"},
    claims=_COGNITO_ID_TOKEN,
    others={"access token": {**_COGNITO_ACCESS_TOKEN, "aud": None}},
    rows=(
        ok("a user's ID token"),
        ok("without groups", without=("cognito:groups",)),
        ok("with a nonce", nonce="n"),
        ok("of a federated user", identities=[{"providerName": "Google"}]),
        no("claim_missing", "access token", base="access token"),
        no("claim_mismatch", "access token with our app client as audience", base="access token", aud=_CLIENT),
        no("audience_mismatch", "access token bound to a resource", base="access token", aud="https://api.example"),
        no("claim_missing", "without token_use", without=("token_use",)),
        no("audience_mismatch", "for another app client", aud=_OTHER_CLIENT),
        no("claim_missing", "without an audience", without=("aud",)),
        no("issuer_untrusted", "of another pool", iss="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_other"),
        no("issuer_untrusted", "of another region", iss=f"https://cognito-idp.us-east-1.amazonaws.com/{_POOL}"),
        no("claim_missing", "without a subject", without=("sub",)),
    ),
)

_FIREBASE = Table(
    name="firebase",
    trust=partial(firebase, project="notes-1a2b3"),
    header={"alg": "RS256", "typ": "JWT"},
    claims={
        "iss": "https://securetoken.google.com/notes-1a2b3",
        "aud": "notes-1a2b3",
        "auth_time": -60,
        "user_id": "kq2F0oV1hYd",
        "sub": "kq2F0oV1hYd",
        "iat": -1,
        "exp": 3600,
        "email": "ada@example.com",
        "email_verified": True,
        "role": "reader",
        "firebase": {"identities": {"email": ["ada@example.com"]}, "sign_in_provider": "password"},
    },
    others={"another project": {"iss": "https://securetoken.google.com/other-9z8y7", "aud": "other-9z8y7"}},
    rows=(
        ok("a user's token"),
        ok("of an anonymous user", firebase={"identities": {}, "sign_in_provider": "anonymous"}),
        ok("of a tenant", firebase={"identities": {}, "sign_in_provider": "password", "tenant": "t-1"}),
        ok("without an e-mail address", without=("email", "email_verified")),
        no("issuer_untrusted", "of another project", base="another project"),
        no("issuer_untrusted", "of another project, for us", base="another project", aud="notes-1a2b3"),
        no("audience_mismatch", "of our project's issuer, for another", aud="other-9z8y7"),
        no("issuer_untrusted", "session cookie", iss="https://session.firebase.google.com/notes-1a2b3"),
        no(
            "issuer_untrusted",
            "custom token of a service account",
            iss="firebase-adminsdk@notes-1a2b3.iam.gserviceaccount.com",
            aud="https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit",
        ),
        no("issuer_untrusted", "Google's own ID token", iss="https://accounts.google.com"),
        no("claim_missing", "without a login", without=("auth_time",)),
        no("claim_missing", "without a subject", without=("sub",)),
        no("algorithm_not_allowed", "of the emulator, which signs nothing", header={"alg": "none"}),
    ),
)

_SUPABASE = Table(
    name="supabase",
    trust=partial(supabase, project="abcdefghijklmnopqrst"),
    header={"alg": "ES256", "typ": "JWT"},
    claims={
        "iss": "https://abcdefghijklmnopqrst.supabase.co/auth/v1",
        "aud": "authenticated",
        "exp": 3600,
        "iat": -1,
        "sub": "123e4567-e89b-12d3-a456-426614174000",
        "role": "authenticated",
        "aal": "aal1",
        "session_id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "email": "ada@example.com",
        "phone": "",
        "is_anonymous": False,
        "app_metadata": {"provider": "email", "role": "reader"},
        "user_metadata": {},
        "amr": [{"method": "password", "timestamp": 1}],
    },
    rows=(
        ok("a user's token"),
        ok("with a second factor", aal="aal2"),
        ok("signed by RS256", header={"alg": "RS256"}),
        ok("audience as a list", aud=["authenticated"]),
        no("claim_mismatch", "of an anonymous user", is_anonymous=True, email=""),
        no("claim_missing", "that does not say whether the user is anonymous", without=("is_anonymous",)),
        no("audience_mismatch", "the project's public key", aud="anon", role="anon"),
        no("claim_mismatch", "of role anon, for authenticated", role="anon"),
        no("claim_mismatch", "of role service_role", role="service_role"),
        no("claim_missing", "no session", without=("session_id",)),
        no("issuer_untrusted", "of another project", iss="https://zyxwvutsrqponmlkjihg.supabase.co/auth/v1"),
        no("issuer_untrusted", "an API key", iss="supabase", role="anon", without=("aud", "sub", "session_id")),
        no("algorithm_not_allowed", "of a project with a shared secret", header={"alg": "HS256"}),
        no("claim_mismatch", "a right that users wrote themselves", role="admin", user_metadata={"role": "admin"}),
    ),
)

_SUPABASE_ANONYMOUS = Table(
    name="supabase, anonymous users allowed",
    trust=partial(supabase, project="abcdefghijklmnopqrst", allow_anonymous=True),
    header=_SUPABASE.header,
    claims=_SUPABASE.claims,
    rows=(
        ok("of an anonymous user", is_anonymous=True, email=""),
        *(row for row in _SUPABASE.rows if "anonymous" not in row.name),
    ),
)

_CLERK = Table(
    name="clerk",
    trust=partial(
        clerk, frontend_api="clerk.notes.example", origins=("https://notes.example", "http://localhost:3000")
    ),
    header={"alg": "RS256", "typ": "JWT"},
    claims={
        "azp": "https://notes.example",
        "exp": 60,
        "fva": [1, -1],
        "iat": -1,
        "iss": "https://clerk.notes.example",
        "nbf": -11,
        "sid": "sess_2aB",
        "sub": "user_2aB",
        "v": 2,
        "role": "reader",
    },
    rows=(
        ok("a user's token"),
        ok("from the other origin", azp="http://localhost:3000"),
        ok("of a member of an organization", o={"id": "org_1", "rol": "admin", "slg": "notes"}),
        ok("of an impersonated user", act={"sub": "user_admin"}),
        no("claim_missing", "made from a template", without=("sid",)),
        no("claim_mismatch", "asked for by another origin", azp="https://evil.example"),
        no("claim_mismatch", "asked for by a page below ours", azp="https://notes.example.evil.example"),
        no("claim_mismatch", "asked for by our origin without TLS", azp="http://notes.example"),
        no("claim_missing", "asked for by nobody", without=("azp",)),
        no("audience_mismatch", "made from a template for another service", aud="https://other.example"),
        no("issuer_untrusted", "of another instance", iss="https://clerk.other.example"),
        no("issuer_untrusted", "of the development instance", iss="https://notes-12.clerk.accounts.dev"),
        no("algorithm_not_allowed", "signed by a secret of a template", header={"alg": "HS256"}),
        no("claim_missing", "without a subject", without=("sub",)),
    ),
)

_APPLE = Table(
    name="apple",
    trust=partial(apple, client_id=("example.notes.app", "example.notes.web")),
    header={"alg": "RS256"},
    claims={
        "iss": "https://appleid.apple.com",
        "aud": "example.notes.app",
        "exp": 86400,
        "iat": -1,
        "sub": "001234.abc.0123",
        "c_hash": "LDktKdoQak3Pk0cnXxCltA",
        "email": "ada@privaterelay.appleid.com",
        "email_verified": "true",
        "is_private_email": "true",
        "auth_time": -1,
        "nonce_supported": True,
    },
    rows=(
        ok("of the app"),
        ok("of the website", aud="example.notes.web"),
        ok("booleans as booleans", email_verified=True, is_private_email=True),
        ok("without an e-mail address", without=("email", "email_verified", "is_private_email")),
        ok("with a nonce", nonce="n"),
        no("audience_mismatch", "for another application", aud="example.shop.app"),
        no("audience_mismatch", "for an application whose id starts alike", aud="example.notes.app.beta"),
        no("issuer_untrusted", "of Apple's store", iss="https://storekit.apple.com"),
        no("issuer_untrusted", "issuer with a slash", iss="https://appleid.apple.com/"),
        no("issuer_untrusted", "a client secret: we are its issuer", iss="TEAM123456", aud="https://appleid.apple.com"),
        no("algorithm_not_allowed", "a client secret's algorithm", header={"alg": "ES256"}),
        no("claim_missing", "without a subject", without=("sub",)),
        no("token_type_not_allowed", "an access token by its typ", header={"typ": "at+jwt"}),
    ),
)

_WORKOS = Table(
    name="workos",
    trust=partial(workos, client_id="client_123456789"),
    header={"alg": "RS256"},
    claims={
        "iss": "https://api.workos.com/user_management/client_123456789",
        "sub": "user_01HBEQKA6K4QJAS93VPE39W1JT",
        "org_id": "org_01HRDMC6CM357W30QMHMQ96Q0S",
        "role": "member",
        "roles": ["member"],
        "permissions": ["notes:read", "notes:write"],
        "entitlements": ["audit-logs"],
        "sid": "session_01HQSXZGF8FHF7A9ZZFCW4387R",
        "jti": "01HQSXZXPPFPKMDD32RKTFY6PV",
        "exp": 300,
        "iat": -1,
    },
    rows=(
        ok("a user's session token"),
        ok("without the client in iss", iss="https://api.workos.com"),
        ok("outside of an organization", without=("org_id", "role", "roles", "permissions", "entitlements")),
        ok("of an impersonated user", act={"sub": "admin@foocorp.com"}),
        no("audience_mismatch", "access token of an application, which has an aud", aud="https://api.example"),
        no("audience_mismatch", "ID token of an application", aud="client_123456789", nonce="n"),
        no("claim_missing", "no session", without=("sid",)),
        no("claim_missing", "without a subject", without=("sub",)),
        no("issuer_untrusted", "of another client", iss="https://api.workos.com/user_management/client_987654321"),
        no("issuer_untrusted", "of AuthKit for MCP", iss="https://notes.authkit.app"),
        no("issuer_untrusted", "issuer with a slash", iss="https://api.workos.com/"),
        no("algorithm_not_allowed", "signed by ES256", header={"alg": "ES256"}),
        no("audience_mismatch", "for a list of audiences", aud=["https://api.example"]),
    ),
)

_PROJECT = "P2abcdefghijklmnopqrstuvwxyz"
_DESCOPE = Table(
    name="descope",
    trust=partial(descope, project=_PROJECT),
    header={"alg": "RS256", "typ": "JWT"},
    claims={
        "amr": ["email"],
        "drn": "DS",
        "exp": 600,
        "iat": -1,
        "iss": _PROJECT,
        "rexp": "2026-12-24T00:00:00Z",
        "sub": "U2abcdefghijklmnopqrstuvwxyz",
        "permissions": ["notes:read"],
        "roles": ["admin"],
        "tenants": {"T2x": {"permissions": ["notes:write"], "roles": []}},
    },
    rows=(
        ok("a user's session token"),
        ok("without rights", without=("permissions", "roles", "tenants")),
        ok("with claims of one's own", plan="gold"),
        ok("of an access key", sub="K2abcdefghijklmnopqrstuvwxyz", without=("amr",)),
        no("claim_mismatch", "a refresh token", drn="DSR"),
        no("claim_missing", "without drn, as an ID token", without=("drn",)),
        no("audience_mismatch", "for an application, which has an aud", aud=[_PROJECT]),
        no("issuer_untrusted", "of another project", iss="P2zyxwvutsrqponmlkjihgfedcba"),
        no("issuer_untrusted", "of an application", iss=f"https://api.descope.com/v1/apps/{_PROJECT}"),
        no("issuer_untrusted", "the project in lower case", iss=_PROJECT.lower()),
        no("claim_missing", "without a subject", without=("sub",)),
        no("algorithm_not_allowed", "signed by a secret", header={"alg": "HS256"}),
    ),
)

TABLES = (
    _COGNITO_ACCESS,
    _COGNITO_ID,
    _FIREBASE,
    _SUPABASE,
    _SUPABASE_ANONYMOUS,
    _CLERK,
    _APPLE,
    _WORKOS,
    _DESCOPE,
)
