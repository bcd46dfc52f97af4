"""The sixty requests of the how-to's scenario: what a caller sends, and what must come of it.

Rules of this file: cases are data. A request is the values of its Authorization headers (an API key where it goes
through the gateway), and the verdict that our backend must give: `accepted`, a refusal's code, or `gateway` where the
gateway refuses by itself.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.interop.forgeries import forgeries, untrusted_signer
from tests.interop.sheet import ACCEPTED
from tests.interop.tokens import b64, joined, unb64

__all__ = ["DIFFERENCES", "Sent", "sixty"]

Sign = Callable[[str, str], str]
"""The text of a header and of a payload to a compact JWS."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One request; `front`: through the gateway."""

    name: str
    wanted: str
    authorization: tuple[str, ...]
    front: bool = False


DIFFERENCES = {
    "a logout token": "jose looks at `typ` only where it is told one; a logout token is signed by the same key",
    "bound to a key that nobody proved": "jose does not know `cnf` (RFC 7800): the token is no bearer token",
    "issued in the future": "jose looks at `iat` only where a maximum age is asked for",
    "sub is a number": "jose does not check the type of `sub` (RFC 7519 section 4.1.2)",
    "a member twice in the payload": "JSON.parse keeps the last of two; RFC 7519 section 4 lets a verifier refuse",
    "a member twice in the header": "JSON.parse keeps the last of two; RFC 7515 section 4 lets a verifier refuse",
}
"""Where Hono with jose accepts and we refuse, or the other way round: the reason. Nothing else may differ."""


def sixty(issuer: str, audience: str, algorithm: str, sign: Sign, jwks: dict[str, Any]) -> list[Sent]:
    """All of them, for tokens that the gateway signs with `algorithm`."""
    maker = _Maker(issuer, audience, algorithm, sign)
    sent = [*_front(), *_headers(maker.token()), *_claims(maker), *_forms(maker)]
    known = {one.name for one in sent}
    for name, token, wanted in forgeries(maker.token(), jwks):
        if token is not None and name not in known:
            sent.append(Sent(name, wanted, (f"Bearer {token}",)))
    return sent


class _Maker:
    def __init__(self, issuer: str, audience: str, algorithm: str, sign: Sign) -> None:
        self.header = {"alg": algorithm, "kid": "gateway-1", "typ": "JWT"}
        now = int(time.time())
        self.claims = {"iss": issuer, "aud": audience, "sub": "ada", "iat": now, "exp": now + 300}
        self.sign = sign

    def token(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A token of the gateway's own key, with these changes; None takes a member away."""
        return self.sign(json.dumps(_changed(self.header, header or {})), json.dumps(_changed(self.claims, changes)))


def _changed(members: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **changes}.items() if value is not None}


def _front() -> Iterator[Sent]:
    yield Sent("an API key", ACCEPTED, ("Bearer key-of-ada",), front=True)
    yield Sent("another consumer's API key", ACCEPTED, ("Bearer key-of-grace",), front=True)
    yield Sent("an API key, scheme in lower case", ACCEPTED, ("bearer key-of-ada",), front=True)
    yield Sent("an API key that nobody has", "gateway", ("Bearer key-of-mallory",), front=True)
    yield Sent("no API key", "gateway", (), front=True)


def _headers(token: str) -> Iterator[Sent]:
    """How the token is presented (RFC 6750 section 2.1, RFC 9110 section 11.4)."""
    yield Sent("good", ACCEPTED, (f"Bearer {token}",))
    yield Sent("scheme in lower case", ACCEPTED, (f"bearer {token}",))
    yield Sent("no header", "credentials_missing", ())
    yield Sent("the scheme alone", "credentials_malformed", ("Bearer",))
    yield Sent("the token without a scheme", "bearer_scheme_missing", (token,))
    yield Sent("another scheme", "credentials_missing", ("Basic YWRhOmxvdmVsYWNl",))
    yield Sent("a scheme that begins like Bearer", "bearer_scheme_missing", (f"Bearerx {token}",))
    yield Sent("two tokens in one header", "credentials_malformed", (f"Bearer {token} {token}",))
    yield Sent("a comma after the token", "credentials_malformed", (f"Bearer {token},",))
    yield Sent("the header twice", "credentials_repeated", (f"Bearer {token}", f"Bearer {token}"))


def _claims(maker: _Maker) -> Iterator[Sent]:
    now = int(time.time())
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("several audiences", ACCEPTED, {"aud": ["https://other.example", maker.claims["aud"]]}),
        ("no subject", ACCEPTED, {"sub": None}),
        ("fractional times", ACCEPTED, {"iat": now - 0.5, "exp": now + 300.5}),
        ("Unicode", ACCEPTED, {"name": "Åda 🐻"}),
        ("expired", "token_expired", {"iat": now - 600, "exp": now - 300}),
        ("expired this second", "token_expired", {"exp": now}),
        ("no expiry", "claim_missing", {"exp": None}),
        ("exp is a string", "claim_malformed", {"exp": str(now + 300)}),
        ("not yet valid", "token_not_yet_valid", {"nbf": now + 300}),
        ("issued in the future", "token_issued_in_future", {"iat": now + 300}),
        ("another audience", "audience_mismatch", {"aud": "https://other.example"}),
        ("no audience", "claim_missing", {"aud": None}),
        ("another issuer", "issuer_untrusted", {"iss": "https://evil.example"}),
        ("issuer with an extra slash", "issuer_untrusted", {"iss": f"{maker.claims['iss']}/"}),
        ("no issuer", "claim_missing", {"iss": None}),
        ("sub is a number", "claim_malformed", {"sub": 7}),
        ("bound to a key that nobody proved", "token_sender_constrained", {"cnf": {"jkt": "x"}}),
    ]
    for name, wanted, changes in cases:
        yield Sent(name, wanted, (f"Bearer {maker.token(**changes)}",))


def _forms(maker: _Maker) -> Iterator[Sent]:
    """The token's form and header."""
    token = maker.token()
    head, body, tail = token.split(".")
    yield Sent("typ at+jwt", ACCEPTED, (f"Bearer {maker.token({'typ': 'at+jwt'})}",))
    yield Sent("no typ", ACCEPTED, (f"Bearer {maker.token({'typ': None})}",))
    yield Sent("kid absent", ACCEPTED, (f"Bearer {maker.token({'kid': None})}",))
    yield Sent("a logout token", "token_type_not_allowed", (f"Bearer {maker.token({'typ': 'logout+jwt'})}",))
    yield Sent("five segments", "token_encrypted", (f"Bearer {token}.{head}.{tail}",))
    yield Sent("payload is no JSON", "payload_malformed", (f"Bearer {maker.sign(json.dumps(maker.header), 'hello')}",))
    header, claims = json.dumps(maker.header), json.dumps(maker.claims)
    twice = maker.sign(header, claims[:-1] + ', "aud": "https://api.example"}')
    yield Sent("a member twice in the payload", "payload_malformed", (f"Bearer {twice}",))
    twice = maker.sign(header[:-1] + ', "typ": "JWT"}', claims)
    yield Sent("a member twice in the header", "header_malformed", (f"Bearer {twice}",))
    yield Sent(
        "a signature of another token",
        "signature_invalid",
        (f"Bearer {head}.{body}.{maker.token(sub='eve').split('.')[2]}",),
    )
    yield Sent("padding in the payload", "credentials_malformed", (f"Bearer {head}.{body}=.{tail}",))
    yield Sent("unencoded payload", "payload_unencoded", (f"Bearer {_b64_false(maker)}",))
    other = untrusted_signer("RS256" if maker.header["alg"] == "EdDSA" else "EdDSA")
    crossed = other({**maker.header, "alg": "RS256" if maker.header["alg"] == "EdDSA" else "EdDSA"}, maker.claims)
    yield Sent(
        "signed by another kind of key",
        "key_unsuitable",
        (f"Bearer {crossed}",),
    )


def _b64_false(maker: _Maker) -> str:
    """RFC 7797 section 3, marked critical as it must be; the signature is of the encoded form."""
    header = {**maker.header, "b64": False, "crit": ["b64"]}
    return joined(header, maker.claims, unb64(b64(bytes(64))))
