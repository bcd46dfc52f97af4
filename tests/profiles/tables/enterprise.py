"""Tokens of identity services for companies, and of their neighbours."""

from __future__ import annotations

from functools import partial

from bearward.profiles import auth0, entra, entra_multi_tenant, okta
from tests.profiles.table import Table, no, ok

__all__ = ["TABLES"]

_TENANT, _OTHER_TENANT = "9122040d-6c67-4c5b-b112-36a304b66dad", "aaaabbbb-0000-cccc-1111-dddd2222eeee"
_API_ID, _CLIENT = "6e74172b-be56-4843-9ff4-e66a39bb12e3", "0b9f1c0e-1df5-4ad4-9d5d-4e2f7b0f7a11"
_V2, _V1 = "https://login.microsoftonline.com/{}/v2.0", "https://sts.windows.net/{}/"

_ENTRA_CLAIMS = {
    "aud": _API_ID,
    "iss": _V2.format(_TENANT),
    "iat": -1,
    "nbf": -1,
    "exp": 4500,
    "aio": "AXQAi",
    "azp": _CLIENT,
    "azpacr": "0",
    "name": "Ada",
    "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
    "scp": "access_as_user notes:read",
    "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
    "tid": _TENANT,
    "uti": "fqiBqXLPj0eQa82S-IYFAA",
    "ver": "2.0",
}
_ENTRA_OTHERS: dict[str, dict[str, object]] = {
    "v1.0": {
        "iss": _V1.format(_TENANT),
        "aud": "api://notes.example",
        "ver": "1.0",
        "appid": _CLIENT,
        "appidacr": "0",
        "azp": None,
        "azpacr": None,
    },
    "ID token": {"azp": None, "azpacr": None, "scp": None, "nonce": "678910", "aud": _CLIENT},
    "another tenant": {"iss": _V2.format(_OTHER_TENANT), "tid": _OTHER_TENANT},
}
_ENTRA_ROWS = (
    ok("a user's token"),
    ok("an application's token with roles", roles=["Notes.Read.All"], azpacr="1", without=("scp", "name")),
    ok(
        "too many groups: an overage claim", _claim_names={"groups": "src1"}, _claim_sources={"src1": {"endpoint": "x"}}
    ),
    ok("v1.0, for the application id URI", base="v1.0"),
    ok("v1.0, for the client id", base="v1.0", aud=_API_ID),
    ok("v1.0, of an application", base="v1.0", roles=["Notes.Read.All"], appidacr="1", without=("scp", "name")),
    no("claim_missing", "ID token", base="ID token"),
    no("claim_missing", "ID token, where the API is its own client", base="ID token", aud=_API_ID),
    no(
        "claim_missing",
        "v1.0 ID token for the client id",
        base="v1.0",
        aud=_API_ID,
        without=("appid", "appidacr", "scp"),
    ),
    no("audience_mismatch", "v2.0 for the application id URI", aud="api://notes.example"),
    no("claim_mismatch", "v1.0 under the issuer of v2.0", ver="1.0"),
    no("audience_mismatch", "for Microsoft Graph", aud="00000003-0000-0000-c000-000000000000"),
    no("audience_mismatch", "for another application", aud=_CLIENT),
    no("issuer_untrusted", "v1.0 without the slash", base="v1.0", iss=_V1.format(_TENANT)[:-1]),
    no("issuer_untrusted", "of B2C", iss=f"https://notes.b2clogin.com/{_TENANT}/v2.0/"),
    no("algorithm_not_allowed", "signed by ES256", header={"alg": "ES256"}),
    no("token_type_not_allowed", "no typ", header={"typ": None}),
)

_ENTRA = Table(
    name="entra",
    trust=partial(entra, tenant=_TENANT, api=_API_ID, app_id_uri="api://notes.example"),
    header={"alg": "RS256", "typ": "JWT"},
    claims=_ENTRA_CLAIMS,
    others=_ENTRA_OTHERS,
    rows=(
        *_ENTRA_ROWS,
        no("issuer_untrusted", "of another tenant", base="another tenant"),
        no("claim_mismatch", "of another tenant, under our issuer", tid=_OTHER_TENANT),
        no("issuer_untrusted", "the template of common", iss=_V2.format("{tenantid}")),
    ),
)

_ENTRA_MULTI_TENANT = Table(
    name="entra_multi_tenant",
    trust=partial(entra_multi_tenant, tenants=(_TENANT, _OTHER_TENANT), api=_API_ID, app_id_uri="api://notes.example"),
    header={"alg": "RS256", "typ": "JWT"},
    claims=_ENTRA_CLAIMS,
    others=_ENTRA_OTHERS,
    rows=(
        *_ENTRA_ROWS,
        ok("of the other tenant", base="another tenant"),
        no("issuer_untrusted", "of a tenant that is not named", iss=_V2.format(_CLIENT), tid=_CLIENT),
        no("issuer_untrusted", "the template of common", iss=_V2.format("{tenantid}")),
        no("claim_mismatch", "of one tenant, under the issuer of another", tid=_OTHER_TENANT),
        no("issuer_untrusted", "two tenants in one", iss=_V2.format(f"{_TENANT}/{_OTHER_TENANT}")),
    ),
)

_AUTH0 = Table(
    name="auth0",
    trust=partial(auth0, domain="my-domain.auth0.com", audience="https://api.example"),
    header={"alg": "RS256", "typ": "JWT"},
    claims={
        "iss": "https://my-domain.auth0.com/",
        "sub": "auth0|123456",
        "aud": ["https://api.example", "https://my-domain.auth0.com/userinfo"],
        "azp": "my_client_id",
        "exp": 86400,
        "iat": -1,
        "scope": "openid profile notes:read",
        "permissions": ["read:notes"],
        "https://notes.example/roles": ["reader"],
    },
    others={
        "ID token": {"aud": "my_client_id", "azp": None, "scope": None, "permissions": None, "nonce": "n", "sid": "s"},
        "RFC 9068": {"client_id": "my_client_id", "azp": None, "jti": "73WakrfVbNJBaAmhQtEeDv"},
    },
    rows=(
        ok("a user's token"),
        ok("RFC 9068 profile", base="RFC 9068", header={"typ": "at+jwt"}),
        ok("of an application", sub="my_client_id@clients", aud="https://api.example", gty="client-credentials"),
        ok("without scopes", without=("scope", "permissions")),
        ok("signed by PS256", header={"alg": "PS256"}),
        ok("after a token exchange", act={"sub": "agent@clients"}),
        no("audience_mismatch", "ID token", base="ID token"),
        no("audience_mismatch", "for userinfo alone", aud=["https://my-domain.auth0.com/userinfo"]),
        no("audience_mismatch", "for the management API", aud="https://my-domain.auth0.com/api/v2/"),
        no("audience_mismatch", "for another API", aud=["https://other.example"]),
        no("issuer_untrusted", "issuer without its slash", iss="https://my-domain.auth0.com"),
        no("issuer_untrusted", "of another tenant", iss="https://other.auth0.com/"),
        no("issuer_untrusted", "of the tenant's name in another region", iss="https://my-domain.eu.auth0.com/"),
        no("algorithm_not_allowed", "signed by the API's secret", header={"alg": "HS256"}),
        no("token_type_not_allowed", "no typ", header={"typ": None}),
        no("token_sender_constrained", "bound to a key", cnf={"jkt": "A" * 43}),
    ),
)

_OKTA = Table(
    name="okta",
    trust=partial(okta, org="dev-1.okta.com", audience="api://default"),
    header={"alg": "RS256"},
    claims={
        "ver": 1,
        "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
        "iss": "https://dev-1.okta.com/oauth2/default",
        "aud": "api://default",
        "iat": -1,
        "exp": 3600,
        "cid": "nmdP1fcyvdVO11AL7ECm",
        "uid": "00ujmkLgagxeRrAg20g3",
        "scp": ["openid", "notes:read"],
        "auth_time": -60,
        "sub": "ada@example.com",
    },
    others={
        "ID token": {
            "jti": "ID.4eAWJOCMB3SX8XewDfVR",
            "aud": "nmdP1fcyvdVO11AL7ECm",
            "cid": None,
            "uid": None,
            "scp": None,
            "nonce": "n",
            "at_hash": "cpqKfdQA5eH891Ff5oJr_Q",
        },
    },
    rows=(
        ok("a user's token"),
        ok("a service's token", sub="nmdP1fcyvdVO11AL7ECm", scp=["notes:write"], without=("uid", "auth_time")),
        ok("with claims of one's own", groups=["readers"]),
        ok("without scopes", without=("scp",)),
        no("claim_missing", "ID token", base="ID token"),
        no("claim_missing", "ID token for our audience", base="ID token", aud="api://default"),
        no("issuer_untrusted", "of the org's own server", iss="https://dev-1.okta.com", aud="https://dev-1.okta.com"),
        no("token_type_not_allowed", "with that server's typ", header={"typ": "application/okta-internal-at+jwt"}),
        no("issuer_untrusted", "of another authorization server", iss="https://dev-1.okta.com/oauth2/aus1"),
        no("issuer_untrusted", "of another org", iss="https://dev-2.okta.com/oauth2/default"),
        no("issuer_untrusted", "of the admin console's host", iss="https://dev-1-admin.okta.com/oauth2/default"),
        no("audience_mismatch", "for another API", aud="api://shop"),
        no("algorithm_not_allowed", "signed by ES256", header={"alg": "ES256"}),
        no("token_sender_constrained", "bound to a key", cnf={"jkt": "A" * 43}),
    ),
)

TABLES = (_ENTRA, _ENTRA_MULTI_TENANT, _AUTH0, _OKTA)
