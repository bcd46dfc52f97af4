"""Writing DPoP proofs: honest ones and hostile ones (RFC 9449 section 4.2), and tokens that are bound to their key.

Rule of this file: it writes what it is asked to, right or wrong. No check of the verifying side is repeated here.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from typing import Any

from bearward.jose.base64url import encode
from bearward.testing.keys import SigningKey
from bearward.testing.minting import compact, json_octets, sign_segments, tamper

__all__ = ["HOSTILE_PROOFS", "DPoPClient", "access_token_hash"]


class DPoPClient:
    """A client that holds a key and makes proofs with it; `clock` returns seconds since the epoch.

    >>> client = DPoPClient()
    >>> proof = client.proof("GET", "https://api.example/notes", token="abc")
    >>> proof.count(".")
    2
    >>> sorted(client.cnf)
    ['jkt']
    """

    def __init__(self, alg: str = "ES256", *, key: SigningKey | None = None, clock: Callable[[], float] = time.time):
        self.key: SigningKey = SigningKey.generate(alg) if key is None else key
        self._clock = clock

    @property
    def jkt(self) -> str:
        """The RFC 7638 thumbprint of its key."""
        return self.key.thumbprint

    @property
    def cnf(self) -> dict[str, str]:
        """The claim that binds a token to its key: `issuer.mint(cnf=client.cnf)`."""
        return {"jkt": self.jkt}

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key, as it stands in the header of its proofs."""
        return self.key.public_jwk(use=None, alg=None, kid=None)

    def header(self, **members: Any) -> dict[str, Any]:
        """The header of an honest proof, with `members` on top."""
        return {"typ": "dpop+jwt", "alg": self.key.alg, "jwk": self.jwk, **members}

    def claims(self, htm: str, htu: str, token: str, **claims: Any) -> dict[str, Any]:
        """The claims of an honest proof, with `claims` on top."""
        honest = {"jti": uuid.uuid4().hex, "htm": htm, "htu": htu, "iat": int(self._clock())}
        return {**honest, "ath": access_token_hash(token), **claims}

    def proof(
        self,
        htm: str,
        htu: str,
        *,
        token: str,
        nonce: str | None = None,
        alg: str | None = None,
        headers: Mapping[str, Any] | None = None,
        without_headers: Collection[str] = (),
        without: Collection[str] = (),
        signed_by: SigningKey | None = None,
        **claims: Any,
    ) -> str:
        """A signed proof for a request: by default an honest one.

        `alg` is another algorithm of the same type of key, in the header and in the signature. `headers` and `claims` replace or add, `without_headers` and `without` remove, `signed_by` signs in place of the
        client's own key.
        """
        members = self.header(**({} if alg is None else {"alg": alg}) | dict(headers or {}))
        header = {name: value for name, value in members.items() if name not in without_headers}
        more = claims if nonce is None else {"nonce": nonce, **claims}
        payload = {name: value for name, value in self.claims(htm, htu, token, **more).items() if name not in without}
        return self.sign(json_octets(header), json_octets(payload), key=signed_by, alg=alg)

    def sign(self, header: bytes, payload: bytes, *, key: SigningKey | None = None, alg: str | None = None) -> str:
        """Any octets as header and payload, correctly signed."""
        return sign_segments(header, payload, self.key if key is None else key, alg)

    def hostile(self, name: str, htm: str, htu: str, *, token: str, **claims: Any) -> str:
        """The hostile proof of this name in `HOSTILE_PROOFS`; raises `KeyError` if there is none."""
        return HOSTILE_PROOFS[name](self, htm, htu, token, claims)

    def __repr__(self) -> str:
        return f"<DPoPClient {self.key.alg} {self.jkt}>"


def access_token_hash(token: str) -> str:
    """The `ath` of an access token (RFC 9449 section 4.2).

    >>> access_token_hash("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU")
    'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo'
    """
    return encode(sha256(token.encode()).digest()).decode("ascii")


_Make = Callable[[DPoPClient, str, str, str, Mapping[str, Any]], str]


def _with(*, htm: str | None = None, htu: str | None = None, **changes: Any) -> _Make:
    """An honest proof with other headers or claims."""
    method, uri = htm, htu

    def make(client: DPoPClient, htm: str, htu: str, token: str, claims: Mapping[str, Any]) -> str:
        return client.proof(method or htm, uri or htu, token=token, **{**claims, **changes})

    return make


def _jwk(**members: Any) -> _Make:
    def make(client: DPoPClient, htm: str, htu: str, token: str, claims: Mapping[str, Any]) -> str:
        return client.proof(htm, htu, token=token, headers={"jwk": {**client.jwk, **members}}, **claims)

    return make


def _unsigned(client: DPoPClient, htm: str, htu: str, token: str, claims: Mapping[str, Any]) -> str:
    header = json_octets(client.header(alg="none"))
    return compact(header, json_octets(client.claims(htm, htu, token, **claims)), b"")


def _symmetric(client: DPoPClient, htm: str, htu: str, token: str, claims: Mapping[str, Any]) -> str:
    """Signed with a secret that it brings along."""
    secret = b"0123456789abcdef0123456789abcdef"
    header = client.header(alg="HS256", jwk={"kty": "oct", "k": encode(secret).decode("ascii")})
    payload = json_octets(client.claims(htm, htu, token, **claims))
    return sign_segments(json_octets(header), payload, SigningKey.symmetric(secret))


def _confused(client: DPoPClient, htm: str, htu: str, token: str, claims: Mapping[str, Any]) -> str:
    """Signed by HS256 with the public key as a secret."""
    payload = json_octets(client.claims(htm, htu, token, **claims))
    secret = SigningKey.symmetric(client.key.public_pem())
    return sign_segments(json_octets(client.header(alg="HS256")), payload, secret)


def _another_key(client: DPoPClient, htm: str, htu: str, token: str, claims: Mapping[str, Any]) -> str:
    return DPoPClient(client.key.alg).proof(htm, htu, token=token, **claims)


def _claimed_key(client: DPoPClient, htm: str, htu: str, token: str, claims: Mapping[str, Any]) -> str:
    """The victim's key in the header, the thief's signature."""
    return client.proof(htm, htu, token=token, signed_by=SigningKey.generate("ES256"), **claims)


def _tampered(client: DPoPClient, htm: str, htu: str, token: str, claims: Mapping[str, Any]) -> str:
    return tamper(client.proof("PATCH", htu, token=token, **claims), htm=htm)


def _shifted(seconds: int) -> _Make:
    def make(client: DPoPClient, htm: str, htu: str, token: str, claims: Mapping[str, Any]) -> str:
        honest = client.claims(htm, htu, token, **claims)
        return client.proof(htm, htu, token=token, **{**claims, "iat": honest["iat"] + seconds})

    return make


HOSTILE_PROOFS: Mapping[str, _Make] = {
    "unsigned": _unsigned,
    "signed with a shared secret": _symmetric,
    "HS256 with the public key as secret": _confused,
    "made with another key": _another_key,
    "signed by a thief": _claimed_key,
    "changed after it was signed": _tampered,
    "private key in the header": _jwk(d="AQAB"),
    "typ of an access token": _with(headers={"typ": "at+jwt"}),
    "without jwk": _with(without_headers=["jwk"]),
    "without ath": _with(without=["ath"]),
    "ath of another token": _with(ath=access_token_hash("another")),
    "another method": _with(htm="DELETE"),
    "another host": _with(htu="https://elsewhere.example/"),
    "an hour old": _shifted(-3600),
    "an hour ahead": _shifted(3600),
    "iat true": _with(iat=True),
    "empty jti": _with(jti=""),
}
"""Proofs that a server must refuse, by name: a function of (client, htm, htu, token, further claims)."""
