"""Vectors: what the RFCs and Wycheproof say, beside what the layer that verifies a compact JWS says.

Rule of this file: data in, verdicts out. A verdict is the payload of a token that verifies or the code of its refusal;
where a set says only "invalid", any refusal is right. The sets outside this repository are named by `BEARWARD_VECTORS`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bearward.errors import AuthError
from bearward.jose import base64url
from bearward.jose.algorithms import ALGORITHMS
from bearward.jose.jwk import SymmetricKey, VerificationKey
from bearward.jose.jwk_set import JWKSet
from tests.vectors.compact_jws import verify_jws

__all__ = ["SUITES", "Suite", "Vector", "rfc_files"]

RFC = Path(__file__).with_name("rfc")
ANY_REFUSAL = "refused"
UNUSABLE = "no usable key"

REFUSED_ON_PURPOSE: Mapping[int, str] = {
    346: "the JWK is for PS256, the header says PS384 (RFC 7517 section 4.4)",
    347: "the JWK names ES521, which is no algorithm",
    350: "the JWK is for PS256, the header says PS384 (RFC 7517 section 4.4)",
    351: "the JWK names ES521, which is no algorithm",
    372: "a question mark is no base64url (RFC 7515 section 2)",
    373: "a question mark is no base64url (RFC 7515 section 2)",
}
"""Of Wycheproof's 401: marked valid there, refused here."""

ACCEPTED_ON_PURPOSE: Mapping[int, str] = {
    367: "octet for octet the token of 357, which is valid",
    370: "octet for octet the token of 357, which is valid",
}
"""Of Wycheproof's 401: marked invalid there, accepted here."""


@dataclass(frozen=True, slots=True)
class Vector:
    """One case: a token, the keys that it is judged with, and the right verdict."""

    name: str
    keys: Sequence[Mapping[str, Any]] = field(repr=False)
    token: str = field(repr=False)
    expected: bytes | str | None
    """The payload; or the code of the refusal, or any; None: that it verifies is enough."""

    def verdict(self) -> bytes | str:
        """The payload of the token, or the code of its refusal."""
        try:
            return verify_jws(self.token, key_set(self.keys), ALGORITHMS)
        except AuthError as error:
            return error.code
        except ValueError:  # no usable key set, or a secret that is no base64url
            return UNUSABLE

    def right(self) -> bool:
        """Whether the verdict is the expected one."""
        verdict = self.verdict()
        if self.expected is None:
            return isinstance(verdict, bytes)
        return isinstance(verdict, str) if self.expected == ANY_REFUSAL else verdict == self.expected


def key_set(keys: Sequence[Mapping[str, Any]]) -> JWKSet:
    """Secrets are configured, public keys come as a JWK Set: the two are never mixed (RFC 8725 section 2.1)."""
    if all(key.get("kty") == "oct" for key in keys):
        return JWKSet(VerificationKey.symmetric(_secret(key)) for key in keys)
    return JWKSet.parse(json.dumps({"keys": keys}).encode())


def _secret(key: Mapping[str, Any]) -> SymmetricKey:
    return SymmetricKey(base64url.decode(key["k"].encode()), key["alg"], key.get("kid"))


def rfc(file: str) -> Iterator[Vector]:
    """The vectors of one file that was written from an RFC."""
    document = json.loads((RFC / file).read_text(encoding="utf-8"))
    for vector in document["vectors"]:
        name = f"{file.removesuffix('.json')} {vector['section']} {vector['what']}"
        payload = vector.get("payload")
        expected = vector["refused"] if payload is None else payload.encode()
        yield Vector(name, vector["keys"], vector["token"], expected)


def wycheproof_signatures(path: Path) -> Iterator[Vector]:
    """`json_web_signature_test.json`: one key a group."""
    for group in json.loads(path.read_bytes())["testGroups"]:
        key = group.get("public", group["private"])
        yield from _of_group(group, [key], REFUSED_ON_PURPOSE.keys() | ACCEPTED_ON_PURPOSE.keys())


def wycheproof_keys(path: Path) -> Iterator[Vector]:
    """`json_web_key_test.json`: one JWK Set a group."""
    for group in json.loads(path.read_bytes())["testGroups"]:
        keys = group.get("public", group["private"])["keys"]
        yield from _of_group(group, keys, ())


def _of_group(group: Mapping[str, Any], keys: Sequence[Mapping[str, Any]], other: Collection[int]) -> Iterator[Vector]:
    for test in group["tests"]:
        valid = (test["result"] == "valid") is (test["tcId"] not in other)
        name = f"wycheproof {group['type']} {test['tcId']} {test['comment']}"
        yield Vector(name, keys, test["jws"], None if valid else ANY_REFUSAL)


def cookbook(folder: Path) -> Iterator[Vector]:
    """The files of RFC 7520's authors that have a compact form with its payload."""
    for path in sorted(folder.glob("*/*.json")):
        example = json.loads(path.read_bytes())
        token = example.get("output", {}).get("compact", "")
        if "signing" in example and token.count(".") == 2 and ".." not in token:
            secret = example["input"]["key"]
            key = secret if secret["kty"] == "oct" else {n: secret[n] for n in secret if n in _PUBLIC}
            unencoded = example["signing"]["protected"].get("b64") is False  # RFC 7797
            expected = "payload_unencoded" if unencoded else example["input"]["payload"].encode()
            yield Vector(f"cookbook {path.stem}", [key], token, expected)


_PUBLIC = frozenset({"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"})


@dataclass(frozen=True, slots=True)
class Suite:
    """A set of vectors: where it comes from, how many it has, and how it is read."""

    name: str
    count: int
    path: Path | None
    """None: not on this machine."""
    read: Callable[[Path], Iterator[Vector]] = field(repr=False)

    def vectors(self) -> list[Vector]:
        """All of them; none where the set is not on this machine."""
        return [] if self.path is None else list(self.read(self.path))


def _external(*parts: str) -> Path | None:
    top = os.environ.get("BEARWARD_VECTORS")
    path = Path(top, *parts) if top else None
    return path if path is not None and path.exists() else None


def rfc_files() -> list[str]:
    """The files that were written from RFCs and hold tokens."""
    return sorted(path.name for path in RFC.glob("rfc*.json"))


SUITES = (
    *(
        Suite(name.removesuffix(".json"), len(list(rfc(name))), RFC / name, lambda path: rfc(path.name))
        for name in rfc_files()
    ),
    Suite(
        "Wycheproof, signatures", 401, _external("wycheproof", "json_web_signature_test.json"), wycheproof_signatures
    ),
    Suite("Wycheproof, keys", 26, _external("wycheproof", "json_web_key_test.json"), wycheproof_keys),
    Suite("RFC 7520's authors", 6, _external("jose-cookbook"), cookbook),
)
