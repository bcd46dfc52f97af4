"""What an explanation says: the nearest configured value, how late, which key, and never a claim's value unasked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bearward import Access, SymmetricKey, TenantIssuers, TrustedIssuer, deny, requires, right, scope
from bearward.adapters import Presented, Scheme
from bearward.dpop import DPoP, PublicOrigins
from bearward.explanation import Check, Explanation, Verdict, explain
from bearward.explanation.near_misses import audience_hint, difference, issuer_hint, scope_hint
from bearward.explanation.wording import duration
from bearward.testing import SigningKey
from tests.core.tokens import ISSUER, KEY, NOW, POLICY, key_set, token_of

HELD = key_set(KEY.public_jwk())
OTHER = SigningKey.generate("ES256", kid="other")


def explained(token: str, *policies: TrustedIssuer | TenantIssuers, **more: Any) -> Explanation:
    """The explanation of a token by the policies, `POLICY` by default, and one key."""
    return explain(token, policies or [POLICY], keys=lambda _: HELD, now=NOW, **more)


def wrong(explanation: Explanation) -> Check:
    """The first wrong check."""
    check = explanation.first_wrong
    assert check is not None
    assert check.refusal is explanation.refusal
    return check


def test_good_token_has_no_wrong_check() -> None:
    """Every check is right, in the order of a verification."""
    found = explained(token_of(KEY))
    assert found.accepted
    assert {check.verdict for check in found.checks} == {Verdict.RIGHT}
    names = [check.name for check in found.checks]
    assert names == [
        "form", "header", "payload", "issuer", "algorithm", "type", "expiry", "not before", "issued at", "key",
        "signature", "required claims", "audience", "names",
    ]  # fmt: skip


STEPS: list[tuple[str, str, str]] = [
    ("https://login.example/", "https://login.example", "with a slash at its end"),
    ("https://login.example", "https://login.example/", "without the slash at its end"),
    (" https://login.example", "https://login.example", "with white space around it"),
    ("https://Login.example", "https://login.example", "with different capitalization"),
    ("http://login.example", "https://login.example", "with http:// in place of https://"),
    ("login.example", "https://login.example", "without https://"),
    (
        "https://login.example/.well-known/openid-configuration",
        "https://login.example",
        "with the path of its metadata",
    ),
    ("https://login.example:8443", "https://login.example", "on another port"),
    ("https://login.example:443", "https://login.example", "with its port written out or left out"),
    (
        "https://sts.windows.net/11111111-2222-3333-4444-555555555555/",
        "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
        "in its v1 form: the token is of version 1, the configured issuer of version 2",
    ),
    (
        "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
        "https://sts.windows.net/11111111-2222-3333-4444-555555555555/",
        "in its v2 form: the token is of version 2, the configured issuer of version 1",
    ),
    ("https://login.example/tenant", "https://login.example/tenant/v2.0", "with another version in its path"),
    (
        "https://login.example/realms/dev",
        "https://login.example/realms/prod",
        "with another tenant (or realm) in its path",
    ),
    (
        "https://dev.login.example/",
        "https://prod.login.example/",
        "with another first label in its host (another tenant?)",
    ),
    ("https://login.example/oauth2/default/x", "https://login.example", "with another path"),
    ("https://elsewhere.example", "https://login.example", ""),
    ("https://login.example:x", "https://login.example", ""),
    ("", "https://login.example", ""),
]


@pytest.mark.parametrize(("said", "configured", "how"), STEPS)
def test_difference_names_the_usual_mistake(said: str, configured: str, how: str) -> None:
    """Slash, case, scheme, port, tenant, version: one line says what lies between two values."""
    assert difference(said, configured) == how
    assert bool(issuer_hint(said, [configured])) == bool(how)


def test_nearest_of_several_issuers_is_named() -> None:
    """The smallest difference counts, not the first in the list."""
    hint = issuer_hint("https://a.example/x/", ["https://a.example/y", "https://a.example/x"])
    assert "https://a.example/x with a slash at its end" in hint


def test_issuer_that_misses_by_a_slash_is_named_with_the_slash() -> None:
    """The commonest mistake of all reads as what it is."""
    check = wrong(explained(token_of(KEY, iss=f"{ISSUER}/")))
    assert (check.name, check.asked) == ("issuer", ISSUER)
    assert (
        check.hint
        == f"near miss: the token's issuer is {ISSUER} with a slash at its end; an issuer is compared exactly"
    )


TENANTS = TenantIssuers("https://login.example/{tenant}/v2.0", audience="api", tenants=frozenset({"blue"}))


@pytest.mark.parametrize(
    ("issuer", "hint"),
    [
        ("https://login.example/red/v2.0", "its tenant is not among tenants"),
        ("https://login.example/blue/v2.0/", "{tenant}/v2.0 with a slash at its end"),
        ("https://elsewhere.example", "no configured issuer is similar"),
        ("x" * 3000, "no configured issuer is similar"),
    ],
)
def test_template_of_tenants_has_near_misses_too(issuer: str, hint: str) -> None:
    """What misses a template is compared with the template."""
    assert hint in wrong(explained(token_of(KEY, iss=issuer), TENANTS)).hint


AUDIENCES: list[tuple[list[str], list[str], str]] = [
    (["https://api.example/"], ["https://api.example"], "with a slash at its end"),
    (["orders"], ["api://orders"], "without api://"),
    (["api://orders"], ["orders"], "with api:// before it"),
    (["x", "HTTPS://API.EXAMPLE"], ["https://api.example"], "with different capitalization"),
    (["web"], ["https://api.example"], "it may be an ID token"),
    (["https://mail.example"], ["https://api.example"], ""),
]


@pytest.mark.parametrize(("said", "configured", "hint"), AUDIENCES)
def test_audience_that_misses_by_little_is_named(said: list[str], configured: list[str], hint: str) -> None:
    """An audience has near misses as an issuer has; that of a client gives an ID token away."""
    found = audience_hint(said, configured, client_ids=["web"])
    assert hint in found
    assert bool(hint) == bool(found)


REFUSED: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("expired", {"exp": NOW - 130}, "expiry", "expired 2 min 10 s ago", "leeway would have to be above 2 min 10 s"),
    ("long expired", {"exp": NOW - 86400 * 3}, "expiry", "expired 3 d ago", "get a new token"),
    ("expiry as text", {"exp": "soon"}, "expiry", "hidden", "number of seconds"),
    ("ahead", {"iat": NOW + 20}, "issued at", "20 s in the future", "set future_leeway to 20 s or more"),
    ("milliseconds", {"iat": NOW * 1000}, "issued at", "thousands of years", "milliseconds"),
    ("not yet", {"nbf": NOW + 7200}, "not before", "2 h in the future", "clock"),
    ("audience", {"aud": "api/"}, "audience", "hidden", "api with a slash at its end"),
    ("audience of another", {"aud": ["mail", "files"]}, "audience", "an array of 2 (hidden)", "another service"),
    ("ID token", {"aud": "web", "nonce": "n"}, "audience", "hidden", "ID token"),
    ("no audience", {"aud": None}, "audience", "no aud", "have the issuer name this service"),
    ("odd audience", {"aud": 1}, "audience", "a number (hidden)", "must be a string"),
    ("subject", {"sub": 1}, "names", "sub of another type", ""),
    ("bound", {"cnf": {"jkt": "x"}}, "confirmation", "bound to a key", "must prove a key"),
    ("no expiry", {"exp": None}, "required claims", "no exp", "have the issuer send it"),
    ("no issuer", {"iss": None}, "issuer", "no iss", "must name its issuer"),
]


@pytest.mark.parametrize(
    ("claims", "name", "found", "hint"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_wrong_claim_says_how_it_is_wrong(claims: dict[str, Any], name: str, found: str, hint: str) -> None:
    """What was found, and what to look at."""
    check = wrong(explained(token_of(KEY, **claims)))
    assert check.name == name
    assert found in check.found
    assert hint in check.hint


HEADERS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"alg": "none"}, "algorithm", "none", "never accepted"),
    ({"alg": "HS256"}, "algorithm", "HS256", "shared secret"),
    ({"alg": "ES256K"}, "algorithm", "ES256K", "leaves ES256K out"),
    ({"alg": "<script>"}, "algorithm", "an algorithm that is not known", "RFC 7518"),
    ({"typ": "dpop+jwt"}, "type", "dpop+jwt", "DPoP proof"),
    ({"typ": "secret-name"}, "type", "another typ", "another purpose"),
    ({"kid": "unheard-of"}, "key", "a kid that the issuer's set does not hold", 'the set holds 1 key ("k")'),
    ({"alg": "RS256"}, "key", 'kid "k", which the issuer has', "that key is for ES256"),
    ({"alg": "RS256", "kid": None}, "key", "no kid", "the set holds keys for ES256"),
]


@pytest.mark.parametrize(("header", "name", "found", "hint"), HEADERS)
def test_wrong_header_says_how_it_is_wrong(header: dict[str, Any], name: str, found: str, hint: str) -> None:
    """Names of the RFCs and the issuer's own key ids are repeated, any other text of a token is not."""
    check = wrong(explained(token_of(KEY, header=header)))
    assert (check.name, check.found) == (name, found)
    assert hint in check.hint


FORMS: list[tuple[str, str]] = [
    ("", "empty"),
    ("opaque", "opaque token"),
    ("a.b", "signature is missing"),
    ("Bearer a.b.c", "begins with bearer"),
    ("a.b\n.c", "line break"),
    ('"a.b.c"', "quotes"),
    ("a.b.c\u00e9", "characters in it that no token has"),
    ("a+.b=.c", "base64"),
    ("a.b.c.d.e", "JWE"),
    ('{"payload": ""}', "JSON"),
    ("x" * 100_000, "less into it"),
]


@pytest.mark.parametrize(("text", "hint"), FORMS, ids=[row[1] for row in FORMS])
def test_text_that_is_no_token_says_what_it_may_be(text: str, hint: str) -> None:
    """A token with a line break, an opaque one, a JWE: the form is wrong, and nothing after it is reached."""
    found = explained(text)
    assert hint in wrong(found).hint
    assert {check.verdict for check in found.checks[1:]} == {Verdict.NOT_REACHED}


def test_checks_after_the_first_wrong_one_are_judged_too() -> None:
    """One look finds all that is wrong; a verification stops at the first."""
    found = explained(token_of(OTHER, header={"kid": "k"}, exp=NOW - 1, aud="mail"))
    assert [check.name for check in found.checks if check.verdict is Verdict.WRONG] == [
        "expiry",
        "signature",
        "audience",
    ]
    assert found.code == "token_expired"


def test_keys_that_are_not_held_are_the_reason() -> None:
    """Without keys the signature is not reached, and the claims are judged all the same."""
    found = explain(token_of(KEY), [POLICY], keys=lambda _: None, now=NOW)
    assert found.code == "keys_unavailable"
    assert [check.name for check in found.checks if check.verdict is Verdict.NOT_REACHED] == ["signature"]


FURTHER: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"client_ids": "app"}, {"client_id": "web"}, "client", "app"),
    ({"expected_claims": {"token_use": "access"}}, {"token_use": "id"}, "expected claims", 'token_use: "access"'),
    ({"refused_claims": "nonce"}, {"nonce": "n"}, "refused claims", "no nonce"),
    ({"subject_claim": "oid"}, {}, "caller", "a caller in oid"),
    ({"authorized_parties": "web"}, {"azp": "mail"}, "authorized party", "web"),
    ({"required_claims": "jti"}, {}, "required claims", "exp, jti"),
    ({"sender": "constrained"}, {}, "confirmation", "no cnf, as no proof of possession is offered"),
    ({"max_token_age": 60}, {"iat": NOW - 61}, "issued at", "at most 1 min ago"),
]


@pytest.mark.parametrize(("settings", "claims", "name", "asked"), FURTHER)
def test_further_rules_of_an_issuer_are_checks_of_their_own(
    settings: dict[str, Any], claims: dict[str, Any], name: str, asked: str
) -> None:
    """What an issuer's settings ask is asked in their words, and only where it is asked."""
    policy = TrustedIssuer(ISSUER, audience="api", **settings)
    check = wrong(explained(token_of(KEY, **claims), policy))
    assert check.name == name
    assert asked in check.asked


RULES: list[tuple[Access, str, str]] = [
    (requires(scope("notes:read")), "without notes:read", "with different capitalization"),
    (requires(scope("write")), "without write", "another prefix"),
    (requires(scope("absent")), "2 scopes, without absent", "ask the issuer for the scope"),
    (requires(right("admin")), "2 scopes", "claim"),
    (deny, "2 scopes", "refuses everyone"),
]


@pytest.mark.parametrize(("rule", "found", "hint"), RULES)
def test_access_rule_is_the_last_check(rule: Access, found: str, hint: str) -> None:
    """What the token lacks is named; what it grants is hidden, unless a scope is near."""
    explanation = explained(token_of(KEY, scope="NOTES:READ api://orders/write"), access=rule)
    check = wrong(explanation)
    assert check == explanation.checks[-1]
    assert (check.name, check.asked) == ("access rule", repr(rule))
    assert found in check.found
    assert hint in check.hint
    assert scope_hint(["x"], ["x"]) == ""


def test_proof_of_possession_is_judged_where_something_was_presented() -> None:
    """A bound token under Bearer, and a bearer token where DPoP is required."""
    presented = Presented(Scheme.BEARER, "")
    bound = explained(token_of(KEY, cnf={"jkt": "x"}), presented=presented)
    assert (wrong(bound).name, bound.code) == ("proof of possession", "token_sender_constrained")
    required = DPoP(origins=PublicOrigins("https://api.example"), required=True)
    unbound = explained(token_of(KEY), presented=presented, dpop=required)
    assert (wrong(unbound).name, unbound.code) == ("bound token", "sender_constraint_required")


def test_symmetric_secret_is_in_no_explanation() -> None:
    """A shared secret is configuration too, and the one part of it that is never shown."""
    secret = SymmetricKey(b"not a secret, but as long as one" * 2)
    policy = TrustedIssuer(ISSUER, audience="api", symmetric_keys=[secret])
    assert "not a secret" not in explained(token_of(KEY), policy).to_text()


HOSTILE: dict[str, Any] = {
    "iss": "marker-iss",
    "sub": ["marker-sub"],
    "aud": ["marker-aud", "\x1b[31mmarker"],
    "exp": NOW - 5,
    "client_id": "marker-client",
    "azp": "marker-azp",
    "scope": "marker-scope",
    "marker-name": "marker-value",
    "cnf": {"jkt": "marker-jkt"},
}
STRICT = TrustedIssuer(
    ISSUER,
    audience="api",
    client_ids="app",
    expected_claims={"azp": "web"},
    refused_claims="marker-absent",
    authorized_parties="web",
)


@pytest.mark.parametrize("claims", [HOSTILE, {**HOSTILE, "iss": ISSUER}], ids=["another issuer", "the issuer"])
def test_values_of_claims_are_hidden_unless_they_are_asked_for(claims: dict[str, Any]) -> None:
    """Neither the lines, nor the data, nor the repr hold a value or a name that only the token says."""
    token = token_of(KEY, header={"kid": "marker-kid", "typ": "marker-typ", "alg": "marker-alg"}, **claims)
    found = explained(token, STRICT, access=requires(scope("notes:read")))
    for text in (found.to_text(), json.dumps(found.to_dict()), repr(found)):
        assert "marker" not in text.replace("marker-absent", "")


def test_claims_that_are_asked_for_are_shown_in_one_line_of_ascii() -> None:
    """What a terminal would act on is escaped, and what is long is cut."""
    found = explained(token_of(KEY, aud=["\x1b[31mred\n", "x" * 500]), show_claims=True)
    check = wrong(found)
    assert check.found.startswith('["\\u001b[31mred\\n", "xxx')
    assert check.found.isascii()
    assert len(check.found) < 150
    assert found.to_text().isprintable() or "\x1b" not in found.to_text()


def test_explanation_is_plain_data() -> None:
    """As JSON it says what was wrong, by code, and for each check what was asked and found."""
    data = json.loads(json.dumps(explained(token_of(KEY, exp=NOW)).to_dict()))
    assert (data["accepted"], data["code"]) == (False, "token_expired")
    line = next(check for check in data["checks"] if check["verdict"] == "wrong")
    assert line.keys() == {"name", "verdict", "asked", "found", "code", "hint"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "0.2 s"),
        (9.99, "10 s"),
        (60, "1 min"),
        (3601, "1 h"),
        (1e300, "more than 1000 years"),
        (-61, "1 min 1 s"),
    ],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    """The two largest, as people say them."""
    assert duration(seconds) == text
