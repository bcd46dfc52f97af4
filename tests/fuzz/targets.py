"""What the fuzzer calls: one function for each thing that an attacker, or a mistake, can hand us.

Rule of this file: a target takes any octets and returns, or an invariant is broken and it raises. It uses no fuzzing
library, so that each input that ever mattered is tried again by the ordinary tests.
"""

# ruff: noqa: PT017  (both answers are right: what is asserted is that there is no third)

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bearward import (
    AuthError,
    ConfigurationError,
    Principal,
    SymmetricKey,
    TrustedIssuer,
    Verifier,
    authorize,
    claim,
    recent_authentication,
    scope,
)
from bearward.challenge import challenge
from bearward.confirmation import check_certificate
from bearward.credentials import bearer_token
from bearward.jose import aws_lc
from bearward.jose.jwk import read_key
from bearward.jose.jwk_set import JWKSet, JWKSetError
from bearward.jose.strict_json import HEADER_LIMITS, JWKS_LIMITS, PAYLOAD_LIMITS, parse_object, parse_object_reference
from bearward.settings import Settings
from bearward.testing import SigningKey, compact, sign_segments

__all__ = ["TARGETS"]

NOW = 1_700_000_000.0
_SECRET = bytes(range(32))
_SIGNER = SigningKey.symmetric(_SECRET, "HS256", kid="k")
_REQUIREMENTS = (
    scope("a") | claim("a.b", "c", 1, 1.5, True),
    claim("roles", "admin") & recent_authentication(max_age=60, acr_values=("x",)),
)


class _StandingClock:
    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 1000.0


_POLICY = TrustedIssuer("i", audience="a", symmetric_keys=[SymmetricKey(_SECRET, "HS256", "k")])
_VERIFIERS = [Verifier(_POLICY, token_cache_bytes=size, clock=_StandingClock()) for size in (0, 1 << 16)]


def token(data: bytes) -> None:
    """A token: its text, or its parts unsigned, or its parts correctly signed, as the first octet says."""
    kind, rest = data[:1], data[1:]
    if kind < b"\x40":
        text = rest.decode("latin-1")
        signed = False
    else:
        header, _, payload = rest.partition(b"\x00")
        signed = kind >= b"\x80"
        text = sign_segments(header, payload, _SIGNER) if signed else compact(header, payload, b"\x00" * 32)
        _same_json(header, HEADER_LIMITS)
        _same_json(payload, PAYLOAD_LIMITS)
    verdicts = [_judge(verifier, text, allow_bound=bound) for verifier in _VERIFIERS for bound in (False, True)]
    assert verdicts[:2] == verdicts[2:], "remembered and judged anew"
    assert signed or not any(isinstance(verdict, Principal) for verdict in verdicts), "nobody signed this"


def _judge(verifier: Verifier, text: str, *, allow_bound: bool) -> object:
    try:
        principal = verifier.verify_now(text, unsafe_allow_bound=allow_bound)
    except AuthError as error:
        assert challenge(error)
        return error.refusal
    assert verifier.seconds_until_expiry(principal) > 0
    verifier.check_still_valid(principal)
    for requirement in _REQUIREMENTS:
        _refused_at_most(authorize, principal, requirement, NOW)
    _refused_at_most(check_certificate, principal, b"none")
    json.dumps(principal.to_dict())
    assert isinstance(hash(principal), int)
    assert repr(principal)
    assert all(isinstance(name, str) for name in (*principal.audience, *principal.scopes))
    assert all(isinstance(one, str | None) for one in (principal.subject, principal.client_id, principal.token_id))
    return principal


def _refused_at_most(check: Callable[..., object], *arguments: object) -> None:
    try:
        check(*arguments)
    except AuthError as error:
        assert challenge(error)


def _same_json(raw: bytes, limits: Any) -> None:
    verdicts = []
    for parse in (parse_object, parse_object_reference):
        try:
            verdicts.append(repr(parse(raw, limits)))
        except ValueError:
            verdicts.append("")
    assert verdicts[0] == verdicts[1], "the two parsers differ"


def header_value(data: bytes) -> None:
    """The values of `Authorization`, separated by NUL; the first octet says whether as text and how long at most."""
    kind = data[0] if data else 0
    octets = data[1:].split(b"\x00") if len(data) > 1 else []
    values: list[str | bytes] = (
        [*octets] if kind & 1 else [value.decode("utf-8", "surrogateescape") for value in octets]
    )
    try:
        found = bearer_token(values, max_length=kind)
    except AuthError as error:
        assert challenge(error)
        return
    assert len(values) == 1
    assert 0 < len(found) <= kind
    assert found.encode() in octets[0]
    assert not set(found) & set(" \t,\"\\'\r\n")


def key_set(data: bytes) -> None:
    """A JWK Set document."""
    _same_json(data, JWKS_LIMITS)
    try:
        held = JWKSet.parse(data)
    except JWKSetError:
        return
    assert held.keys
    assert repr(held)
    assert sum(held.rejection_counts().values()) == len(held.rejected)
    for key in held.keys:
        assert key.kty != "oct"
        assert not any(key.verify(alg, b"a.b", b"\x01" * key.signature_length) for alg in key.algorithms)


_SIGNERS = [SigningKey.generate(alg) for alg in ("RS256", "PS256", "ES256")]


def signature(data: bytes) -> None:
    """A signature that is good but for the octets given: where they begin, and what each is changed by; then the message.

    Both libraries, where there are two, say the same.
    """
    signer = _SIGNERS[data[0] % len(_SIGNERS)] if data else _SIGNERS[0]
    changes, _, message = data[3:].partition(b"\x00")
    good = signer.sign(message)
    place = int.from_bytes(data[1:3], "big") % len(good)
    bad = bytearray(good)
    for at, change in enumerate(changes[: len(good) - place], place):
        bad[at] ^= change
    verdicts = [_verifies(signer, message, bytes(bad), by_aws_lc=used) for used in {False, aws_lc.is_used()}]
    assert verdicts == [bytes(bad) == good] * len(verdicts), "the libraries differ"


def _verifies(signer: SigningKey, message: bytes, octets: bytes, *, by_aws_lc: bool) -> bool:
    before = aws_lc.is_used()
    aws_lc.use(by_aws_lc)
    try:
        return read_key(signer.public_jwk()).verify(signer.alg, message, octets)
    finally:
        aws_lc.use(before)


def settings(data: bytes) -> None:
    """A configuration file, or, where the first octet is high, an environment of lines `NAME=value`."""
    try:
        if data[:1] < b"\x80":
            with tempfile.NamedTemporaryFile(suffix=".toml") as file:
                Path(file.name).write_bytes(data[1:])
                made = Settings.from_toml(file.name, extra_names={"notes"})
        else:
            lines = data[1:].decode("utf-8", "surrogateescape").split("\n")
            given = dict(line.partition("=")[::2] for line in lines)
            made = Settings.from_environment(
                {f"BEARWARD_{name}": value for name, value in given.items()}, extra_names={"notes"}
            )
        assert repr(made)
        assert repr(made.verifier())
    except ConfigurationError as error:
        assert error.setting
        assert error.requirement


TARGETS: dict[str, Callable[[bytes], None]] = {
    "token": token,
    "header_value": header_value,
    "key_set": key_set,
    "settings": settings,
    "signature": signature,
}
"""By the name of their folder in the corpus."""
