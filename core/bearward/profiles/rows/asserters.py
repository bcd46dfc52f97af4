"""Proxies in front that assert who calls, in a header of their own.

Rule of this file: data.
"""

from __future__ import annotations

from types import MappingProxyType

from bearward.credential_place import CredentialPlace
from bearward.profiles.profile import Profile, Right, Source, TokenKind

__all__ = ["CLOUDFLARE_ACCESS", "IAP"]

IAP = Profile(
    name="iap",
    title="Google Identity-Aware Proxy",
    kind=TokenKind.ASSERTION,
    issuer="https://cloud.google.com/iap",
    jwks_uri="https://www.gstatic.com/iap/verify/public_key-jwk",
    algorithms=("ES256",),
    required_claims=("iat", "sub"),
    place=CredentialPlace(header="x-goog-iap-jwt-assertion"),
    audience="the backend service, or the App Engine application, by the project's number",
    rights=(Right("IAP", "nowhere: only the caller's identity", 'claim("email", "ada@example.com")'),),
    apart="The token counts in its own header only, and no other token counts there.",
    notes="""The leeway is 30 seconds and the greatest age 10 minutes, as Google says, unless you give others. Health checks
carry no token: make their route public. `email` has no prefix, `sub` begins with `accounts.google.com:`.""",
    sources=(
        Source(
            "Google Cloud: Securing your app with signed headers",
            "https://docs.cloud.google.com/iap/docs/signed-headers-howto",
            "header, algorithm, keys, iss, aud, the claims, skew and lifetime",
        ),
    ),
)

CLOUDFLARE_ACCESS = Profile(
    name="cloudflare_access",
    title="Cloudflare Access",
    kind=TokenKind.ASSERTION,
    issuer="https://{team}.cloudflareaccess.com",
    jwks_uri="https://{team}.cloudflareaccess.com/cdn-cgi/access/certs",
    algorithms=("RS256",),
    token_types=("JWT",),
    required_claims=("iat",),
    expected_claims=MappingProxyType({"type": ("app",)}),
    subject_claim=("sub", "common_name"),
    place=CredentialPlace(header="cf-access-jwt-assertion"),
    audience="the application's AUD tag",
    subject="`sub`; `common_name` for a service token, whose `sub` is empty",
    rights=(Right("Cloudflare Access", "nowhere: only the caller's identity", 'claim("email", "ada@example.com")'),),
    apart="""`type` is `app`: the token of the login itself, `org`, is not for an application. The token counts in its own
header only; the cookie `CF_Authorization` is not read, since Cloudflare does not promise it.""",
    notes="""Keys rotate every six weeks, and both are published for a week. Whoever reaches your service past Cloudflare
has no token and is refused.""",
    sources=(
        Source(
            "Cloudflare: Application token",
            "https://developers.cloudflare.com/cloudflare-one/identity/authorization-cookie/application-token",
            "the claims of a user and of a service token",
        ),
        Source(
            "Cloudflare: Validate JWTs",
            "https://developers.cloudflare.com/cloudflare-one/identity/authorization-cookie/validating-json/",
            "header, keys, rotation",
        ),
    ),
)
