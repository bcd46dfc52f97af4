"""Standards as profiles: for issuers that follow one, whoever they are.

Rule of this file: data.
"""

from __future__ import annotations

from bearward.claim_names import RightsFrom
from bearward.jose.algorithms import ASYMMETRIC
from bearward.profiles.profile import Profile, Right, Source, TokenKind

__all__ = ["CLIENT_ASSERTION", "OIDC_ID_TOKEN", "RFC9068"]

RFC9068 = Profile(
    name="rfc9068",
    title="RFC 9068, JWT access tokens",
    kind=TokenKind.ACCESS,
    issuer="{issuer}",
    algorithms=ASYMMETRIC,
    token_types=("at+jwt",),
    required_claims=("aud", "client_id", "iat", "jti", "sub"),
    audience="the resource indicator of the API",
    client="client_id",
    granted=(
        "scope",
        RightsFrom("roles", prefix="role:"),
        RightsFrom("groups", prefix="group:"),
        RightsFrom("entitlements", prefix="entitlement:"),
    ),
    rights=(
        Right(
            "RFC 9068",
            "`scope`; `roles`, `groups`, `entitlements`, lists",
            'scope("notes:read"), claim("roles", "reader")',
        ),
    ),
    apart="`typ` must be `at+jwt`, which no other token has.",
    notes="""For any authorization server that follows the RFC: its header says `at+jwt` and seven claims are there. A
token that was issued for a user's login has `auth_time` and `acr` too: `recent_authentication` asks for them.""",
    sources=(
        Source("RFC 9068", "https://www.rfc-editor.org/rfc/rfc9068", "`typ`, the required claims, where rights are"),
    ),
)

CLIENT_ASSERTION = Profile(
    name="client_assertion",
    title="Client assertions (RFC 7523)",
    kind=TokenKind.ASSERTION,
    issuer="{client_id}",
    algorithms=ASYMMETRIC,
    token_types=(None, "JWT"),
    required_claims=("aud", "jti", "sub"),
    audience="the authorization server that is asked: its issuer, or its token endpoint",
    client="iss",
    single_use=True,
    apart="`iss` and `sub` are the client, and the audience is the authorization server, never an API.",
    notes="""For an authorization server whose clients authenticate with a signed JWT. The keys are the client's own, as
it registered them: `jwks_uri` or `jwks` must be given. An assertion is for one use: its `jti` is remembered until it
has expired, in this process, or in the whole fleet with `Verifier(replays=SharedReplays(...))`. Give this to a
verifier of its own, at the token endpoint; an assertion is no access token.""",
    sources=(
        Source("RFC 7523, section 3", "https://www.rfc-editor.org/rfc/rfc7523#section-3", "iss, sub, aud, exp, jti"),
        Source(
            "OpenID Connect Core, section 9",
            "https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication",
            "that iss and sub are both the client, and that jti is required",
        ),
    ),
)

OIDC_ID_TOKEN = Profile(
    name="oidc_id_token",
    title="OpenID Connect ID tokens",
    kind=TokenKind.ID,
    issuer="{issuer}",
    algorithms=ASYMMETRIC,
    token_types=(None, "JWT"),
    required_claims=("aud", "iat", "sub"),
    refused_claims=("scope", "scp"),
    audience="the client that asked for the login; of several audiences `azp` says which one that is",
    client="azp",
    apart="""Access tokens are for an API, have `at+jwt` as their `typ`, or say what they allow: `scope` and `scp` must not be
there.""",
    notes="""For an application that gets ID tokens of people who log in to it; never for an API. Compare what only your
application knows: `check_nonce(principal, nonce)`, and `check_access_token(principal, access_token)` for `at_hash`. Ask
for `auth_time` by `recent_authentication`.""",
    sources=(
        Source(
            "OpenID Connect Core, sections 2 and 3.1.3.7",
            "https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation",
            "the claims, and the rules for aud, azp, nonce, at_hash",
        ),
    ),
)
