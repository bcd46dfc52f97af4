"""Tokens by the book, and those that are not."""

from __future__ import annotations

from functools import partial

from bearward.profiles import client_assertion, oidc_id_token, rfc9068
from tests.profiles.table import Table, no, ok

__all__ = ["TABLES"]

_API, _LOGIN = "https://api.example", "https://login.example"

_RFC9068 = Table(
    name="rfc9068",
    trust=partial(rfc9068, issuer=_LOGIN, audience=_API),
    header={"alg": "RS256", "typ": "at+jwt"},
    claims={
        "iss": _LOGIN,
        "sub": "5ba552d67",
        "aud": _API,
        "exp": 300,
        "iat": -1,
        "jti": "dbe39bf3a3ba4238a513f51d6e1691c4",
        "client_id": "s6BhdRkqt3",
        "scope": "openid notes:read",
    },
    others={"ID token": {"aud": "s6BhdRkqt3", "jti": None, "client_id": None, "scope": None, "nonce": "n"}},
    rows=(
        ok("an access token"),
        ok("typ as a full media type", header={"typ": "application/at+jwt"}),
        ok("typ in capitals", header={"typ": "AT+JWT"}),
        ok("of a login", auth_time=-60, acr="urn:mace:incommon:iap:silver", amr=["pwd", "otp"]),
        ok("with groups", groups=["readers"], roles=["reader"], entitlements=["notes"]),
        ok("signed by ES256", header={"alg": "ES256"}),
        no("token_type_not_allowed", "ID token", base="ID token", header={"typ": "JWT"}),
        no(
            "token_type_not_allowed",
            "ID token without typ, for our audience",
            base="ID token",
            aud=_API,
            header={"typ": None},
        ),
        no("token_type_not_allowed", "an access token with another typ", header={"typ": "JWT"}),
        *(
            no("claim_missing", f"without {name}", without=(name,))
            for name in ("sub", "aud", "client_id", "iat", "jti", "exp")
        ),
        no("audience_mismatch", "for another API", aud="https://other.example"),
        no("issuer_untrusted", "issuer with a slash", iss=f"{_LOGIN}/"),
        no("token_sender_constrained", "bound to a key", cnf={"jkt": "A" * 43}),
    ),
)

_ASSERTION = Table(
    name="client_assertion",
    trust=partial(client_assertion, client_id="notes-web", audience=(_LOGIN, f"{_LOGIN}/token")),
    header={"alg": "ES256", "typ": "JWT"},
    claims={"iss": "notes-web", "sub": "notes-web", "aud": _LOGIN, "jti": "…", "iat": -1, "exp": 60},
    rows=(
        ok("for the issuer"),
        ok("for the token endpoint", aud=f"{_LOGIN}/token"),
        ok("no typ", header={"typ": None}),
        ok("without iat", without=("iat",)),
        no("claim_mismatch", "on behalf of a user", sub="ada"),
        no("claim_mismatch", "in another client's name", sub="notes-job"),
        no("issuer_untrusted", "of another client", iss="notes-job", sub="notes-job"),
        no("issuer_untrusted", "of the server itself", iss=_LOGIN),
        no("audience_mismatch", "for another server", aud="https://other.example"),
        no("audience_mismatch", "for an API", aud=_API),
        no("claim_missing", "without jti", without=("jti",)),
        no("claim_missing", "without a subject", without=("sub",)),
        no("claim_missing", "that never ends", without=("exp",)),
        no("token_type_not_allowed", "an access token", header={"typ": "at+jwt"}),
        no("algorithm_not_allowed", "by the client's secret", header={"alg": "HS256"}),
    ),
)

_ID_TOKEN = Table(
    name="oidc_id_token",
    trust=partial(oidc_id_token, issuer=_LOGIN, client_id="notes-web"),
    header={"alg": "RS256"},
    claims={
        "iss": _LOGIN,
        "sub": "24400320",
        "aud": "notes-web",
        "nonce": "n-0S6_WzA2Mj",
        "exp": 300,
        "iat": -1,
        "auth_time": -60,
        "acr": "urn:mace:incommon:iap:silver",
        "at_hash": "77QmUPtjPfzWtF2AnpK9RQ",
    },
    others={
        "access token": {"aud": "notes-web", "scope": "openid notes:read", "nonce": None, "at_hash": None},
    },
    rows=(
        ok("of a login"),
        ok("typ JWT", header={"typ": "JWT"}),
        ok("with azp", azp="notes-web"),
        ok("for several audiences, azp is us", aud=["notes-web", _API], azp="notes-web"),
        ok("audience in a list", aud=["notes-web"]),
        ok("without a nonce", without=("nonce", "at_hash")),
        ok("signed by ES256", header={"alg": "ES256"}),
        no("claim_missing", "for several audiences, without azp", aud=["notes-web", _API]),
        no("claim_mismatch", "for several audiences, azp is another", aud=["notes-web", _API], azp="shop-web"),
        no("claim_mismatch", "azp is another", azp="shop-web"),
        no("audience_mismatch", "for another client", aud="shop-web"),
        no("token_type_not_allowed", "access token", base="access token", header={"typ": "at+jwt"}),
        no("claim_mismatch", "access token without its typ, for our client", base="access token"),
        no("claim_mismatch", "access token with scp", base="access token", scope=None, scp=["notes:read"]),
        no("audience_mismatch", "access token for an API", base="access token", aud=_API, scope=None),
        no("issuer_untrusted", "issuer with a slash", iss=f"{_LOGIN}/"),
        no("claim_missing", "without a subject", without=("sub",)),
        no("claim_missing", "without iat", without=("iat",)),
        no("algorithm_not_allowed", "signed by the client's secret", header={"alg": "HS256"}),
    ),
)

TABLES = (_RFC9068, _ASSERTION, _ID_TOKEN)
