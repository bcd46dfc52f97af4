"""The one table: what a caller presents, and what must come of it, whoever asks the question.

Rules of this file: data. Each row names itself, says how its Authorization values are made from real issuers, and what
is expected: the subject that is admitted, or the code of the refusal. The core alone, a grpc.aio server, a grpc.server
and a Sanic server are all held to it; a third adapter is too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bearward.testing import LocalIssuer, SigningKey, json_octets, tamper

__all__ = ["ALGORITHMS", "AUDIENCE", "CASES", "SCOPE", "Case", "Fixtures"]

AUDIENCE = "https://api.example"
SCOPE = "notes:read"
ALGORITHMS = ("RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA", "Ed448")
_SUBJECT = "subject"


@dataclass(frozen=True, slots=True)
class Fixtures:
    """A trusted issuer, and one that nobody trusts."""

    issuer: LocalIssuer
    untrusted_issuer: LocalIssuer

    def honest(self, **options: Any) -> str:
        """A token of the trusted issuer."""
        return self.issuer.mint(**options)

    def header(self, **members: Any) -> bytes:
        """The header of an honest token, with `members` on top."""
        key = self.issuer.key()
        return json_octets({"alg": key.alg, "typ": "at+jwt", "kid": key.kid, **members})

    def claims(self) -> bytes:
        """The payload of an honest token."""
        return json_octets({"iss": self.issuer.url, "aud": AUDIENCE, "sub": _SUBJECT, "exp": 4_000_000_000})

    def signed(self, header: bytes, payload: bytes) -> str:
        """Any octets, correctly signed by the trusted issuer."""
        return self.issuer.sign_segments(header, payload)


@dataclass(frozen=True, slots=True)
class Case:
    """One row: `present` makes the Authorization values; `expected` is a code, or a subject where `granted`."""

    name: str
    present: Callable[[Fixtures], Sequence[str]]
    expected: str
    granted: bool = False
    needs_scope: bool = False


def _ok(name: str, make: Callable[[Fixtures], str], **options: Any) -> Case:
    return Case(name, lambda fixtures: [f"Bearer {make(fixtures)}"], _SUBJECT, granted=True, **options)


def _no(code: str, name: str, make: Callable[[Fixtures], str], **options: Any) -> Case:
    return Case(name, lambda fixtures: [f"Bearer {make(fixtures)}"], code, **options)


def _minted(code: str, name: str, **options: Any) -> Case:
    return _no(code, name, lambda fixtures: fixtures.honest(**options))


_STRANGE_KEY = SigningKey.generate("ES256")

_GRANTED = (
    *(_ok(f"signed by {alg}", partial(Fixtures.honest, alg=alg)) for alg in ALGORITHMS),
    _ok("typ JWT", lambda fixtures: fixtures.honest(headers={"typ": "JWT"})),
    _ok("typ as a full media type", lambda fixtures: fixtures.honest(headers={"typ": "application/at+jwt"})),
    _ok("no typ", lambda fixtures: fixtures.honest(without_headers=["typ"])),
    _ok("one of several audiences", lambda fixtures: fixtures.honest(aud=["https://other.example", AUDIENCE])),
    _ok("exp with a fraction", lambda fixtures: fixtures.honest(exp=4_000_000_000.5)),
    _ok("unknown claims", lambda fixtures: fixtures.honest(claims={"https://example.com/a": {"b": [None, 1.5]}})),
    _ok("the scope that is needed", lambda fixtures: fixtures.honest(scope=f"x {SCOPE}"), needs_scope=True),
    Case("scheme in lower case", lambda fixtures: [f"bearer {fixtures.honest()}"], _SUBJECT, granted=True),
)

_PRESENTED = (
    Case("no credentials", lambda _: [], "credentials_missing"),
    Case("another scheme", lambda _: ["Basic YWRhOnB3"], "credentials_missing"),
    Case("a token without its scheme", lambda fixtures: [fixtures.honest()], "bearer_scheme_missing"),
    Case("a token of another scheme", lambda fixtures: [f"Token {fixtures.honest()}"], "bearer_scheme_missing"),
    Case("a scheme that starts alike", lambda _: ["Bearerish x"], "credentials_missing"),
    Case("the scheme alone", lambda _: ["Bearer"], "credentials_malformed"),
    Case("two tokens in one value", lambda fixtures: [f"Bearer {fixtures.honest()} x"], "credentials_malformed"),
    Case("twice", lambda fixtures: [f"Bearer {fixtures.honest()}"] * 2, "credentials_repeated"),
)

_FORM = (
    _no("token_malformed", "one segment", lambda _: "abc"),
    _no("token_malformed", "two segments", lambda fixtures: fixtures.honest().rpartition(".")[0]),
    _no("token_malformed", "four segments", lambda fixtures: fixtures.honest() + ".abc"),
    _no("token_encrypted", "an encrypted token", lambda fixtures: fixtures.honest() + ".abc.abc"),
    _no("token_malformed", "padding", lambda fixtures: fixtures.honest() + "="),
    _no("header_malformed", "a header that is no JSON", lambda fixtures: fixtures.signed(b"{", fixtures.claims())),
    _no("header_malformed", "a header that is an array", lambda fixtures: fixtures.signed(b"[]", fixtures.claims())),
    _no("header_malformed", "a header without alg", lambda fixtures: fixtures.signed(b"{}", fixtures.claims())),
    _no(
        "header_malformed",
        "a member twice in the header",
        lambda fixtures: fixtures.signed(fixtures.header()[:-1] + b',"alg":"ES256"}', fixtures.claims()),
    ),
    _no("payload_malformed", "a payload that is no JSON", lambda fixtures: fixtures.signed(fixtures.header(), b"{")),
    _no("payload_malformed", "a payload that is an array", lambda fixtures: fixtures.signed(fixtures.header(), b"[]")),
    _no(
        "payload_malformed",
        "a claim twice",
        lambda fixtures: fixtures.signed(fixtures.header(), fixtures.claims()[:-1] + b',"sub":"root"}'),
    ),
    _minted("header_critical", "an extension that is critical", headers={"crit": ["x"], "x": 1}),
    _minted("payload_unencoded", "an unencoded payload", headers={"crit": ["b64"], "b64": False}),
    _minted("token_compressed", "a compressed token", headers={"zip": "DEF"}),
    _no(
        "token_nested",
        "a token in a token",
        lambda fixtures: fixtures.signed(fixtures.header(cty="JWT"), fixtures.honest().encode()),
    ),
    _minted("token_type_not_allowed", "a token for another purpose", headers={"typ": "secevent+jwt"}),
    _minted("token_type_not_allowed", "a proof of possession", headers={"typ": "dpop+jwt"}),
)

_SIGNED = (
    _minted("algorithm_not_allowed", "alg none", alg="none"),
    _minted("algorithm_not_allowed", "alg NONE", alg="none", headers={"alg": "NONE"}),
    _minted("algorithm_not_allowed", "an algorithm that nobody knows", headers={"alg": "XS256"}),
    _no(
        "algorithm_not_allowed",
        "HS256 with the public key as its secret",
        lambda fixtures: fixtures.honest(
            alg="HS256", key=fixtures.issuer.key().public_pem(), kid=fixtures.issuer.key().kid
        ),
    ),
    _no("signature_invalid", "a changed claim", lambda fixtures: tamper(fixtures.honest(), sub="root")),
    _no("signature_invalid", "no signature", lambda fixtures: fixtures.honest().rpartition(".")[0] + "."),
    _no(
        "signature_invalid",
        "a key that is not published, under a kid that is",
        lambda fixtures: fixtures.honest(alg="ES256", key=_STRANGE_KEY, kid=fixtures.issuer.key("ES256").kid),
    ),
    _no(
        "signature_invalid",
        "its own key in the header",
        lambda fixtures: fixtures.honest(
            alg="ES256",
            key=_STRANGE_KEY,
            kid=fixtures.issuer.key("ES256").kid,
            headers={"jwk": _STRANGE_KEY.public_jwk()},
        ),
    ),
    _no("key_unknown", "a kid that is not published", lambda fixtures: fixtures.honest(key=_STRANGE_KEY)),
    _no(
        "key_unsuitable",
        "the kid of a key of another type",
        lambda fixtures: fixtures.honest(alg="ES256", kid=fixtures.issuer.key("RS256").kid),
    ),
)

_CLAIMS = (
    _minted("issuer_untrusted", "another issuer's name", iss="https://login.example"),
    _no("issuer_untrusted", "another issuer", lambda fixtures: fixtures.untrusted_issuer.mint(aud=AUDIENCE)),
    _no(
        "issuer_untrusted",
        "the issuer with an extra slash",
        lambda fixtures: fixtures.honest(iss=fixtures.issuer.url + "/"),
    ),
    _minted("claim_missing", "no issuer", without=["iss"]),
    _minted("audience_mismatch", "another audience", aud="https://other.example"),
    _minted("audience_mismatch", "an audience that starts alike", aud=AUDIENCE + "/"),
    _minted("claim_malformed", "an empty list of audiences", aud=[]),
    _minted("claim_missing", "no audience", without=["aud"]),
    _minted("claim_malformed", "an audience that is a number", aud=1),
    _minted("token_expired", "expired", expires_in=-1),
    _minted("token_expired", "expires at the epoch", exp=0),
    _minted("claim_missing", "no expiry", without=["exp"]),
    _minted("claim_malformed", "an expiry that is a string", exp="4000000000"),
    _minted("claim_malformed", "an expiry that is true", exp=True),
    _minted("token_not_yet_valid", "not valid yet", nbf=3_900_000_000, exp=4_000_000_000),
    _minted("token_issued_in_future", "issued in the future", iat=3_900_000_000, exp=4_000_000_000),
    _minted("claim_malformed", "a subject that is a number", sub=1),
    _minted("token_sender_constrained", "bound to a certificate", cnf={"x5t#S256": "A" * 43}),
    _minted("token_sender_constrained", "bound to a key", cnf={"jkt": "A" * 43}),
)

_RIGHTS = (
    _no("scope_insufficient", "no scope", lambda fixtures: fixtures.honest(), needs_scope=True),
    _no(
        "scope_insufficient", "another scope", lambda fixtures: fixtures.honest(scope="notes:reader"), needs_scope=True
    ),
    _no(
        "scope_insufficient",
        "the scope in capitals",
        lambda fixtures: fixtures.honest(scope="NOTES:READ"),
        needs_scope=True,
    ),
)

CASES = (*_GRANTED, *_PRESENTED, *_FORM, *_SIGNED, *_CLAIMS, *_RIGHTS)
