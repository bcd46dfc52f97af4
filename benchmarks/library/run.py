"""The whole measurement of the core: which subjects, how many rounds, and what must be reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyperf

from benchmarks.library.alternate import Figure, measure
from benchmarks.library.beside import beside_subjects
from benchmarks.library.dpop import dpop_subjects, offered_subjects
from benchmarks.library.processes import import_cost, memory
from benchmarks.library.subjects import (
    ALGORITHMS,
    Fixtures,
    cold_subjects,
    fixtures,
    seen_subjects,
    shape_subjects,
    zipf_subjects,
)

__all__ = ["AT_LEAST", "MICROSECONDS", "TARGETS", "run", "write_pyperf"]

_REFERENCE = "raw cryptography"
_BOUND = 16 * 1024 * 1024

TARGETS: dict[str, float] = {
    "RS256 cold / bearward": 1.40,
    "RS256 cold / bearward with aws-lc": 1.20,
    "RS256 cold / bearward with aws-lc, kept": 1.50,
    "ES256 cold / bearward": 1.10,
    "ES256 cold / bearward with aws-lc": 0.95,
    **{f"RS256 shapes / {name}": 1.10 for name in ("white space", "white space and escaped slashes", "\\u escapes")},
    "EdDSA cold / bearward": 1.10,
    "RS256 warm / seen, verify_now": 0.06,
    "RS256 warm / seen, await verify": 0.08,
    "RS256 warm / unknown kid": 0.20,
    "RS256 warm / garbage": 0.10,
    "DPoP / token seen before": 1.15,
    "DPoP / token seen before with aws-lc": 1.15,
    "DPoP / replay check": 0.037,
    "DPoP offered / DPoP is offered": 1.03,
    "beside / fresh, beside others": 1.05,
    "beside, seen / seen, beside others": 1.05,
    "import": 1.5,
    "memory": 1.3,
}
"""At most these ratios; those of verifications are to `cryptography` verifying the signature alone, those of proofs to
their own signatures, and that of a bearer token to the same where DPoP is off."""

PEERS = ("auth0-api-python", "joserfc", "authlib", "PyJWT", "PyJWT + PyJWKClient", "python-jose")
AT_LEAST: dict[str, float] = {f"RS256 cold / times as fast as {peer}": 1.7 for peer in PEERS}
_NATIVE = "RS256 cold / with aws-lc, times as fast as oxyjwt"
AT_LEAST[_NATIVE] = 1.0
MICROSECONDS: dict[str, float] = {"RS256 warm / seen, verify_now": 1.5, "DPoP / replay check": 3.0}
"""Reached by this many microseconds too, whatever the ratio."""


def _add_beside(figures: dict[str, Any], w: Fixtures, rounds: int) -> None:
    """A plain issuer's tokens where many issuers stand beside it: fresh ones, and ones that were seen before."""
    subjects = beside_subjects(w)
    for prefix, kind in (("beside", "fresh"), ("beside, seen", "seen")):
        of_kind = {name: subject for name, subject in subjects.items() if name.startswith(kind)}
        _add(figures, prefix, measure(of_kind, reference=f"{kind}, alone", rounds=rounds))


def run(*, quick: bool) -> dict[str, Any]:
    """All figures by name; `quick` leaves out what takes long."""
    rounds = 7 if quick else 31
    figures: dict[str, Any] = {}
    for algorithm in ("RS256", "ES256") if quick else ALGORITHMS:
        with fixtures(algorithm) as w:
            _add(figures, f"{algorithm} cold", measure(cold_subjects(w), reference=_REFERENCE, rounds=rounds))
            if algorithm == "RS256":
                _add_warm(figures, w, rounds, quick=quick)
            if algorithm == "RS256":
                _add_beside(figures, w, rounds)
            if algorithm == "ES256":
                _add(figures, "DPoP", measure(dpop_subjects(w), reference="raw ES256", rounds=rounds))
                _add(figures, "DPoP offered", measure(offered_subjects(w), reference="DPoP is off", rounds=rounds))
    _add(figures, "RS256 shapes", measure(shape_subjects(), reference="compact", rounds=rounds))
    ours = figures["RS256 cold / bearward"]["ratio"]
    for peer in PEERS:
        figures[f"RS256 cold / times as fast as {peer}"] = {
            "ratio": round(figures[f"RS256 cold / {peer}"]["ratio"] / ours, 3)
        }
    figures |= _beside_native(figures)
    if not quick:
        figures["memory"] = memory(100_000, _BOUND)
    figures["import"] = import_cost(3 if quick else 11)
    return figures


def _beside_native(figures: dict[str, Any]) -> dict[str, Any]:
    """Beside the peer that verifies by AWS-LC as well."""
    ours = figures.get("RS256 cold / bearward with aws-lc")
    return (
        {} if ours is None else {_NATIVE: {"ratio": round(figures["RS256 cold / oxyjwt"]["ratio"] / ours["ratio"], 3)}}
    )


def write_pyperf(figures: dict[str, Any], path: Path) -> None:
    """The same as a pyperf suite, so that `python -m pyperf compare_to` reads it; nothing of the machine's names."""
    benchmarks = [
        pyperf.Benchmark(
            [
                pyperf.Run([value], metadata={"name": name, "unit": "second"}, collect_metadata=False)
                for value in seconds
            ]
        )
        for name, figure in figures.items()
        if (seconds := figure.pop("seconds", None))
    ]
    if benchmarks:
        pyperf.BenchmarkSuite(benchmarks).dump(str(path), replace=True)


def _add_warm(figures: dict[str, Any], w: Fixtures, rounds: int, *, quick: bool) -> None:
    _add(figures, "RS256 warm", measure(seen_subjects(w), reference=_REFERENCE, rounds=rounds))
    callers, requests = (1_000, 5_000) if quick else (10_000, 50_000)
    subjects = zipf_subjects(w, callers=callers, requests=requests)
    _add(figures, "RS256 traffic", measure(subjects, reference=_REFERENCE, rounds=rounds))


def _add(figures: dict[str, Any], group: str, measured: list[Figure]) -> None:
    for figure in measured:
        seconds = [value / 1e6 for value in figure.microseconds]
        figures[f"{group} / {figure.name}"] = {**figure.summary(), "seconds": seconds}
