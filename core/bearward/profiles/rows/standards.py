"""Standards as profiles: for issuers that follow one, whoever they are.

Rule of this file: data.
"""

from __future__ import annotations

from bearward.jose.algorithms import ASYMMETRIC
from bearward.profiles.profile import Profile, Right, Source, TokenKind

__all__ = ["CLIENT_ASSERTION", "RFC9068"]

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
    apart="`iss` and `sub` are the client, and the audience is the authorization server, never an API.",
    notes="""For an authorization server whose clients authenticate with a signed JWT. The keys are the client's own, as
it registered them: `jwks_uri` or `jwks` must be given. An assertion is for one use: remember its `jti` until it has
expired. Give this to a verifier of its own, at the token endpoint; an assertion is no access token.""",
    sources=(
        Source("RFC 7523, section 3", "https://www.rfc-editor.org/rfc/rfc7523#section-3", "iss, sub, aud, exp, jti"),
        Source(
            "OpenID Connect Core, section 9",
            "https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication",
            "that iss and sub are both the client, and that jti is required",
        ),
    ),
)
