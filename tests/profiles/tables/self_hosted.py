"""Tokens of identity servers that people run themselves, and of their neighbours."""

from __future__ import annotations

from functools import partial

from bearward.profiles import authentik, hydra, keycloak, zitadel
from tests.profiles.table import Table, no, ok

__all__ = ["TABLES"]

_API = "https://api.example"

_KEYCLOAK = Table(
    name="keycloak",
    trust=partial(keycloak, host="keycloak.example", realm="demo", audience=_API),
    header={"alg": "RS256", "typ": "JWT"},
    claims={
        "exp": 300,
        "iat": -1,
        "auth_time": -60,
        "jti": "onrtac:60f25a5e-44bd-4453-a1da-e822972013b9",
        "iss": "https://keycloak.example/realms/demo",
        "aud": [_API, "account"],
        "sub": "dca26e7c-5c6a-4f74-ab29-09ab93b0d208",
        "typ": "Bearer",
        "azp": "notes-web",
        "sid": "4d8d5e63-e5bf-406f-9a35-222e71fa57ff",
        "acr": "1",
        "realm_access": {"roles": ["default-roles-demo", "offline_access"]},
        "scope": "openid notes:read email profile",
    },
    others={
        "ID token": {
            "typ": "ID",
            "nonce": "n-0S6",
            "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
            "aud": "notes-web",
            "scope": None,
        },
    },
    rows=(
        ok("a user's token"),
        ok("a service's token", aud=_API, azp="notes-job", client_id="notes-job", without=("auth_time", "sid")),
        ok("with the switch for at+jwt", header={"typ": "at+jwt"}),
        ok("signed by PS256", header={"alg": "PS256"}),
        ok("signed by ES256", header={"alg": "ES256"}),
        ok("signed by EdDSA", header={"alg": "EdDSA"}),
        no("audience_mismatch", "ID token", base="ID token"),
        no("claim_mismatch", "ID token, where the API is its own client", base="ID token", aud=_API),
        no("claim_mismatch", "refresh token, if it were signed by a published key", typ="Refresh"),
        no("algorithm_not_allowed", "refresh token", typ="Refresh", header={"alg": "HS512"}),
        no("claim_mismatch", "logout token without its typ", typ="Logout"),
        no("claim_missing", "no typ among the claims", without=("typ",)),
        no("audience_mismatch", "no audience mapper: account", aud="account"),
        no("claim_missing", "no audience mapper and no roles: no aud", without=("aud",)),
        no("audience_mismatch", "for another application's API", aud=["https://other.example", "account"]),
        no("issuer_untrusted", "another realm", iss="https://keycloak.example/realms/other"),
        no("issuer_untrusted", "the realm of a server before 17", iss="https://keycloak.example/auth/realms/demo"),
        no("token_sender_constrained", "bound to a certificate", cnf={"x5t#S256": "A" * 43}),
        no("token_sender_constrained", "bound to a key", typ="DPoP", cnf={"jkt": "A" * 43}),
    ),
)

_ROLES = "urn:zitadel:iam:org:project:roles"
_ZITADEL = Table(
    name="zitadel",
    trust=partial(zitadel, host="my-instance.zitadel.cloud", project="240632459014275073"),
    header={"alg": "RS256"},
    claims={
        "iss": "https://my-instance.zitadel.cloud",
        "sub": "240632452546658305",
        "aud": ["240632463175024641@notes", "240632459014275073"],
        "exp": 43200,
        "iat": -1,
        "nbf": -1,
        "jti": "V2_240632469114158081-at_240632469114223617",
        "client_id": "240632463175024641@notes",
        _ROLES: {"reader": {"240632452546592769": "notes.example"}},
    },
    others={
        "ID token": {
            "jti": None,
            "nbf": None,
            "azp": "240632463175024641@notes",
            "amr": ["pwd"],
            "auth_time": -10,
            "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
            "nonce": "n",
        },
    },
    rows=(
        ok("a user's token"),
        ok("without roles", without=(_ROLES,)),
        ok("of a service user", sub="240632470000000000", client_id="notes-job"),
        ok("the project as a string", aud="240632459014275073"),
        ok("with a typ", header={"typ": "JWT"}),
        ok("of an instance whose web keys are ES256", header={"alg": "ES256"}),
        ok("with an actor", act={"sub": "240632470000000001"}),
        no("claim_missing", "ID token, whose aud holds the project too", base="ID token"),
        no("audience_mismatch", "of another project", aud=["240632463175024641@notes", "250000000000000001"]),
        no("audience_mismatch", "for the client alone", aud=["240632463175024641@notes"]),
        no("audience_mismatch", "the project's id with more behind it", aud=["2406324590142750731"]),
        no("issuer_untrusted", "of another instance", iss="https://other.zitadel.cloud"),
        no("issuer_untrusted", "issuer with a slash", iss="https://my-instance.zitadel.cloud/"),
        no("claim_missing", "no audience", without=("aud",)),
        no("algorithm_not_allowed", "signed by a secret", header={"alg": "HS256"}),
    ),
)

_AUTHENTIK = Table(
    name="authentik",
    trust=partial(authentik, host="authentik.example", application="notes", client_id="x1Yz"),
    header={"alg": "RS256", "typ": "JWT"},
    claims={
        "iss": "https://authentik.example/application/o/notes/",
        "sub": "5f2d0c9a",
        "aud": "x1Yz",
        "exp": 300,
        "iat": -1,
        "auth_time": -60,
        "acr": "goauthentik.io/providers/oauth2/default",
        "amr": ["pwd"],
        "sid": "a3f1",
        "groups": ["readers"],
        "email_verified": False,
        "azp": "x1Yz",
        "uid": "vDk0cQ3rLx9sJt7nWm2bYh5gFe8aZp1u",
    },
    others={
        "ID token": {"azp": None, "uid": None, "nonce": "n", "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q"},
        "another application": {"iss": "https://authentik.example/application/o/shop/", "aud": "s2Hp", "azp": "s2Hp"},
    },
    rows=(
        ok("a user's token"),
        ok("of a service account", without=("amr", "sid")),
        ok("signed by ES256", header={"alg": "ES256"}),
        ok("the claims of the profile in it", name="Ada", preferred_username="ada"),
        ok("no typ", header={"typ": None}),
        no("claim_missing", "ID token, whose aud is the same", base="ID token"),
        no("claim_missing", "ID token of the implicit flow", base="ID token", c_hash="LDktKdoQak3Pk0cnXxCltA"),
        no("claim_missing", "ID token with an azp", base="ID token", azp="x1Yz"),
        no("issuer_untrusted", "of another application", base="another application"),
        no("audience_mismatch", "of another application, under our issuer", aud="s2Hp", azp="s2Hp"),
        no("claim_mismatch", "for us, issued to another application", azp="s2Hp"),
        no("issuer_untrusted", "of the global issuer", iss="https://authentik.example/"),
        no("issuer_untrusted", "issuer without its slash", iss="https://authentik.example/application/o/notes"),
        no("algorithm_not_allowed", "of a provider without a signing key", header={"alg": "HS256"}),
        no("token_sender_constrained", "bound to a key", cnf={"jkt": "A" * 43}),
    ),
)

_HYDRA = Table(
    name="hydra",
    trust=partial(hydra, issuer="https://hydra.example/", audience=_API),
    header={"alg": "RS256", "typ": "JWT"},
    claims={
        "iss": "https://hydra.example/",
        "sub": "ada",
        "aud": [_API],
        "client_id": "notes-web",
        "exp": 3600,
        "iat": -1,
        "nbf": -1,
        "jti": "4a1ef1f9-5b1f-4a55-8b5c-1e1a1d3a2e52",
        "scp": ["notes:read"],
        "ext": {"role": "reader"},
    },
    others={
        "ID token": {
            "aud": ["notes-web"],
            "client_id": None,
            "scp": None,
            "ext": None,
            "nonce": "n-123",
            "auth_time": -60,
            "rat": 1,
            "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
            "sid": "s",
        },
    },
    rows=(
        ok("a user's token"),
        ok("of a client", sub="notes-job", client_id="notes-job"),
        ok("for several APIs", aud=["https://other.example", _API]),
        ok("scope as text", scope="notes:read", without=("scp",)),
        ok("scope as both", scope="notes:read"),
        ok("signed by ES256", header={"alg": "ES256"}),
        no("claim_missing", "ID token", base="ID token"),
        no("claim_missing", "ID token, where the API is its own client", base="ID token", aud=[_API]),
        no("claim_malformed", "no audience was asked for", aud=[]),
        no("audience_mismatch", "for another API", aud=["https://other.example"]),
        no("issuer_untrusted", "issuer without its slash", iss="https://hydra.example"),
        no("issuer_untrusted", "of another Hydra", iss="https://hydra.other.example/"),
        no("claim_missing", "no client", without=("client_id",)),
        no("token_type_not_allowed", "of an unknown typ", header={"typ": "id_token"}),
    ),
)

TABLES = (_KEYCLOAK, _ZITADEL, _AUTHENTIK, _HYDRA)
