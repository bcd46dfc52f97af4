"""Hostile header members: keys brought along, kids that are paths, extensions, other forms, other types."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from bearward.testing import json_octets
from tests.attack.case import Case, bearer
from tests.attack.certificates import self_signed
from tests.attack.token_factory import OUT, TokenFactory, b64, segments

__all__ = ["crit", "json_serialization", "jwe", "key_injection", "kid", "typ"]

_SIGNATURE, _UNKNOWN, _HEADER = "signature_invalid", "key_unknown", "header_malformed"


def key_injection(forge: TokenFactory) -> Iterator[Case]:
    """RFC 7515 section 10.2: a token never says by which key it is to be verified (CVE-2018-0114)."""
    for name, kid in (("unpublished", "rsa"), ("unpublished-ec", "p256"), ("unpublished-ed", "ed25519")):
        for member, value in _brought(forge, name).items():
            own = forge.sign(name, header={"kid": kid, member: value})
            yield bearer("key injection", f"{member} of an unpublished {forge.key(name).alg} key", own, _SIGNATURE)
    for member, value in _brought(forge, "unpublished").items():
        unnamed = forge.sign("unpublished", header={"kid": OUT, member: value})
        yield bearer("key injection", f"{member}, without kid", unnamed, _SIGNATURE)
        foreign = forge.sign("unpublished", header={member: value})
        yield bearer("key injection", f"{member}, with that kid", foreign, _UNKNOWN)
    url = forge.canary + "/kid"
    yield bearer("key injection", "a URL as kid", forge.sign("unpublished", header={"kid": url}), _UNKNOWN)
    yield bearer(
        "key injection",
        "iss the attacker's",
        forge.sign("unpublished", claims={"iss": forge.canary}),
        "issuer_untrusted",
    )


def _brought(forge: TokenFactory, name: str) -> dict[str, Any]:
    """The members by which a token may bring its key, or say where it is."""
    key = forge.key(name)
    jwk = key.public_jwk()
    brought: dict[str, Any] = {
        "jwk": jwk,
        "jku": f"{forge.canary}/jku",
        "x5u": f"{forge.canary}/x5u",
        "jwks": {"keys": [jwk]},
        "x5t": b64(b"\x00" * 20).decode(),
        "key": json.dumps(jwk),
    }
    if jwk["kty"] != "OKP":
        brought["x5c"] = [b64encode(self_signed(key).public_bytes(Encoding.DER)).decode()]
    return brought


def kid(forge: TokenFactory) -> Iterator[Case]:
    """RFC 7515 section 4.1.4: an opaque, case-sensitive string; looked up among the issuer's keys and nowhere else."""
    strange = {
        "unknown": "another",
        "empty": "",
        "in capitals": "RSA",
        "with a space behind": "rsa ",
        "with a space before": " rsa",
        "with NUL": "rsa\x00",
        "with a line feed": "rsa\n",
        "a path": "../../../../dev/null",
        "an absolute path": "/dev/null",
        "a path with NUL": "/dev/null\x00rsa",
        "SQL": "x' UNION SELECT 'secret' -- ",
        "a command": "x|sleep 10",
        "LDAP": "*)(kid=*",
        "a template": "{{7*7}}${7*7}",
        "a log line": "x\r\nINFO accepted",
        "Unicode that folds to it": "ｒｓａ",  # noqa: RUF001
        "a lookalike": "rsа",  # noqa: RUF001
        "a thousand characters": "k" * 1000,
        "the name of a key that is no public one": "oct",
        "proto": "__proto__",
        "a number in a string": "0",
    }
    for name, value in strange.items():
        yield bearer("kid", name, forge.sign("unpublished", header={"kid": value}), _UNKNOWN)
    for name, odd in {"null": None, "a number": 0, "true": True, "a list": ["rsa"], "an object": {"rsa": 1}}.items():
        yield bearer("kid", name, forge.sign(header={"kid": odd}), _HEADER)
    yield bearer("kid", "of another published key", forge.sign(header={"kid": "any"}), _SIGNATURE)
    yield bearer("kid", "of a published key of another type", forge.sign(header={"kid": "p256"}), "key_unsuitable")
    yield bearer(
        "kid", "absent, signed with an unpublished key", forge.sign("unpublished", header={"kid": OUT}), _SIGNATURE
    )


def crit(forge: TokenFactory) -> Iterator[Case]:
    """RFC 7515 section 4.1.11: what is critical must be understood; nothing is, so every form is refused."""
    forms: dict[str, Any] = {
        "an unknown extension": ["urn:example:ext"],
        "an unknown extension that is absent": ["absent"],
        "empty list": [],
        "null": None,
        "false": False,
        "a string": "exp",
        "a number": 1,
        "an object": {"exp": True},
        "a registered name": ["alg"],
        "exp": ["exp"],
        "the same twice": ["exp", "exp"],
        "a number in the list": [1],
        "null in the list": [None],
        "crit itself": ["crit"],
        "b64 that is true": ["b64"],
    }
    for name, value in forms.items():
        extra = {"crit": value, "urn:example:ext": 1, "exp": 1, "b64": True}
        yield bearer("crit", name, forge.sign(header=extra), "header_critical")
    unencoded = "payload_unencoded"
    yield bearer("crit", "b64 false", forge.sign(header={"crit": ["b64"], "b64": False}), unencoded)
    yield bearer("crit", "b64 false, not critical", forge.sign(header={"b64": False}), unencoded)
    for name, odd in {"null": None, "a string": "false", "0": 0}.items():
        yield bearer("crit", f"b64 {name}", forge.sign(header={"b64": odd}), unencoded)
    first = b64(json.dumps(forge.header(forge.key("rsa"), b64=False, crit=["b64"])).encode())
    raw = forge.signed(first, b"{}")
    yield bearer("crit", "b64 false, braces for a payload", raw, "credentials_malformed")


def jwe(forge: TokenFactory) -> Iterator[Case]:
    """RFC 7516: an encrypted object is no bearer token here, nor is a compressed or a nested one."""
    first, second, third = forge.parts()
    for alg in ("RSA-OAEP", "dir", "ECDH-ES", "A256KW", "PBES2-HS256+A128KW", "RSA1_5"):
        header = {"alg": alg, "enc": "A256GCM", "p2c": 10**9, "p2s": "AAAA"}
        token = segments(b64(json.dumps(header).encode()), b"", b64(bytes(12)), b64(bytes(64)), b64(bytes(16)))
        yield bearer("JWE", f"five segments, {alg}", token, "token_encrypted")
    yield bearer(
        "JWE",
        "five segments, compressed",
        segments(b64(b'{"alg":"dir","enc":"A256GCM","zip":"DEF"}'), b"", second, second, third),
        "token_encrypted",
    )
    yield bearer("JWE", "enc in three segments", forge.sign(header={"enc": "A256GCM"}), "token_encrypted")
    yield bearer("JWE", "a JWS between dots", segments(b"", b"", first, second, third), "token_encrypted")
    for value in ("DEF", "none", None, True, ""):
        yield bearer("JWE", f"zip {value!r}", forge.sign(header={"zip": value}), "token_compressed")
    for value in ("JWT", "jwt", "application/jwt", "JWE", "JOSE", "JOSE+JSON"):
        yield bearer("JWE", f"cty {value}", forge.sign(header={"cty": value}, claims=forge.sign()), "token_nested")
    for odd in (None, 1, ["JWT"]):
        yield bearer("JWE", f"cty {odd!r}", forge.sign(header={"cty": odd}), _HEADER)
    yield bearer("JWE", "a token in a token, not declared", forge.sign(claims=forge.sign()), "payload_malformed")


def json_serialization(forge: TokenFactory) -> Iterator[Case]:
    """RFC 7515 section 7.2: braces are in no token68, so the credentials are what is malformed."""
    first, second, third = (part.decode() for part in forge.parts())
    signature = {"protected": first, "signature": third}
    texts = {
        "general": {"payload": second, "signatures": [signature]},
        "flattened": {"payload": second, **signature},
        "general, two signatures": {"payload": second, "signatures": [signature, signature]},
        "general, none": {"payload": second, "signatures": []},
        "unprotected header": {"payload": second, "header": {"alg": "none"}, "signature": ""},
        "no dots at all": {"payload": "x"},
    }
    for name, text in texts.items():
        token = json.dumps(text, separators=(",", ":")).encode()
        yield bearer("JSON serialization", name, token, "credentials_malformed")
        yield bearer("JSON serialization", f"{name}, encoded", b64(token), "token_malformed")
    eve = b64(json_octets(forge.claims(sub="eve"))).decode()
    polyglot = {f"  {first}.{eve}.": "", "protected": first, "payload": second, "signature": third}
    both = json.dumps(polyglot, separators=(",", ":")).encode()
    yield bearer("JSON serialization", "a polyglot of both serializations", both, "credentials_malformed")
    in_list = json.dumps([first, second, third]).encode()
    yield bearer("JSON serialization", "a list of segments", in_list, "credentials_malformed")
    dotted = segments(b64(json.dumps(texts["flattened"]).encode()), second.encode(), third.encode())
    yield bearer("JSON serialization", "flattened as a header", dotted, _HEADER)


def typ(forge: TokenFactory) -> Iterator[Case]:
    """RFC 8725 section 3.11: a token made for another purpose is no access token."""
    refused = (
        "logout+jwt", "dpop+jwt", "oauth-authz-req+jwt", "secevent+jwt", "client-authentication+jwt", "JOSE", "JOSE+JSON",
        "token-introspection+jwt", "kb+jwt", "dc+sd-jwt", "entity-statement+jwt", "openid4vci-proof+jwt", "text/jwt",
        "application/logout+jwt", "LOGOUT+JWT", "jwt ", " jwt", "at+jwt;v=1", "", "at+jwt,JWT", "id+jwt", "application/",
        "application/application/jwt",
    )  # fmt: skip
    for value in refused:
        yield bearer("typ", repr(value), forge.sign(header={"typ": value}), "token_type_not_allowed")
    kinds: dict[str, Any] = {"null": None, "a number": 1, "a list": ["JWT"], "an object": {}, "true": True}
    for name, odd in kinds.items():
        yield bearer("typ", name, forge.sign(header={"typ": odd}), _HEADER)
