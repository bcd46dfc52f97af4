"""Proxies in front that assert who calls, in a header of their own.

Rule of this file: data.
"""

from __future__ import annotations

from types import MappingProxyType

from bearward.credential_place import CredentialPlace
from bearward.profiles.profile import Certainty, Profile, Right, Source, TokenKind

__all__ = ["AWS_ALB", "AWS_VERIFIED_ACCESS", "CLOUDFLARE_ACCESS", "IAP"]

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
    apart="The token is accepted in its own header only, and no other token is accepted there.",
    notes="""The leeway is 30 seconds and the maximum age 10 minutes, as Google says, unless you give others. Health checks
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
    apart="""`type` is `app`: the token of the login itself, `org`, is not for an application. The token is accepted in
its own header only; the cookie `CF_Authorization` is not read, since Cloudflare does not promise it.""",
    notes="""Keys rotate every six weeks, and for a week both are published. A caller who reaches your service without
going through Cloudflare has no token and is refused.""",
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

_SIGNED_IN_HEADER = ("iss", "exp", "signer")

AWS_ALB = Profile(
    name="aws_alb",
    title="AWS Application Load Balancer",
    kind=TokenKind.ASSERTION,
    issuer="{issuer}",
    pem_uri="https://{keys}/{kid}",
    algorithms=("ES256",),
    required_claims=("signer",),
    client_claim="client",
    place=CredentialPlace(header="x-amzn-oidc-data", padded=True, header_claims=(*_SIGNED_IN_HEADER, "client")),
    audience="none; `client` is your client at the identity provider, and `signer` your load balancer",
    subject="`sub`, as the identity provider gave it to the load balancer",
    client="`client`",
    rights=(Right("AWS ALB", "nowhere: only the caller's identity", 'claim("email", "ada@example.com")'),),
    apart="""All load balancers of a region sign with the same keys: `signer` is the ARN of yours, and a token of another one
is refused. The token is accepted in its own header only.""",
    notes="""`iss`, `exp`, `client` and `signer` are in the JOSE header, and are read only from there; segments are padded,
so a plain JWT parser refuses them. Each key is fetched by its `kid`. Let only the load balancer's security group reach
your service: the load balancer removes this header from what clients send, and a caller who goes around it could send a
stolen one. `x-amzn-oidc-accesstoken` is the provider's own access token: use the provider's profile for that.""",
    sources=(
        Source(
            "AWS: Authenticate users using an Application Load Balancer",
            "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html",
            "header, algorithm, padding, the fields of the JOSE header, the addresses of keys, that signer must be checked",
        ),
        Source(
            "awslabs: aws-jwt-verify",
            "https://github.com/awslabs/aws-jwt-verify",
            "iss, client and signer are read from the JOSE header, and each key by its kid",
            Certainty.SOURCE,
        ),
    ),
)

AWS_VERIFIED_ACCESS = Profile(
    name="aws_verified_access",
    title="AWS Verified Access",
    kind=TokenKind.ASSERTION,
    issuer="{issuer}",
    pem_uri="https://public-keys.prod.verified-access.{region}.amazonaws.com/{kid}",
    algorithms=("ES384",),
    required_claims=("signer",),
    client_claim="signer",
    place=CredentialPlace(header="x-amzn-ava-user-context", padded=True, header_claims=_SIGNED_IN_HEADER),
    audience="none; `signer` is your Verified Access instance",
    client="`signer`",
    subject="`sub`, as the trust provider gave it",
    rights=(Right("AWS Verified Access", "`groups`, where the provider has such", 'claim("groups", "finance")'),),
    apart="""All instances of a region sign with the same keys: `signer` is the ARN of yours, and a token of another one is
refused. The token is accepted in its own header only.""",
    notes="""A token lives for two minutes. `iss`, `exp` and `signer` are in the JOSE header, and are read only from there.
Whether header and payload are padded is not documented, so both forms are accepted.""",
    sources=(
        Source(
            "AWS: User claims passing and signature verification in Verified Access",
            "https://docs.aws.amazon.com/verified-access/latest/ug/user-claims-passing.html",
            "header, algorithm, the fields of the JOSE header, the address of keys, the lifetime",
        ),
    ),
)
