"""Tokens of programs that say who they are, and of their neighbours."""

from __future__ import annotations

from functools import partial

from bearward.profiles import github_actions, gitlab, google_id_token, kubernetes, spiffe, zuplo
from tests.profiles.table import Table, no, ok

__all__ = ["TABLES"]

_API = "https://api.example"
_EMAIL, _OTHER_EMAIL = "notes@project.iam.gserviceaccount.com", "notes@other.iam.gserviceaccount.com"
_WEB = "1234987819200.apps.googleusercontent.com"

_GOOGLE_CLAIMS = {
    "aud": "https://notes.example",
    "azp": "113774264463038321964",
    "email": _EMAIL,
    "email_verified": True,
    "exp": 3600,
    "iat": -1,
    "iss": "https://accounts.google.com",
    "sub": "113774264463038321964",
}
_PERSON = {
    "azp": _WEB,
    "aud": _WEB,
    "sub": "10769150350006150715113082367",
    "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
    "hd": "example.com",
    "email": "ada@example.com",
    "nonce": "0394852-3190485-2490358",
}

_GOOGLE = Table(
    name="google_id_token",
    trust=partial(google_id_token, audience="https://notes.example", emails=_EMAIL, legacy_iss=True),
    header={"alg": "RS256", "typ": "JWT"},
    claims=_GOOGLE_CLAIMS,
    others={"person": _PERSON},
    rows=(
        ok("a service account's ID token"),
        ok("iss without its scheme", iss="accounts.google.com"),
        ok("of an instance, with its details", google={"compute_engine": {"project_id": "project"}}),
        no("claim_mismatch", "of another service account", email=_OTHER_EMAIL, sub="1", azp="1"),
        no("claim_mismatch", "of a service account in capitals", email=_EMAIL.upper()),
        no("claim_mismatch", "an address that is not verified", email_verified=False),
        no("claim_mismatch", "verified, as a string", email_verified="true"),
        no("claim_missing", "without an address", without=("email",)),
        no("audience_mismatch", "for another service", aud="https://other.example"),
        no("audience_mismatch", "for a path of our service", aud="https://notes.example/"),
        no("audience_mismatch", "a person's ID token for an application", base="person"),
        no("claim_mismatch", "a person's ID token for our audience", base="person", aud="https://notes.example"),
        no("issuer_untrusted", "iss with another scheme", iss="http://accounts.google.com"),
        no("issuer_untrusted", "made by the service account itself", iss=_EMAIL),
        no("token_type_not_allowed", "no typ", header={"typ": None}),
    ),
)

_GOOGLE_LOGIN = Table(
    name="google_id_token, people",
    trust=partial(google_id_token, audience=_WEB, expected_claims={"hd": "example.com"}),
    header={"alg": "RS256", "typ": "JWT"},
    claims={**_GOOGLE_CLAIMS, **_PERSON},
    others={"service account": {**_GOOGLE_CLAIMS, "hd": None, "nonce": None, "at_hash": None}},
    rows=(
        ok("of a person"),
        ok("with a name", name="Ada", picture="https://notes.example/ada.jpg"),
        ok("of our Android application", azp="1234987819200-abc.apps.googleusercontent.com"),
        ok("without a nonce", without=("nonce",)),
        no("claim_missing", "of a person with an account of their own", without=("hd",)),
        no("claim_mismatch", "of another company", hd="other.example"),
        no("audience_mismatch", "for another application", aud="999.apps.googleusercontent.com"),
        no("audience_mismatch", "of a service account", base="service account"),
        no("claim_missing", "of a service account, for our application", base="service account", aud=_WEB),
        no("issuer_untrusted", "iss without its scheme, which was not asked for", iss="accounts.google.com"),
        no("issuer_untrusted", "of Firebase", iss="https://securetoken.google.com/notes"),
        no("claim_missing", "without a subject", without=("sub",)),
        no("token_type_not_allowed", "an access token by its typ", header={"typ": "at+jwt"}),
    ),
)

_CLUSTER = "https://kubernetes.default.svc.cluster.local"
_KUBERNETES = Table(
    name="kubernetes",
    trust=partial(kubernetes, issuer=_CLUSTER, audience=_API, accounts=("shop/cart", "system:serviceaccount:shop:job")),
    header={"alg": "RS256"},
    claims={
        "aud": [_API],
        "exp": 3607,
        "iat": -1,
        "iss": _CLUSTER,
        "jti": "48956d44-e317-4c75-aa41-f53483733090",
        "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "cart", "uid": "ed98edcc"}},
        "nbf": -1,
        "sub": "system:serviceaccount:shop:cart",
    },
    others={
        "legacy": {
            "iss": "kubernetes/serviceaccount",
            "kubernetes.io/serviceaccount/namespace": "shop",
            "kubernetes.io": None,
            "aud": None,
            "exp": None,
            "iat": None,
            "nbf": None,
            "jti": None,
        },
    },
    rows=(
        ok("projected token of a pod"),
        ok("of the other account", sub="system:serviceaccount:shop:job"),
        ok("for several audiences", aud=["https://other.example", _API]),
        ok("without a jti", without=("jti",)),
        ok("signed by ES256", header={"alg": "ES256"}),
        no("audience_mismatch", "for the API server itself", aud=[_CLUSTER]),
        no("claim_mismatch", "of another account", sub="system:serviceaccount:shop:web"),
        no("claim_mismatch", "of an account of the same name elsewhere", sub="system:serviceaccount:stage:cart"),
        no("claim_mismatch", "of a node", sub="system:node:node-1"),
        no("issuer_untrusted", "of another cluster", iss="https://oidc.eks.eu-central-1.amazonaws.com/id/F6A7"),
        no("issuer_untrusted", "legacy token of a Secret", base="legacy"),
        no("claim_missing", "legacy token under our issuer", base="legacy", iss=_CLUSTER),
        no("claim_missing", "without expiry", without=("exp",)),
        no("claim_missing", "without the cluster's claim", without=("kubernetes.io",)),
        no("token_type_not_allowed", "with a typ", header={"typ": "JWT"}),
    ),
)

_ACTIONS = "https://token.actions.githubusercontent.com"
_GITHUB = Table(
    name="github_actions",
    trust=partial(github_actions, audience=_API, repository_ids=("456789", 456790), owner_ids=123456),
    header={"alg": "RS256", "typ": "JWT"},
    claims={
        "jti": "example-id",
        "sub": "repo:octocat/my-repo:ref:refs/heads/main",
        "aud": _API,
        "ref": "refs/heads/main",
        "ref_type": "branch",
        "ref_protected": "true",
        "repository": "octocat/my-repo",
        "repository_id": "456789",
        "repository_owner": "octocat",
        "repository_owner_id": "123456",
        "repository_visibility": "private",
        "job_workflow_ref": "octocat/my-repo/.github/workflows/ci.yml@refs/heads/main",
        "event_name": "push",
        "runner_environment": "github-hosted",
        "iss": _ACTIONS,
        "nbf": -600,
        "exp": 300,
        "iat": -1,
    },
    rows=(
        ok("of a branch"),
        ok("of a repository with ids in sub", sub="repo:octocat-123456/my-repo-456789:ref:refs/heads/main"),
        ok("of the other repository", repository_id="456790", repository="octocat/other"),
        ok("of a renamed repository", repository="octocat/renamed", sub="repo:octocat/renamed:ref:refs/heads/main"),
        ok("of an environment", environment="prod", sub="repo:octocat/my-repo:environment:prod"),
        ok("of a pull request", event_name="pull_request", sub="repo:octocat/my-repo:pull_request"),
        no("claim_mismatch", "of another repository of the owner", repository_id="456791"),
        no("claim_mismatch", "of another owner who took the name", repository_owner_id="999999"),
        no("claim_mismatch", "of another owner's repository of that name", repository_id="1", repository_owner_id="2"),
        no("claim_mismatch", "the id as a number", repository_id=456789),
        no("claim_missing", "without ids", without=("repository_id", "repository_owner_id")),
        no("audience_mismatch", "for the owner, the default", aud="https://github.com/octocat"),
        no("audience_mismatch", "for a cloud", aud="sts.amazonaws.com"),
        no("issuer_untrusted", "of a server of somebody's own", iss="https://github.example/_services/token"),
        no("issuer_untrusted", "of an enterprise's own issuer", iss=f"{_ACTIONS}/octo"),
    ),
)

_GITLAB = Table(
    name="gitlab",
    trust=partial(gitlab, audience=_API, project_ids=(22, "23"), expected_claims={"ref_protected": "true"}),
    header={"alg": "RS256", "typ": "JWT"},
    claims={
        "namespace_id": "72",
        "namespace_path": "my-group",
        "project_id": "22",
        "project_path": "my-group/my-project",
        "user_id": "1",
        "user_login": "ada",
        "pipeline_id": "574",
        "pipeline_source": "push",
        "job_id": "302",
        "ref": "main",
        "ref_type": "branch",
        "ref_protected": "true",
        "runner_environment": "gitlab-hosted",
        "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b",
        "iss": "https://gitlab.com",
        "iat": -1,
        "nbf": -6,
        "exp": 3600,
        "sub": "project_path:my-group/my-project:ref_type:branch:ref:main",
        "aud": _API,
    },
    others={
        "login": {"namespace_id": None, "project_id": None, "ref_protected": None, "sub": "1", "aud": "an-application"},
    },
    rows=(
        ok("of a protected branch"),
        ok("of the other project", project_id="23"),
        ok("of a renamed project", project_path="my-group/renamed"),
        ok("with an environment", environment="production", environment_protected="true"),
        no("claim_mismatch", "of a branch that is not protected", ref="feature", ref_protected="false"),
        no("claim_mismatch", "protected, as a boolean", ref_protected=True),
        no("claim_mismatch", "of another project", project_id="24"),
        no("claim_mismatch", "of a merge request from a fork", project_id="99", pipeline_source="merge_request_event"),
        no("claim_mismatch", "the id as a number", project_id=22),
        no("audience_mismatch", "for the server itself", aud="https://gitlab.com"),
        no("audience_mismatch", "for another service", aud="https://vault.example"),
        no("claim_missing", "ID token of a person who logged in to an application", base="login"),
        no("claim_missing", "ID token of a person, for our audience", base="login", aud=_API),
        no("issuer_untrusted", "of a server of somebody's own", iss="https://gitlab.example"),
    ),
)

_ZUPLO = Table(
    name="zuplo",
    trust=partial(zuplo, host="my-api-a32f34.zuplo.api", audience=_API),
    header={"alg": "EdDSA", "typ": "JWT"},
    claims={
        "iss": "https://my-api-a32f34.zuplo.api/__zuplo/issuer",
        "sub": "consumer-1",
        "aud": _API,
        "iat": -1,
        "exp": 300,
        "plan": "gold",
    },
    rows=(
        ok("of a consumer"),
        ok("signed by RS256", header={"alg": "RS256"}),
        ok("no typ", header={"typ": None}),
        ok("for several backends", aud=["https://other.example", _API]),
        no("claim_missing", "minted without an audience", without=("aud",)),
        no("audience_mismatch", "for your neighbour's backend", aud="https://other.example"),
        no("issuer_untrusted", "of another API", iss="https://other-b43c21.zuplo.api/__zuplo/issuer"),
        no("issuer_untrusted", "of the API's own name", iss="https://my-api-a32f34.zuplo.api"),
        no("issuer_untrusted", "of the preview environment", iss="https://my-api-main-77.zuplo.api/__zuplo/issuer"),
        no("algorithm_not_allowed", "signed by ES256", header={"alg": "ES256"}),
        no("algorithm_not_allowed", "signed by a secret", header={"alg": "HS256"}),
        no("claim_missing", "without expiry", without=("exp",)),
    ),
)

_DOMAIN = "spiffe://example.org"
_SPIFFE = Table(
    name="spiffe",
    trust=partial(
        spiffe,
        trust_domain="example.org",
        bundle="https://spire.example/bundle",
        audience=_API,
        workloads=(f"{_DOMAIN}/ns/shop/sa/cart", f"{_DOMAIN}/ns/shop/sa/job"),
    ),
    header={"alg": "ES256", "typ": "JWT"},
    claims={"sub": f"{_DOMAIN}/ns/shop/sa/cart", "aud": [_API], "exp": 300, "iat": -1},
    rows=(
        ok("of a workload"),
        ok("of the other workload", sub=f"{_DOMAIN}/ns/shop/sa/job"),
        ok("no typ", header={"typ": None}),
        ok("typ JOSE", header={"typ": "JOSE"}),
        ok("signed by RS256", header={"alg": "RS256"}),
        ok("for several audiences", aud=["https://other.example", _API]),
        ok("without iat", without=("iat",)),
        no("claim_mismatch", "of another workload", sub=f"{_DOMAIN}/ns/shop/sa/web"),
        no("issuer_untrusted", "of another trust domain", sub="spiffe://other.org/ns/shop/sa/cart"),
        no("claim_mismatch", "of another trust domain, with ours as iss", sub="spiffe://other.org/a", iss=_DOMAIN),
        no("claim_mismatch", "an ID token whose iss is the trust domain", iss=_DOMAIN),
        no("issuer_untrusted", "with the iss of SPIRE", iss="https://oidc.example.org"),
        no("claim_missing", "of the trust domain itself", sub=_DOMAIN),
        no("claim_missing", "of a path that climbs", sub=f"{_DOMAIN}/ns/../sa/cart"),
        no("claim_missing", "without a subject", without=("sub",)),
        no("claim_missing", "without an audience", without=("aud",)),
        no("audience_mismatch", "for another service", aud=["https://other.example"]),
        no("claim_missing", "without expiry", without=("exp",)),
        no("token_type_not_allowed", "a workload identity token", header={"typ": "wimse-id+jwt"}),
        no("algorithm_not_allowed", "signed by EdDSA", header={"alg": "EdDSA"}),
    ),
)

TABLES = (_GOOGLE, _GOOGLE_LOGIN, _KUBERNETES, _GITHUB, _GITLAB, _ZUPLO, _SPIFFE)
