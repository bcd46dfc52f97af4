"""Programs that say who they are: services, pods, pipelines, gateways.

Rule of this file: data.
"""

from __future__ import annotations

from bearward.claim_names import RightsFrom
from bearward.profiles.profile import Certainty, Profile, Right, Source, TokenKind

__all__ = ["GITHUB_ACTIONS", "GITLAB", "GOOGLE", "GOOGLE_WITHOUT_SCHEME", "KUBERNETES", "SPIFFE", "ZUPLO"]

_GOOGLE_RIGHTS = (
    Right(
        "Google",
        "nowhere: only the caller's identity",
        'claim("email", "notes@project.iam.gserviceaccount.com") & claim("email_verified", True)',
    ),
)
_GOOGLE_SOURCES = (
    Source(
        "Google: OpenID Connect API reference",
        "https://developers.google.com/identity/openid-connect/reference",
        "the metadata; iss with and without its scheme",
    ),
    Source(
        "Google Cloud Pub/Sub: Authentication for push subscriptions",
        "https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions",
        "the whole ID token of a service account",
    ),
    Source(
        "Google Cloud: Get an ID token",
        "https://cloud.google.com/docs/authentication/get-id-token",
        "that aud is what the caller asked for",
    ),
)

GOOGLE = Profile(
    name="google_id_token",
    title="Google",
    kind=TokenKind.ID,
    issuer="https://accounts.google.com",
    algorithms=("RS256",),
    token_types=("JWT",),
    required_claims=("iat", "sub"),
    audience="what the caller asked for: your service's URL; for a person, the application's client id",
    client="azp",
    rights=_GOOGLE_RIGHTS,
    apart="Access tokens (`ya29.…`) are opaque and refused; ID tokens for an application have it as their audience.",
    notes="""For services that call with an ID token for your audience (Cloud Run, Pub/Sub push, Cloud Scheduler). Anybody
with a service account can get one for any audience, so `emails` of the callers must be given, unless the audience is an
application's client id. `legacy_iss=True` also trusts the old form of `iss`, without its scheme.""",
    sources=_GOOGLE_SOURCES,
)

GOOGLE_WITHOUT_SCHEME = Profile(
    name="google_id_token",
    title="Google, the old form of `iss`",
    kind=TokenKind.ID,
    issuer="accounts.google.com",
    jwks_uri="https://www.googleapis.com/oauth2/v3/certs",
    algorithms=("RS256",),
    token_types=("JWT",),
    required_claims=("iat", "sub"),
    audience=GOOGLE.audience,
    client="azp",
    apart=GOOGLE.apart,
    sources=_GOOGLE_SOURCES,
)

KUBERNETES = Profile(
    name="kubernetes",
    title="Kubernetes service accounts",
    kind=TokenKind.WORKLOAD,
    issuer="{issuer}",
    algorithms=("RS256", "ES256"),
    token_types=(None,),
    required_claims=("iat", "kubernetes.io", "sub"),
    audience="what the pod's projected volume asked for; always a list",
    rights=(
        Right("Kubernetes", "nowhere: only the caller's identity", 'claim("sub", "system:serviceaccount:shop:cart")'),
    ),
    apart="Tokens of Secrets never expire, have another issuer and no `kubernetes.io`.",
    notes="""Callers mount a projected token with this audience; `accounts` (`shop/cart`) are those that may call, or all of
the cluster if it is left out. The keys are where the discovery document says, often at the API server's own address:
inside the cluster, set `keys.ca_file` to the cluster's CA and `keys.unsafe_allow_private_addresses`, and bind the role
`system:service-account-issuer-discovery` to the group `system:unauthenticated`, since a header in `keys.headers` is
fixed and a mounted token is not. Clusters in a cloud have a public issuer and need none of that.""",
    sources=(
        Source(
            "Kubernetes: Configure Service Accounts for Pods",
            "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/",
            "the documents, who may read them, and jwks_uri on another host",
        ),
        Source(
            "Kubernetes: Managing Service Accounts",
            "https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/",
            "the claims of a bound token, with node and jti",
        ),
        Source(
            "Kubernetes: pkg/serviceaccount/legacy.go",
            "https://github.com/kubernetes/kubernetes/blob/master/pkg/serviceaccount/legacy.go",
            "issuer and claims of legacy tokens",
            Certainty.SOURCE,
        ),
    ),
)

GITHUB_ACTIONS = Profile(
    name="github_actions",
    title="GitHub Actions",
    kind=TokenKind.WORKLOAD,
    issuer="{issuer}",
    algorithms=("RS256",),
    token_types=("JWT",),
    required_claims=("iat", "jti", "repository_id", "repository_owner_id", "sub"),
    audience="what the job asked for; the owner's URL unless it asks",
    subject="`repository_id`: it stays when a repository is renamed, `sub` and `repository` do not",
    rights=(
        Right(
            "GitHub Actions",
            "nowhere: which repository, branch and environment is all there is",
            'claim("repository_id", "456789") & claim("ref", "refs/heads/main")',
        ),
    ),
    apart="""Every repository on GitHub can get a token for any audience: `repository_ids` or `owner_ids` must be given. They
are numbers, which nobody can take over as one takes a name that has become free.""",
    notes="""The form of `sub` differs: new, renamed and moved repositories have had ids in it since June 2026, and its parts
can be chosen. Ask for the claims of their own. A token names a `ref` or an `environment`. A server of your own is
`host="github.example"`.""",
    sources=(
        Source(
            "GitHub: OpenID Connect reference",
            "https://docs.github.com/en/actions/reference/security/oidc",
            "issuer, audience and each claim; ids are strings",
        ),
        Source(
            "GitHub: changelog, 23 April 2026",
            "https://github.blog/changelog/",
            "the ids in `sub` of new, renamed and moved repositories",
        ),
    ),
)

GITLAB = Profile(
    name="gitlab",
    title="GitLab CI/CD",
    kind=TokenKind.WORKLOAD,
    issuer="{host}",
    algorithms=("RS256",),
    token_types=("JWT",),
    required_claims=("iat", "jti", "namespace_id", "project_id", "sub"),
    audience="what `id_tokens` of the job says",
    subject="`project_id`: it stays when a project is renamed",
    granted=(RightsFrom("ref_protected", flag="protected-ref"),),
    rights=(
        Right(
            "GitLab",
            "nowhere: which project and ref is all there is",
            'claim("project_id", "22") & claim("ref_protected", "true")',
        ),
    ),
    apart="""Every project of the server can get a token for any audience: `project_ids` or `namespace_ids` must be given.
ID tokens of people who log in have neither.""",
    notes="""`ref_protected` is the string `"true"`. In a merge request from a fork the `project_…` claims name the fork. The
parts of `sub` can be chosen: ask for the claims of their own.""",
    sources=(
        Source(
            "GitLab: OpenID Connect authentication using ID tokens",
            "https://docs.gitlab.com/ci/secrets/id_token_authentication/",
            "each claim and its type; how sub is made",
        ),
        Source(
            "GitLab: work item 563038",
            "https://gitlab.com/gitlab-org/gitlab/-/work_items/563038",
            "whose project a merge request from a fork names",
        ),
    ),
)

ZUPLO = Profile(
    name="zuplo",
    title="A gateway such as Zuplo's",
    kind=TokenKind.ACCESS,
    issuer="https://{host}/__zuplo/issuer",
    algorithms=("EdDSA", "RS256"),
    audience="what the gateway was told to put there",
    apart="The gateway issues no other tokens; its audience keeps those for your neighbour's backend out.",
    notes="""The gateway turns an API key into a JWT of five minutes; its issuer lies under a path, and the discovery
document below it. Say the audience when the gateway mints the token: without one a token for your neighbour's backend is
as good here.""",
    sources=(
        Source(
            "Zuplo: JWT service plugin",
            "https://zuplo.com/docs/programmable-api/jwt-service-plugin",
            "issuer, keys, lifetime, audience",
        ),
        Source(
            "@zuplo/runtime 6.21.0",
            "https://www.npmjs.com/package/@zuplo/runtime",
            "the types of what the gateway mints",
            Certainty.SOURCE,
        ),
    ),
)

SPIFFE = Profile(
    name="spiffe",
    title="SPIFFE JWT-SVIDs",
    kind=TokenKind.WORKLOAD,
    issuer="{trust_domain}",
    jwks_uri="{bundle}",
    algorithms=("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"),
    token_types=(None, "JWT", "JOSE"),
    required_claims=("aud", "sub"),
    audience="what the workload asked for",
    rights=(
        Right("SPIFFE", "nowhere: only the caller's identity", 'claim("sub", "spiffe://example.org/ns/shop/sa/cart")'),
    ),
    apart="""A JWT-SVID has no `iss`: the trust domain of `sub` stands for it, and a token with an `iss` is not of the trust
domain. Of the bundle's keys those count that sign JWTs, not those of X.509.""",
    notes="""`bundle` is the address of the trust domain's bundle. A server of SPIRE that was told a `jwt_issuer` puts an
`iss` into its tokens: trust that issuer instead, with a `TrustedIssuer`.""",
    sources=(
        Source(
            "SPIFFE: JWT-SVID",
            "https://github.com/spiffe/spiffe/blob/main/standards/JWT-SVID.md",
            "algorithms, typ, the required claims, and that sub is a SPIFFE ID",
        ),
        Source(
            "SPIFFE: Trust Domain and Bundle",
            "https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Trust_Domain_and_Bundle.md",
            "the bundle, and the use of its keys",
        ),
    ),
)
