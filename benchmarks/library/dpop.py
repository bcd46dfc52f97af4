"""DPoP (RFC 9449): what a proof costs beside the signature in it, and what offering it costs those who bring none.

Rule of this file: a proof is verified once. When all have been used the memory of used proofs is replaced by an empty
one, so that none of them is a replay.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from bearward.authentication import authenticate_now
from bearward.dpop import DPoP, LocalReplays, Proof
from bearward.jose.jwk import read_key
from bearward.possession import Presented
from bearward.sender import Scheme
from bearward.testing import DPoPClient
from benchmarks.library.alternate import Batch
from benchmarks.library.fixtures import CLAIMS, DISTINCT, Fixtures, Subject, each
from benchmarks.providers import PROVIDERS
from tests.signature_libraries import LIBRARIES, signatures_by

__all__ = ["dpop_subjects", "offered_subjects"]

T = TypeVar("T")
_ORIGIN, _PATH = "https://api.example", "/orders"
_RECORDED = 500


class _Once(Generic[T]):
    """Does something with each of `items`; calls `renew` before it begins again."""

    def __init__(self, items: Sequence[T], do: Callable[[T], object], renew: Callable[[], object]) -> None:
        self._items, self._do, self._renew = items, do, renew
        self._left: Iterator[T] = iter(items)

    def __call__(self) -> None:
        for item in self._left:
            self._do(item)
            return
        self._renew()
        self._left = iter(self._items)
        self()


def dpop_subjects(w: Fixtures) -> dict[str, Subject]:
    """A proof that was never seen, with a token that was; the raw signatures of such proofs; recording alone."""
    client = DPoPClient()
    raw = PROVIDERS["cryptography"]("ES256", read_key(client.jwk))
    subjects: dict[str, Subject] = {
        "raw ES256": each([_proof(client, w.token) for _ in range(DISTINCT)], raw),
        "replay check": _recording(client),
    }
    for library in LIBRARIES if "aws-lc" in PROVIDERS else LIBRARIES[:1]:
        with signatures_by(library):
            by = "" if library == "cryptography" else " with aws-lc"
            proven = subjects[f"token seen before{by}"] = _proven(w)
            proven()  # the key of a client is made with its first proof
    return subjects


def _proof(client: DPoPClient, token: str) -> str:
    return client.proof("GET", _ORIGIN + _PATH, token=token)


def _proven(w: Fixtures) -> Subject:
    client = DPoPClient()
    verifier = w.verifier(dpop=DPoP(origins=_ORIGIN, window=600))
    token = w.issuer.mint(claims=CLAIMS, cnf=client.cnf)
    proofs = [_proof(client, token) for _ in range(DISTINCT)]

    def authenticate(presented: Presented) -> object:
        return authenticate_now(verifier, presented)

    def forget() -> None:
        verifier.replays = LocalReplays()

    return _Once([Presented(Scheme.DPOP, token, [proof], "GET", _PATH) for proof in proofs], authenticate, forget)


def _recording(client: DPoPClient) -> Batch:
    now = time.time()
    used = [Proof(client.jkt, f"{number:032x}", now, now + 60.0) for number in range(_RECORDED)]

    def record() -> None:
        record_now = LocalReplays().record_now
        for proof in used:
            record_now(proof, now)

    return Batch(record, _RECORDED)


def offered_subjects(w: Fixtures) -> dict[str, Subject]:
    """A bearer token that was seen before, by a verifier that offers DPoP and by one that does not."""

    def seen(**settings: Any) -> Subject:
        verifier = w.verifier(**settings)
        return lambda: verifier.verify_now(w.token)

    return {"DPoP is off": seen(), "DPoP is offered": seen(dpop=DPoP(origins=_ORIGIN))}
