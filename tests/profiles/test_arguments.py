"""What a wrong argument of a profile is told, word for word: the argument, and the nearest valid form."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bearward import ConfigurationError, JWKSOptions, TrustedIssuer, profiles
from bearward.profiles import trusted_by_profile
from bearward.profiles.rows.self_hosted import KEYCLOAK
from tests.profiles.table import published

API = "https://api.example"
TENANT, APP = "9122040d-6c67-4c5b-b112-36a304b66dad", "6e74172b-be56-4843-9ff4-e66a39bb12e3"
POOL, CLIENT = "eu-west-1_a1B2c3D4e", "3n4b5urk1ft4fl3mg5e62d9ado"

HTTP = "(http is for loopback, or with unsafe_allow_http)"

keycloak = partial(profiles.keycloak, realm="demo", audience=API)
entra = partial(profiles.entra, api=APP)
okta = partial(profiles.okta, audience="api://default")
auth0 = partial(profiles.auth0, domain="my-domain.auth0.com")
google = partial(profiles.google_id_token, audience="https://notes.example")
cluster = partial(profiles.kubernetes, issuer="https://kubernetes.default.svc", audience=API)

BALANCER = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/orders/50dc6c495c0c9188"
INSTANCE = "arn:aws:ec2:us-east-1:123456789012:verified-access-instance/vai-abc123xzy321a2b3c"
alb = partial(profiles.aws_alb, issuer="https://login.example", clients=CLIENT)
access = partial(profiles.aws_verified_access, issuer="https://login.example")

WRONG: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    # an ARN that is something else, or of a region whose keys are not known
    (alb, {"load_balancer": "orders"}, f"load_balancer: must be an ARN such as {BALANCER!r}"),
    (alb, {"load_balancer": BALANCER.replace("/app/", "/net/")}, f"load_balancer: must be an ARN such as {BALANCER!r}"),
    (alb, {"load_balancer": INSTANCE}, f"load_balancer: must be an ARN such as {BALANCER!r}"),
    (
        alb,
        {"load_balancer": BALANCER.replace("arn:aws:", "arn:aws-cn:").replace("eu-west-1", "cn-north-1")},
        "load_balancer: must not be of a region in China: where its keys are is not known",
    ),
    (access, {"instance": BALANCER}, f"instance: must be an ARN such as {INSTANCE!r}"),
    (
        access,
        {"instance": INSTANCE.replace("arn:aws:", "arn:aws-us-gov:").replace("us-east-1", "us-gov-west-1")},
        "instance: must not be of GovCloud or China: where its keys are is not known",
    ),
    # a host that is something else
    (keycloak, {"host": ""}, "host: must be a string such as 'keycloak.example'"),
    (keycloak, {"host": None}, "host: must be a string such as 'keycloak.example'"),
    (keycloak, {"host": "keycloak.example/"}, "host: must not end in a slash: 'keycloak.example'"),
    (keycloak, {"host": " keycloak.example"}, "host: must hold no white space, such as 'keycloak.example'"),
    (
        keycloak,
        {"host": "${KEYCLOAK_HOST}"},
        "host: must be filled in: it still holds a placeholder (such as 'keycloak.example')",
    ),
    (
        keycloak,
        {"host": "https://keycloak.example/realms/demo"},
        "host: must end before /realms, the realm is a separate argument",
    ),
    (
        keycloak,
        {"host": "keycloak.example/.well-known/openid-configuration"},
        "host: must not be the address of a document: 'keycloak.example'",
    ),
    (keycloak, {"host": "ftp://keycloak.example"}, "host: must be a host such as 'keycloak.example'"),
    (keycloak, {"host": "ada@keycloak.example"}, "host: must be a host such as 'keycloak.example'"),
    (
        keycloak,
        {"host": "http://keycloak.example"},
        f"issuer: must be an https URL to discover keys from {HTTP}; or say where the keys are: jwks_uri",
    ),
    # a realm that is something else
    (keycloak, {"host": "keycloak.example", "realm": ""}, "realm: must be a string such as 'demo'"),
    (
        keycloak,
        {"host": "keycloak.example", "realm": "/demo"},
        "realm: must be the name alone, not a URL and no slash: 'demo'",
    ),
    (keycloak, {"host": "keycloak.example", "realm": ".."}, "realm: must be a name such as 'demo'"),
    (keycloak, {"host": "keycloak.example", "realm": "a..b"}, "realm: must be a name such as 'demo'"),
    (keycloak, {"host": "keycloak.example", "realm": "demo?x"}, "realm: must be a name such as 'demo'"),
    (
        keycloak,
        {"host": "keycloak.example", "audience": "account"},
        "audience: must not be 'account', which is in every user's token: add a mapper",
    ),
    (
        keycloak,
        {"host": "keycloak.example", "audience": []},
        "audience: must be a string such as 'https://api.example', or several of them",
    ),
    (
        profiles.authentik,
        {"host": "authentik.example/application/o", "application": "notes", "client_id": "x"},
        "host: must end before /application, the slug is a separate argument",
    ),
    (
        profiles.zitadel,
        {"host": "my-instance.zitadel.cloud", "project": "notes"},
        "project: must be the number, not the name, such as '240632459014275073'",
    ),
    (
        profiles.hydra,
        {"issuer": "hydra.example", "audience": API},
        "issuer: must be the exact `iss` of the tokens, with its scheme: 'https://hydra.example/'",
    ),
    # tenants
    (
        entra,
        {"tenant": f"https://login.microsoftonline.com/{TENANT}/v2.0"},
        f"tenant: must be the id alone, not a URL: '{TENANT}'",
    ),
    (entra, {"tenant": "contoso.onmicrosoft.com"}, f"tenant: must be the id, not the name or domain: '{TENANT}'"),
    (
        entra,
        {"tenant": "common"},
        "tenant: must be one tenant's id; for several tenants there is entra_multi_tenant",
    ),
    (entra, {"tenant": TENANT, "api": "api://notes.example"}, f"api: must be the id alone, not a URL: '{APP}'"),
    (entra, {"tenant": TENANT, "versions": ()}, "versions: must be '1.0', '2.0' or both"),
    (entra, {"tenant": TENANT, "versions": ("v2.0",)}, "versions: must be '1.0', '2.0' or both"),
    (
        profiles.entra_multi_tenant,
        {"api": APP},
        "tenants: must name tenants, or every_tenant must be True: one of both",
    ),
    (
        profiles.entra_multi_tenant,
        {"api": APP, "tenants": [TENANT], "every_tenant": True},
        "tenants: must name tenants, or every_tenant must be True: one of both",
    ),
    (okta, {"org": "https://dev-1.okta.com"}, "org: must be the host alone, without a scheme: 'dev-1.okta.com'"),
    (okta, {"org": "dev-1.okta.com/"}, "org: must be the host alone, without slash and path: 'dev-1.okta.com'"),
    (okta, {"org": "dev-1-admin.okta.com"}, "org: must be the org itself, not its admin console: without '-admin'"),
    (okta, {"org": "dev 1"}, "org: must hold no white space, such as 'dev-1.okta.com'"),
    (okta, {"org": "dev_1.okta.com"}, "org: must be a host name such as 'dev-1.okta.com'"),
    (
        okta,
        {"org": "dev-1.okta.com", "authorization_server": ""},
        "authorization_server: must be a string such as 'default'",
    ),
    (
        auth0,
        {"audience": "nEi4hPz0QqWkX7vJ2cRb1TgYs6dLmAoF"},
        f"audience: must be an API's identifier, not an application's client id, whose ID tokens have it: {API!r}",
    ),
    # customers
    (
        profiles.cognito,
        {"pool": "a1B2c3D4e", "clients": CLIENT},
        f"pool: must be the pool's id with its region: '{POOL}'",
    ),
    (
        profiles.cognito,
        {"pool": "arn:aws:cognito-idp:eu-west-1:1:userpool/x", "clients": CLIENT},
        f"pool: must be the pool's id, not a URL or an ARN: '{POOL}'",
    ),
    (
        profiles.cognito,
        {"pool": "cn-north-1_a1B2", "clients": CLIENT},
        "pool: must not be in China, where Cognito has another domain: use TrustedIssuer",
    ),
    (profiles.cognito, {"pool": POOL, "clients": CLIENT, "use": "both"}, "use: must be 'access' or 'id'"),
    (profiles.cognito, {"pool": POOL, "clients": ""}, f"clients: must be a string such as '{CLIENT}'"),
    (profiles.firebase, {"project": "1234567890"}, "project: must be the project's id, not its number: 'notes-1a2b3'"),
    (
        profiles.supabase,
        {"project": "https://abcdefghijklmnopqrst.supabase.co"},
        "project: must be the reference alone, not a URL: 'abcdefghijklmnopqrst'",
    ),
    (
        profiles.clerk,
        {"frontend_api": "clerk.notes.example", "origins": "https://notes.example/"},
        "origins: must be a web origin, without slash and path: 'https://notes.example'",
    ),
    (
        profiles.clerk,
        {"frontend_api": "clerk.notes.example", "origins": "notes.example"},
        "origins: must be a web origin with its scheme: 'https://notes.example'",
    ),
    # workloads
    (
        google,
        {},
        "emails: must name who may call, such as 'notes@project.iam.gserviceaccount.com': anybody has a token",
    ),
    (
        google,
        {"emails": "notes"},
        "emails: must be an e-mail address such as 'notes@project.iam.gserviceaccount.com'",
    ),
    (
        cluster,
        {"accounts": "cart"},
        "accounts: must be namespace and name of a service account, such as 'shop/cart'",
    ),
    (
        cluster,
        {"audience": "https://kubernetes.default.svc"},
        "audience: must not be the issuer: tokens for the API server itself have it",
    ),
    (
        cluster,
        {"issuer": "https://kubernetes.default.svc/.well-known/openid-configuration"},
        "issuer: must be the `iss` of the tokens, which ends before /.well-known: 'https://kubernetes.default.svc'",
    ),
    (
        profiles.github_actions,
        {"audience": API},
        "repository_ids or owner_ids: must say whose jobs may call: GitHub Actions gives tokens to everyone",
    ),
    (
        profiles.github_actions,
        {"audience": API, "repository_ids": "octocat/my-repo"},
        "repository_ids: must be the number, not the name, such as '456789'",
    ),
    (
        profiles.gitlab,
        {"audience": API, "project_ids": [True]},
        "project_ids: must be the number, not the name, such as '456789'",
    ),
    # standards
    (
        profiles.client_assertion,
        {"client_id": "notes-web", "audience": "https://login.example"},
        "jwks_uri: must be given, or jwks: a client's keys cannot be discovered",
    ),
    # options never loosen
    (
        keycloak,
        {"host": "keycloak.example", "algorithms": ["ES256K"]},
        f"algorithms: must be among those of the profile: {', '.join(KEYCLOAK.algorithms)}",
    ),
    (
        keycloak,
        {"host": "keycloak.example", "expected_claims": {"typ": "ID"}},
        "expected_claims.typ: is decided by the profile keycloak",
    ),
    (
        profiles.cognito,
        {"pool": POOL, "clients": CLIENT, "expected_claims": {"token_use": ["access", "id"]}},
        "expected_claims.token_use: is decided by the profile cognito",
    ),
]


@pytest.mark.parametrize(("make", "arguments", "message"), WRONG, ids=range(len(WRONG)))
def test_wrong_argument_names_the_nearest_valid_form(
    make: Callable[..., Any], arguments: dict[str, Any], message: str
) -> None:
    """The message says what the argument must be, and never what it was."""
    with pytest.raises(ConfigurationError) as caught:
        make(**arguments)
    assert str(caught.value) == message


BY_NAME: list[tuple[str, dict[str, Any], str]] = [
    ("keyclock", {}, "profile: is not a profile; did you mean 'keycloak'?"),
    (
        "keycloak",
        {"host": "keycloak.example", "audience": API},
        "realm: must be given: the profile keycloak needs host, realm, audience",
    ),
    ("keycloak", {"hosts": "x"}, "hosts: is not a setting of the profile keycloak; did you mean 'host'?"),
    ("keycloak", {"token_types": ["JWT"]}, "token_types: is not a setting of the profile keycloak; these are: "),
]


@pytest.mark.parametrize(("profile", "arguments", "message"), BY_NAME, ids=range(len(BY_NAME)))
def test_wrong_name_names_the_nearest(profile: str, arguments: dict[str, Any], message: str) -> None:
    """A misspelt profile or argument, and a missing one, say what was meant."""
    with pytest.raises(ConfigurationError) as caught:
        trusted_by_profile(profile, arguments)
    assert str(caught.value).startswith(message)


def test_options_make_a_profile_stricter() -> None:
    """Fewer algorithms, more claims, a maximum age, other ways to fetch: all reach the policy."""
    fetching = JWKSOptions()
    trusted = keycloak(
        host="keycloak.example",
        algorithms=["ES256"],
        required_claims=["sid"],
        expected_claims={"acr": "1"},
        leeway=5,
        max_token_age=600,
        jwks_options=fetching,
    )
    assert trusted.algorithms == {"ES256"}
    assert {"exp", "azp", "iat", "jti", "sid"} == set(trusted.required_claims)
    assert dict(trusted.expected_claims) == {"typ": ("Bearer", "DPoP"), "acr": ("1",)}
    assert (trusted.leeway, trusted.max_token_age) == (5, 600)
    assert trusted.jwks_options is fetching


def test_keys_may_be_given_where_they_are_mirrored() -> None:
    """`jwks_uri` replaces the issuer's own, `jwks` needs no address at all."""
    mirrored = profiles.apple(client_id="example.notes.app", jwks_uri="https://mirror.example/keys")
    fixed = profiles.apple(client_id="example.notes.app", jwks=published())
    assert mirrored.jwks_uri == "https://mirror.example/keys"
    assert (fixed.jwks_uri, fixed.static_keys is None) == (None, False)


def test_ids_may_be_numbers_or_text() -> None:
    """Tokens hold them as text, which is what is compared."""
    by_number = profiles.gitlab(audience=API, project_ids=[22])
    assert by_number == profiles.gitlab(audience=API, project_ids="22")


def test_server_of_your_own_may_have_a_port_a_path_and_loopback_http() -> None:
    """`host` is where the server is, in each form that people run it."""
    issuers = [
        keycloak(host=host).issuer
        for host in (
            "Keycloak.Example:8443",
            "keycloak.example/auth",
            "https://keycloak.example",
            "http://localhost:8080",
        )
    ]
    assert issuers == [
        "https://keycloak.example:8443/realms/demo",
        "https://keycloak.example/auth/realms/demo",
        "https://keycloak.example/realms/demo",
        "http://localhost:8080/realms/demo",
    ]


def test_every_tenant_has_to_be_said() -> None:
    """A multi-tenant API that anybody may call says so."""
    for tenants in profiles.entra_multi_tenant(api=APP, every_tenant=True):
        assert not isinstance(tenants, TrustedIssuer)
        assert tenants.issuer_for("https://login.example/x") is None
    assert tenants.issuer_for(f"https://sts.windows.net/{TENANT}/") is not None


def test_load_balancer_of_govcloud_has_its_keys_elsewhere() -> None:
    """In a bucket of its region."""
    arn = BALANCER.replace("arn:aws:", "arn:aws-us-gov:").replace("eu-west-1", "us-gov-west-1")
    keys = "https://s3-us-gov-west-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-west-1/{kid}"
    assert alb(load_balancer=arn).pem_uri == keys
    assert alb(load_balancer=BALANCER).pem_uri == "https://public-keys.auth.elb.eu-west-1.amazonaws.com/{kid}"
