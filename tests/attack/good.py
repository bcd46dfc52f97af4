"""Good tokens: what real issuers send and what the RFCs allow. Each must be accepted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bearward.jose.base64url import decode
from bearward.testing import json_octets
from tests.attack.case import ACCEPTED, Case, bearer
from tests.attack.signatures import ORDERS
from tests.attack.token_factory import KEYS, OUT, TokenFactory, b64, segments

__all__ = ["good"]


def good(forge: TokenFactory) -> Iterator[Case]:
    """All good cases, each under the class whose attacks it resembles."""
    yield from _presented(forge)
    yield from _algorithms(forge)
    yield from _ecdsa(forge)
    for kind, name, header in _headers(forge):
        yield bearer(kind, f"good: {name}", forge.sign(header=header), ACCEPTED)
    for kind, name, claims in _claims(forge):
        yield bearer(kind, f"good: {name}", forge.sign(claims=_spelt(forge, claims)), ACCEPTED)
    yield from _texts(forge)
    groups = forge.sign(claims={"groups": [f"group-{n:04}" for n in range(750)]})
    yield bearer("cost", "good: 13 KiB", groups, ACCEPTED, large=True)


def _presented(forge: TokenFactory) -> Iterator[Case]:
    token = forge.sign()
    for scheme in (b"Bearer", b"bearer", b"BEARER", b"bEARER", b"BeArEr"):
        yield Case("header syntax", f"good: {scheme.decode()}", ACCEPTED, (scheme + b" " + token,))
    yield Case("header syntax", "good: two spaces", ACCEPTED, (b"Bearer  " + token,))
    yield Case("header syntax", "good: ten spaces", ACCEPTED, (b"Bearer" + b" " * 10 + token,))
    yield Case("header syntax", "good: spaces around the value", ACCEPTED, (b"  Bearer " + token + b"  ",))
    tabs = (b"\tBearer " + token + b"\t",)
    yield Case("header syntax", "good: tabs around the value", ACCEPTED, tabs)


def _algorithms(forge: TokenFactory) -> Iterator[Case]:
    for kid, alg in KEYS.items():
        for name, header in {"kid and typ": {}, "without kid": {"kid": OUT}, "without typ": {"typ": OUT}}.items():
            yield bearer("key binding", f"good: {alg} {kid}, {name}", forge.sign(kid, header=header), ACCEPTED)
    for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
        token = forge.sign("any", header={"alg": alg}, alg=alg)
        yield bearer("key binding", f"good: {alg} by a key without alg", token, ACCEPTED)
    for kid, alg in (("ed25519", "Ed25519"), ("ed25519-named", "EdDSA"), ("ed448", "EdDSA")):
        token = forge.sign(kid, header={"alg": alg}, alg=alg)
        yield bearer("EdDSA", f"good: {alg} by {kid}, the same algorithm (RFC 9864)", token, ACCEPTED)
    yield bearer("RSA", "good: e = 3", forge.sign("cubic"), ACCEPTED)


def _ecdsa(forge: TokenFactory) -> Iterator[Case]:
    """RFC 7518 asks neither for a low s nor against zeros in front."""
    for kid, (size, order) in ORDERS.items():
        first, second, third = forge.parts(kid)
        octets = decode(third)
        s = int.from_bytes(octets[size:], "big")
        other = octets[:size] + (order - s).to_bytes(size, "big")
        yield bearer("ECDSA", f"good: {kid}, s", segments(first, second, third), ACCEPTED)
        yield bearer("ECDSA", f"good: {kid}, n - s", segments(first, second, b64(other)), ACCEPTED)
        yield bearer("ECDSA", f"good: {kid}, a zero in front of r", _with_zero(forge, kid, 0), ACCEPTED)
        yield bearer("ECDSA", f"good: {kid}, a zero in front of s", _with_zero(forge, kid, size), ACCEPTED)


def _with_zero(forge: TokenFactory, kid: str, where: int) -> bytes:
    """ECDSA is random: about one signature in 256 has a zero there."""
    while True:
        token = forge.sign(kid)
        if decode(token.split(b".")[2])[where] == 0:
            return token


def _headers(forge: TokenFactory) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for typ in ("JWT", "jwt", "Jwt", "at+jwt", "AT+JWT", "application/at+jwt", "application/jwt", "Application/AT+JWT"):
        yield "typ", typ, {"typ": typ}
    yield "typ", "absent", {"typ": OUT}
    for member in ("jku", "x5u"):
        yield "key injection", f"{member}, which is not followed", {member: f"{forge.canary}/{member}"}
    yield "key injection", "its own jwk, which is not looked at", {"jwk": forge.key("rsa").public_jwk()}
    yield "key injection", "a strange jwk, which is not looked at", {"jwk": forge.key("unpublished").public_jwk()}
    yield "key injection", "x5t and x5t#S256", {"x5t": "AAAA", "x5t#S256": "AAAA"}
    yield "key injection", "x5c that is no certificate", {"x5c": ["AAAA"]}
    yield "key injection", "x5c of 7 KiB, which is not looked at", {"x5c": ["A" * 2400] * 3}
    yield "header JSON", "an unregistered member", {"urn:example:any": {"a": [1, 2.5, None, True]}}
    yield "header JSON", "members of RFC 9068's kind", {"ver": "1.0", "nonce": "x", "org": "y"}
    yield "header JSON", "Unicode", {"x": "日本語 ✓ 😀"}
    yield "header JSON", "a member named exp", {"exp": 1, "iss": "other", "aud": ["other"]}
    yield "header JSON", "names that differ in case", {"ALG": "none", "Typ": "logout+jwt", "Crit": ["x"], "KID": "none"}
    yield "header JSON", "an empty name", {"": ""}
    yield "header JSON", "iss, aud and exp repeated (RFC 7519 section 5.3)", {"iss": "x", "aud": [], "exp": 1, "iat": 0}
    yield "header JSON", "3 KiB", {"x": "a" * 2800}
    yield "crit", "b64 true", {"b64": True}
    yield "JWE", "cty json", {"cty": "json"}
    yield "JWE", "cty JWT above a claims set", {"cty": "JWT"}
    yield "JWE", "epk and apu, which mean nothing here", {"epk": {"kty": "EC"}, "apu": "x", "p2c": 10**9}


def _claims(forge: TokenFactory) -> Iterator[tuple[str, str, dict[str, Any]]]:
    us, now = forge.audience, forge.now
    yield "issuer and audience", "aud a list", {"aud": [us]}
    yield "issuer and audience", "aud a list, ours last", {"aud": ["https://other.example", us]}
    yield "issuer and audience", "aud the same twice", {"aud": [us, us]}
    yield "issuer and audience", "aud with two hundred others", {"aud": [*(f"x{n}" for n in range(200)), us]}
    for claim in ("sub", "jti", "client_id", "iat"):
        yield "issuer and audience", f"without {claim}", {claim: OUT}
    yield "issuer and audience", "sub empty", {"sub": ""}
    yield "issuer and audience", "sub in Unicode", {"sub": "Ада Лавлейс 😀"}
    yield "issuer and audience", "sub with quotes and controls", {"sub": 'a"b\\c\x00\x1f\n'}
    yield (
        "issuer and audience",
        "scope and roles",
        {"scope": "notes:read", "roles": ["a"], "realm_access": {"roles": ["b"]}},
    )
    yield "issuer and audience", "act, one in another", {"act": {"sub": "a", "act": {"sub": "b"}}}
    yield "time", "exp fractional", {"exp": now + 3600.25}
    yield "time", "exp with an exponent", {"exp": 1e11}
    for spelling in ("4.1e9", "4.1E+09", "41e8", "41000000000e-1", "4100000000.000"):
        yield "time", f"exp {spelling}", {"exp": _Number(spelling)}
    for spelling in ("1.7e9", "1E9", "0.0", "-0", "1700000000.5"):
        yield "time", f"nbf and iat {spelling}", {"nbf": _Number(spelling), "iat": _Number(spelling)}
    yield "issuer and audience", "only iss, aud and exp", dict.fromkeys(("sub", "client_id", "iat", "jti"), OUT)
    yield "time", "exp far ahead", {"exp": 10**15}
    yield "time", "exp in 30 digits", {"exp": 10**30}
    yield "time", "exp 1e299", {"exp": 1e299}
    yield "time", "nbf now", {"nbf": now}
    yield "time", "nbf 0", {"nbf": 0}
    yield "time", "nbf fractional", {"nbf": now - 10.75}
    yield "time", "iat 0", {"iat": 0}
    yield "time", "iat fractional", {"iat": now - 1.5}
    yield "time", "iat negative", {"iat": -1}
    yield "time", "iat after exp's issue, nbf before", {"iat": now - 1, "nbf": now - 100}
    yield "payload JSON", "null, true, numbers", {"a": None, "b": True, "c": -0.0, "d": 1e-7, "e": 2**63, "f": -(2**64)}
    yield "payload JSON", "an empty name", {"": 1}
    yield "payload JSON", "names that look like others", {"Exp": 1, "exp ": 1, "еxp": 1}  # noqa: RUF001
    yield "payload JSON", "empty containers", {"a": [], "b": {}, "c": [[]], "d": [{}]}
    yield "payload JSON", "twelve levels", {"a": [[[[[[[[[[1]]]]]]]]]]}
    yield "payload JSON", "brackets and quotes in strings", {"a": '[{"', "b": '":', "c": '","a":"'}
    yield (
        "payload JSON",
        "the same name at two levels",
        {"a": {"sub": "x", "exp": 1}, "b": [{"sub": "y"}, {"sub": "z"}]},
    )
    yield "cost", "3 KiB of claims", {"groups": [f"group-{n}" for n in range(230)]}
    yield "cost", "a hundred claims", {f"claim{n}": n for n in range(100)}


class _Number(str):
    """A number in a spelling that `json` would not choose."""

    __slots__ = ()


def _spelt(forge: TokenFactory, changes: dict[str, Any]) -> dict[str, Any] | bytes:
    """The changes; or, where a number is to be spelt, the whole claims set as octets."""
    spelt = {value for value in changes.values() if isinstance(value, _Number)}
    if not spelt:
        return changes
    text = json.dumps(forge.claims(**changes))
    for number in spelt:
        text = text.replace(f'"{number}"', number)
    return text.encode()


def _texts(forge: TokenFactory) -> Iterator[Case]:
    """The same claims in other spellings."""
    claims = forge.claims()
    texts = {
        "indented": json.dumps(claims, indent=4),
        "tabs and CRLF": json.dumps(claims, indent="\t").replace("\n", "\r\n"),
        "white space around": " \t\r\n" + json.dumps(claims) + "\n",
        "members sorted": json.dumps(claims, sort_keys=True),
        "members the other way round": json.dumps(dict(reversed(list(claims.items())))),
        "escaped slashes": json.dumps(claims).replace("/", "\\/"),
        "a name in escapes": json.dumps(claims).replace('"exp"', '"\\u0065xp"'),
        "a value in escapes": json.dumps(claims).replace('"ada"', '"\\u0061d\\u0061"'),
        "a pair of surrogates": json.dumps(forge.claims(sub="😀")),
        "exp with a fraction of zero": json.dumps(claims).replace(f"{claims['exp']}", f"{claims['exp']}.0"),
        "exp with an exponent of zero": json.dumps(claims).replace(f"{claims['exp']}", f"{claims['exp']}e0"),
    }
    for name, text in texts.items():
        yield bearer("payload JSON", f"good: {name}", forge.sign(claims=text.encode()), ACCEPTED)
    members = forge.header(forge.key("rsa"))
    headers = {
        "indented": json.dumps(members, indent=2),
        "the other way round": json.dumps(dict(reversed(list(members.items())))),
        "white space around": "\n " + json.dumps(members) + " \n",
        "alg in escapes": json_octets(members).decode().replace('"alg":"RS256"', '"\\u0061lg":"RS\\u003256"'),
    }
    for name, text in headers.items():
        yield bearer("header JSON", f"good: {name}", forge.sign(header=text.encode()), ACCEPTED)
