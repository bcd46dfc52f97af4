"""The one table of DPoP proofs: what a caller presents, and what must come of it, whoever asks the question.

Rules of this file: data. Each row names itself, says how its `Authorization` and `DPoP` values are made, and what is
expected: that the caller is admitted, or the code of the refusal. The core alone, a grpc.aio server, a grpc.server and a
Sanic server are all held to it; a third adapter is too. Rows that no HTTP client can send are for the core alone.

The server in question offers DPoP with a window of 60 seconds, at the fixtures's own origin and at `OTHER_ORIGIN`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256, sha512
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from bearward.jose.base64url import decode, encode
from bearward.testing import DPoPClient, LocalIssuer, SigningKey, compact, json_octets, tamper

__all__ = ["DPOP_CASES", "OTHER_ORIGIN", "DPoPCase", "DPoPWorld", "client_of"]

OTHER_ORIGIN = "https://api.example"


@cache
def client_of(alg: str) -> DPoPClient:
    """A client with a key for `alg`; `RSA` is one of 2048 bits, `RSA4096` one of 4096."""
    if alg.startswith("RSA"):
        return DPoPClient(key=SigningKey.generate("PS256", bits=int(alg[3:] or 2048)))
    return DPoPClient(alg)


@dataclass(frozen=True, slots=True)
class DPoPWorld:
    """A trusted issuer, and what an honest proof for the request in question says."""

    issuer: LocalIssuer
    htm: str
    origin: str
    path: str
    now: Callable[[], float]

    @property
    def htu(self) -> str:
        """The URI of the request."""
        return self.origin + self.path

    @property
    def client(self) -> DPoPClient:
        """The client that tokens are bound to unless a row says otherwise."""
        return client_of("ES256")

    def token(self, client: DPoPClient | None = None, **options: Any) -> str:
        """A token that is bound to the key of a client."""
        return self.issuer.mint(**{"cnf": (client or self.client).cnf, **options})

    def proof(self, token: str, *, htm: str | None = None, htu: str | None = None, **options: Any) -> str:
        """A proof by `client`; honest but for what `options` say."""
        client = options.pop("client", self.client)
        made: str = client.proof(htm or self.htm, htu or self.htu, token=token, **{"iat": int(self.now()), **options})
        return made


Sent = tuple[Sequence[str], Sequence[str]]
"""The values of `Authorization`, and those of `DPoP`."""


@dataclass(frozen=True, slots=True)
class DPoPCase:
    """One row: `send` makes the values; `expected` is a code, or None if the caller is admitted."""

    name: str
    send: Callable[[DPoPWorld], Sent]
    expected: str | None
    on_the_wire: bool = True


def _with(name: str, expected: str | None, *, on_the_wire: bool = True, **options: Any) -> DPoPCase:
    """A good token with a proof that differs from an honest one by `options`; callables receive the fixtures."""

    def send(fixtures: DPoPWorld) -> Sent:
        told = {key: value(fixtures) if callable(value) else value for key, value in options.items()}
        token = fixtures.token(told.get("client"))
        return [f"DPoP {token}"], [fixtures.proof(token, **told)]

    return DPoPCase(name, send, expected, on_the_wire)


def _made(
    name: str, expected: str | None, make: Callable[[DPoPWorld, str], str], *, on_the_wire: bool = True
) -> DPoPCase:
    """A good token with the proof that `make` creates from the fixtures and the token."""

    def send(fixtures: DPoPWorld) -> Sent:
        token = fixtures.token()
        return [f"DPoP {token}"], [make(fixtures, token)]

    return DPoPCase(name, send, expected, on_the_wire)


def _token(name: str, expected: str | None, **options: Any) -> DPoPCase:
    """A token that differs by `options`, with an honest proof."""

    def send(fixtures: DPoPWorld) -> Sent:
        told = {key: value(fixtures) if callable(value) else value for key, value in options.items()}
        token = fixtures.token(**told)
        return [f"DPoP {token}"], [fixtures.proof(token)]

    return DPoPCase(name, send, expected)


def _jwk(name: str, expected: str | None, *, key: str = "ES256", **members: Any) -> DPoPCase:
    """A `jwk` with other members; one that is None is left out."""

    def send(fixtures: DPoPWorld) -> Sent:
        client = client_of(key)
        told = {name: value(client) if callable(value) else value for name, value in members.items()}
        jwk = {name: value for name, value in {**client.jwk, **told}.items() if value is not None}
        token = fixtures.token(client)
        return [f"DPoP {token}"], [fixtures.proof(token, client=client, headers={"jwk": jwk})]

    return DPoPCase(name, send, expected)


def _raw(name: str, expected: str, *, header: bytes | None = None, payload: bytes | None = None) -> DPoPCase:
    """Any octets as header or payload, correctly signed; `%s` stands for the members of an honest one."""

    def make(fixtures: DPoPWorld, token: str) -> str:
        client, iat = fixtures.client, int(fixtures.now())
        honest = json_octets(client.header()), json_octets(client.claims(fixtures.htm, fixtures.htu, token, iat=iat))
        first, second = (
            own if raw is None else raw.replace(b"%s", own[1:-1])
            for own, raw in zip(honest, (header, payload), strict=True)
        )
        return client.sign(first, second)

    return _made(name, expected, make)


def _signature(name: str, change: Callable[[bytes], bytes]) -> DPoPCase:
    """An honest proof with another signature."""

    def make(fixtures: DPoPWorld, token: str) -> str:
        header, payload, signature = map(decode, fixtures.proof(token).split("."))
        return compact(header, payload, change(signature))

    return _made(name, "dpop_signature_invalid", make)


def _age(seconds: float) -> Callable[[DPoPWorld], float]:
    """`iat`, so many seconds before now."""
    return lambda fixtures: int(fixtures.now()) - seconds


def _uri(change: Callable[[str, str], str]) -> Callable[[DPoPWorld], str]:
    """`htu`, made of origin and path."""
    return lambda fixtures: change(fixtures.origin, fixtures.path)


def _hashed(name: str, change: Callable[[bytes], str]) -> DPoPCase:
    """`ath`, made of the access token in another way."""
    return _made(
        f"ath: {name}", "dpop_token_mismatch", lambda fixtures, token: fixtures.proof(token, ath=change(token.encode()))
    )


def _hostile(name: str, expected: str) -> DPoPCase:
    """A proof of the testing kit."""
    return _made(
        f"hostile: {name}",
        expected,
        lambda fixtures, token: fixtures.client.hostile(
            name, fixtures.htm, fixtures.htu, token=token, iat=int(fixtures.now())
        ),
    )


_GRANTED = (
    *(_with(f"signed by {alg}", None, client=lambda _, alg=alg: client_of(alg)) for alg in ("ES256", "ES384", "ES512")),
    *(_with(f"signed by {alg}", None, client=lambda _: client_of("EdDSA"), alg=alg) for alg in ("EdDSA", "Ed25519")),
    *(
        _with(f"signed by {alg}", None, client=lambda _: client_of("RSA"), alg=alg)
        for alg in ("PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
    ),
    _with("typ as a full media type", None, headers={"typ": "application/dpop+jwt"}),
    _with("typ in upper case", None, headers={"typ": "DPOP+JWT"}),
    _with("a kid beside the jwk says nothing", None, headers={"kid": "another"}),
    _with("a jku says nothing", None, headers={"jku": "https://elsewhere.example/jwks"}),
    _with("an unknown member of the header", None, headers={"https://example.com/x": [1]}),
    _jwk("a jwk with kid", None, kid="k1"),
    _jwk("a jwk with its alg", None, alg="ES256"),
    _jwk("a jwk with use sig", None, use="sig"),
    _jwk("a jwk as browsers export it", None, key_ops=["verify"], ext=True),
    _jwk("a jwk of Ed25519 with alg EdDSA", None, key="EdDSA", alg="EdDSA"),
    _with("an unknown claim", None, purpose={"a": [1, None]}),
    _with("iss, sub and aud", None, iss="client", sub="client", aud="https://elsewhere.example"),
    _with("a nonce that nobody asked for", None, nonce="made-up"),
    _with("a jti of 512 characters", None, jti=lambda _: uuid4().hex.rjust(512, "j")),
    _with("a jti of one character", None, jti="é"),
    _with("iat half a window ago", None, iat=_age(30)),
    _with("iat half a window ahead", None, iat=_age(-30)),
    _with("iat with a fraction", None, iat=lambda fixtures: fixtures.now() - 1.5),
    _with("exp in the future", None, exp=_age(-20)),
    _with("nbf in the past", None, nbf=_age(20)),
    _with("htu with a query", None, htu=_uri(lambda origin, path: f"{origin}{path}?page=2&q=%20")),
    _with("htu with a fragment", None, htu=_uri(lambda origin, path: f"{origin}{path}#top")),
    _with("htu with an empty query", None, htu=_uri(lambda origin, path: f"{origin}{path}?")),
    _with("htu with the host in upper case", None, htu=_uri(lambda _, path: f"HTTPS://API.EXAMPLE{path}")),
    _with("htu with the default port", None, htu=_uri(lambda _, path: f"https://api.example:443{path}")),
    _with("htu with an empty port", None, htu=_uri(lambda _, path: f"https://api.example:{path}")),
    _with("htu of the other origin", None, htu=_uri(lambda _, path: OTHER_ORIGIN + path)),
    _with("htu with a needless escape", None, htu=_uri(lambda o, p: f"{o}{p[:-1]}%{ord(p[-1]):02X}")),
    _with("htu with a needless escape in lower case", None, htu=_uri(lambda o, p: f"{o}{p[:-1]}%{ord(p[-1]):02x}")),
    _with("htu with dot segments", None, htu=_uri(lambda origin, path: f"{origin}/a/./../x/..{path}")),
    _with("htu with encoded dots", None, htu=_uri(lambda origin, path: f"{origin}/a/%2e%2E{path}")),
    DPoPCase("the scheme in lower case", lambda w: ([f"dpop {(t := w.token())}"], [w.proof(t)]), None),
    DPoPCase("the scheme in upper case", lambda w: ([f"DPOP {(t := w.token())}"], [w.proof(t)]), None),
    DPoPCase("a bearer token", lambda w: ([f"Bearer {w.token(without=['cnf'])}"], []), None),
    DPoPCase("a bearer token with a proof of no use", lambda w: ([f"Bearer {w.token(without=['cnf'])}"], ["x"]), None),
)

_PRESENTED = (
    DPoPCase("no credentials", lambda _: ([], []), "credentials_missing"),
    DPoPCase("a proof alone", lambda w: ([], [w.proof("x")]), "credentials_missing"),
    DPoPCase("a bound token as bearer", lambda w: ([f"Bearer {w.token()}"], []), "token_sender_constrained"),
    DPoPCase(
        "a bound token as bearer, with its proof",
        lambda w: ([f"Bearer {(t := w.token())}"], [w.proof(t)]),
        "token_sender_constrained",
    ),
    DPoPCase(
        "a bearer token as DPoP",
        lambda w: ([f"DPoP {(t := w.token(without=['cnf']))}"], [w.proof(t)]),
        "token_not_bound",
    ),
    DPoPCase("no proof", lambda w: ([f"DPoP {w.token()}"], []), "dpop_proof_missing"),
    DPoPCase("an empty proof", lambda w: ([f"DPoP {w.token()}"], [""]), "dpop_proof_malformed"),
    DPoPCase("one proof twice", lambda w: ([f"DPoP {(t := w.token())}"], [w.proof(t)] * 2), "dpop_proof_repeated"),
    DPoPCase(
        "a good proof, then a bad one",
        lambda w: ([f"DPoP {(t := w.token())}"], [w.proof(t), w.proof(t, ath="x")]),
        "dpop_proof_repeated",
    ),
    DPoPCase(
        "two proofs in one value",
        lambda w: ([f"DPoP {(t := w.token())}"], [f"{w.proof(t)}, {w.proof(t)}"]),
        "dpop_proof_repeated",
    ),
    DPoPCase("the scheme alone", lambda _: (["DPoP"], []), "credentials_malformed"),
    DPoPCase("two tokens in one value", lambda w: ([f"DPoP {w.token()} x"], []), "credentials_malformed"),
    DPoPCase("a scheme that starts alike", lambda w: ([f"DPoPP {w.token()}"], []), "bearer_scheme_missing"),
    DPoPCase(
        "both schemes",
        lambda w: ([f"DPoP {(t := w.token())}", f"Bearer {t}"], [w.proof(t)]),
        "credentials_repeated",
    ),
    DPoPCase("a proof as the token", lambda w: ([f"DPoP {(p := w.proof('x'))}"], [p]), "claim_missing"),
)

_TOKENS = (
    _token("an expired token", "token_expired", expires_in=-10),
    _token("a token of another audience", "audience_mismatch", aud="https://elsewhere.example"),
    DPoPCase(
        "a token that was changed",
        lambda w: ([f"DPoP {(t := tamper(w.token(), sub='root'))}"], [w.proof(t)]),
        "signature_invalid",
    ),
    _token("cnf without members", "token_sender_constrained", cnf={}),
    _token("cnf that is no object", "token_sender_constrained", cnf=lambda w: w.client.jkt),
    _token("cnf null", "token_sender_constrained", cnf=None),
    _token("an empty jkt", "token_sender_constrained", cnf={"jkt": ""}),
    _token("a jkt that is null", "token_sender_constrained", cnf={"jkt": None}),
    _token("a jkt that is an array", "token_sender_constrained", cnf=lambda w: {"jkt": [w.client.jkt]}),
    _token("a jkt that is not ASCII", "token_sender_constrained", cnf={"jkt": "é"}),
    _token("a jwk in cnf", "token_sender_constrained", cnf=lambda w: {"jwk": w.client.jwk}),
    _token("an unknown member beside jkt", "token_sender_constrained", cnf=lambda w: {**w.client.cnf, "kid": "k"}),
    _token(
        "jkt and x5t#S256 without certificate",
        "token_sender_constrained",
        cnf=lambda w: {**w.client.cnf, "x5t#S256": "x"},
    ),
    _token("bound to a certificate alone", "token_not_bound", cnf={"x5t#S256": "x"}),
    _token("bound to another key", "dpop_key_mismatch", cnf=lambda _: client_of("ES384").cnf),
    _token("a jkt in another case", "dpop_key_mismatch", cnf=lambda w: {"jkt": w.client.jkt.swapcase()}),
    _token("a jkt with padding", "dpop_key_mismatch", cnf=lambda w: {"jkt": w.client.jkt + "="}),
    _token("the beginning of a jkt", "dpop_key_mismatch", cnf=lambda w: {"jkt": w.client.jkt[:20]}),
)

_FORM = (
    _made("one segment", "dpop_proof_malformed", lambda *_: "abc"),
    _made("two segments", "dpop_proof_malformed", lambda w, t: w.proof(t).rpartition(".")[0]),
    _made("four segments", "dpop_proof_malformed", lambda w, t: w.proof(t) + ".abc"),
    _made("an encrypted proof", "dpop_proof_malformed", lambda w, t: w.proof(t) + ".abc.abc"),
    _made("a JSON serialization", "dpop_proof_malformed", lambda *_: '{"payload":"e30"}'),
    _made("padding", "dpop_proof_malformed", lambda w, t: w.proof(t) + "="),
    _made("a scheme before the proof", "dpop_proof_malformed", lambda w, t: f"DPoP {w.proof(t)}"),
    _made(
        "a line feed within", "dpop_proof_malformed", lambda w, t: w.proof(t).replace(".", "\n.", 1), on_the_wire=False
    ),
    _made("a NUL at the end", "dpop_proof_malformed", lambda w, t: w.proof(t) + "\0", on_the_wire=False),
    _made("a lone surrogate", "dpop_proof_malformed", lambda w, t: w.proof(t) + "\ud800", on_the_wire=False),
    _with("a proof of nine thousand characters", "dpop_proof_malformed", filler="x" * 6750, on_the_wire=False),
    _raw("a header that is no JSON", "dpop_proof_malformed", header=b"{"),
    _raw("a header that is an array", "dpop_proof_malformed", header=b"[]"),
    _raw("a member twice in the header", "dpop_proof_malformed", header=b'{%s,"alg":"ES256"}'),
    _raw("a header without alg", "dpop_proof_malformed", header=b'{"typ":"dpop+jwt"}'),
    _raw("a payload that is no JSON", "dpop_proof_malformed", payload=b"{"),
    _raw("a payload that is an array", "dpop_proof_malformed", payload=b"[]"),
    _raw("a claim twice", "dpop_proof_malformed", payload=b'{%s,"htm":"POST"}'),
    _raw("a claim that is no number", "dpop_proof_malformed", payload=b'{%s,"x":NaN}'),
    _raw("a payload that nests deep", "dpop_proof_malformed", payload=b'{%s,"x":' + b"[" * 20 + b"]" * 20 + b"}"),
    _with("an extension that is critical", "dpop_proof_malformed", headers={"crit": ["x"], "x": 1}),
    _with("an unencoded payload", "dpop_proof_malformed", headers={"crit": ["b64"], "b64": False}),
    _with("a compressed proof", "dpop_proof_malformed", headers={"zip": "DEF"}),
    _made(
        "a proof in a proof",
        "dpop_proof_malformed",
        lambda w, t: w.client.sign(json_octets(w.client.header(cty="JWT")), w.proof(t).encode()),
    ),
)

_TYPES = (
    _hostile("typ of an access token", "dpop_proof_type_not_allowed"),
    _with("no typ", "dpop_proof_type_not_allowed", without_headers=["typ"]),
    _with("typ JWT", "dpop_proof_type_not_allowed", headers={"typ": "JWT"}),
    _with("typ of a logout token", "dpop_proof_type_not_allowed", headers={"typ": "logout+jwt"}),
    _with("typ with a space", "dpop_proof_type_not_allowed", headers={"typ": "dpop+jwt "}),
    _with("typ with two slashes", "dpop_proof_type_not_allowed", headers={"typ": "application/x/dpop+jwt"}),
    _made("the access token as the proof", "dpop_proof_type_not_allowed", lambda _, token: token),
)

_ALGORITHMS = (
    _hostile("unsigned", "dpop_algorithm_not_allowed"),
    _hostile("signed with a shared secret", "dpop_algorithm_not_allowed"),
    _hostile("HS256 with the public key as secret", "dpop_algorithm_not_allowed"),
    _with("ES256K", "dpop_algorithm_not_allowed", client=lambda _: client_of("ES256K")),
    _with("Ed448", "dpop_algorithm_not_allowed", client=lambda _: client_of("Ed448")),
    _with("EdDSA with a key of Ed448", "dpop_key_invalid", client=lambda _: client_of("Ed448"), alg="EdDSA"),
    _with("alg in lower case", "dpop_algorithm_not_allowed", headers={"alg": "es256"}),
    _with("an unknown alg", "dpop_algorithm_not_allowed", headers={"alg": "ML-DSA-44"}),
    _with("alg that is a number", "dpop_proof_malformed", headers={"alg": 1}),
    _with("alg of another curve", "dpop_key_invalid", headers={"alg": "ES384"}),
    _with("alg of another type of key", "dpop_key_invalid", headers={"alg": "RS256"}),
)

_NO_JWKS: tuple[Any, ...] = (None, "x", [], {}, 1)

_KEYS = (
    _hostile("without jwk", "dpop_key_invalid"),
    _hostile("private key in the header", "dpop_key_invalid"),
    *(_with(f"jwk {value!r}", "dpop_key_invalid", headers={"jwk": value}) for value in _NO_JWKS),
    _jwk("a jwk with a private exponent", "dpop_key_invalid", key="RSA", d="AQAB"),
    _jwk("a jwk with a private prime", "dpop_key_invalid", key="RSA", p="AQAB"),
    _jwk("a jwk with a secret", "dpop_key_invalid", k="AQAB"),
    _jwk("a jwk of type oct", "dpop_key_invalid", kty="oct"),
    _jwk("a jwk of an unknown type", "dpop_key_invalid", kty="AKP"),
    _jwk("a jwk for another algorithm", "dpop_key_invalid", alg="ES384"),
    _jwk("a jwk for encryption", "dpop_key_invalid", use="enc"),
    _jwk("a jwk that may sign only", "dpop_key_invalid", key_ops=["sign"]),
    _jwk("a jwk without kty", "dpop_key_invalid", kty=None),
    _jwk("a jwk without x", "dpop_key_invalid", x=None),
    _jwk("a jwk without crv", "dpop_key_invalid", crv=None),
    _jwk("a jwk of another curve", "dpop_key_invalid", crv="P-384"),
    _jwk("a point that is not on the curve", "dpop_key_invalid", y=lambda client: client.jwk["x"]),
    _jwk("a point of small order", "dpop_key_invalid", key="EdDSA", x=encode(bytes(32)).decode()),
    _jwk("an RSA key of 1024 bits", "dpop_key_invalid", key="RSA", n=encode(b"\xff" * 128).decode()),
    _jwk("an RSA key of 8192 bits", "dpop_key_invalid", key="RSA", n=encode(b"\xff" * 1024).decode()),
    _jwk("an RSA exponent of one", "dpop_key_invalid", key="RSA", e="AQ"),
    _jwk("an RSA exponent that is even", "dpop_key_invalid", key="RSA", e="Ag"),
    _jwk("a long RSA exponent", "dpop_key_invalid", key="RSA", e=encode(b"\x01" * 9).decode()),
    _jwk("an RSA key without n", "dpop_key_invalid", key="RSA", n=None),
    _hostile("made with another key", "dpop_key_mismatch"),
)

_SIGNATURES = (
    _hostile("signed by a thief", "dpop_signature_invalid"),
    _hostile("changed after it was signed", "dpop_signature_invalid"),
    _signature("an empty signature", lambda _: b""),
    _signature("a signature of zeros", lambda signature: bytes(len(signature))),
    _signature("a signature that is cut off", lambda signature: signature[:-1]),
    _signature("a signature that goes on", lambda signature: signature + b"\0"),
    _signature(
        "a signature in DER",
        lambda signature: encode_dss_signature(
            int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        ),
    ),
    _signature("r and s exchanged", lambda signature: signature[32:] + signature[:32]),
)

_NO_NONCES: tuple[Any, ...] = (7, ["x"])

_CLAIMS = (
    *(_with(f"no {name}", "dpop_claim_missing", without=[name]) for name in ("jti", "htm", "htu", "iat", "ath")),
    *(_with(f"jti {value!r}", "dpop_claim_malformed", jti=value) for value in ("", None, 7, True, ["x"], "j" * 513)),
    *(
        _with(f"iat {value!r:.20}", "dpop_claim_malformed", iat=value)
        for value in (None, True, "1800000000", [1], 10**400)
    ),
    *(_with(f"ath {value!r}", "dpop_claim_malformed", ath=value) for value in (None, 7)),
    *(_with(f"nonce {value!r}", "dpop_claim_malformed", nonce=value) for value in _NO_NONCES),
    _with("exp that is a string", "dpop_claim_malformed", exp="x"),
    _with("nbf that is a boolean", "dpop_claim_malformed", nbf=True),
    _hostile("empty jti", "dpop_claim_malformed"),
    _hostile("iat true", "dpop_claim_malformed"),
    _hostile("without ath", "dpop_claim_missing"),
)

_TIMES = (
    _with("iat a window and more ago", "dpop_proof_expired", iat=_age(75)),
    _with("iat a window and more ahead", "dpop_proof_not_yet_valid", iat=_age(-75)),
    _with("iat zero", "dpop_proof_expired", iat=0),
    _with("iat before the epoch", "dpop_proof_expired", iat=-1),
    _with("iat in milliseconds", "dpop_proof_not_yet_valid", iat=lambda fixtures: int(fixtures.now() * 1000)),
    _with("exp in the past", "dpop_proof_expired", exp=_age(10)),
    _with("nbf far in the future", "dpop_proof_not_yet_valid", nbf=_age(-500)),
    _hostile("an hour old", "dpop_proof_expired"),
    _hostile("an hour ahead", "dpop_proof_not_yet_valid"),
)

_METHODS = (
    _hostile("another method", "dpop_method_mismatch"),
    _with("htm in lower case", "dpop_method_mismatch", htm=lambda fixtures: fixtures.htm.lower()),
    _with("htm with a space", "dpop_method_mismatch", htm=lambda fixtures: f"{fixtures.htm} "),
    _with("htm PATCH", "dpop_method_mismatch", htm="PATCH"),
    _with("htm HEAD", "dpop_method_mismatch", htm="HEAD"),
    _with("htm that names all", "dpop_method_mismatch", htm="*"),
)

_URIS = (
    _hostile("another host", "dpop_uri_mismatch"),
    *(
        _with(f"htu: {name}", "dpop_uri_mismatch", htu=_uri(change))
        for name, change in {
            "another scheme": lambda _, path: f"http://api.example{path}",
            "another port": lambda _, path: f"https://api.example:8443{path}",
            "a port with zeros": lambda _, path: f"https://api.example:0443{path}",
            "another path": lambda origin, path: f"{origin}{path}x",
            "a slash at the end": lambda origin, path: f"{origin}{path}/",
            "two slashes": lambda origin, path: f"{origin}/{path}",
            "the path in another case": lambda origin, path: f"{origin}{path.swapcase()}",
            "the origin alone": lambda origin, _: origin,
            "the path alone": lambda _, path: path,
            "a path before it": lambda origin, path: f"{origin}/v1{path}",
            "user information": lambda _, path: f"https://api.example@elsewhere.example{path}",
            "user information before the host": lambda _, path: f"https://user@api.example{path}",
            "a host that begins alike": lambda _, path: f"https://api.example.elsewhere.example{path}",
            "a host with a dot at its end": lambda _, path: f"https://api.example.{path}",
            "a host that is not ASCII": lambda _, path: f"https://äpi.example{path}",
            "one slash": lambda _, path: f"https:/api.example{path}",
            "backslashes": lambda _, path: f"https:\\\\api.example{path}",
            "a backslash in the path": lambda origin, path: f"{origin}\\..{path}",
            "a space before it": lambda origin, path: f" {origin}{path}",
            "a slash that is encoded": lambda origin, path: f"{origin}/%2F{path[1:]}",
            "encoded twice": lambda o, p: f"{o}{p[:-1]}%25{ord(p[-1]):02X}",
            "a broken escape": lambda origin, path: f"{origin}{path}%",
            "the path in the query": lambda origin, path: f"{origin}?{path}",
            "the path in the fragment": lambda origin, path: f"{origin}#{path}",
            "five thousand characters": lambda origin, path: f"{origin}{path}?{'x' * 4100}",
            "dots beyond the root to another path": lambda origin, path: f"{origin}/..{path}/..",
        }.items()
    ),
)

_HASHES = (
    _hostile("ath of another token", "dpop_token_mismatch"),
    _with("an empty ath", "dpop_token_mismatch", ath=lambda _: ""),
    *(
        _hashed(name, change)
        for name, change in {
            "in hexadecimal": lambda token: sha256(token).hexdigest(),
            "with padding": lambda token: encode(sha256(token).digest()).decode() + "=",
            "by SHA-512": lambda token: encode(sha512(token).digest()).decode(),
            "of half the digest": lambda token: encode(sha256(token).digest()[:16]).decode(),
            "the token itself": lambda token: token.decode()[:43],
            "of the scheme and the token": lambda token: encode(sha256(b"DPoP " + token).digest()).decode(),
        }.items()
    ),
)

DPOP_CASES: tuple[DPoPCase, ...] = (
    *_GRANTED,
    *_PRESENTED,
    *_TOKENS,
    *_FORM,
    *_TYPES,
    *_ALGORITHMS,
    *_KEYS,
    *_SIGNATURES,
    *_CLAIMS,
    *_TIMES,
    *_METHODS,
    *_URIS,
    *_HASHES,
)
