"""What needs its own process: the cost of an import, and the memory of many cached tokens."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from time import perf_counter
from typing import Any

__all__ = ["import_cost", "memory"]

_BASE = "import jose.jwt, jose.jwk, aiocache"
_OURS = "import bearward"

_MEMORY = """
import json, os, sys
from bearward import TrustedIssuer, Verifier
from bearward.testing import LocalIssuer

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

count, bound = int(sys.argv[1]), int(sys.argv[2])
issuer = LocalIssuer(algorithms=["Ed25519"], audience="api", identifier="https://issuer.example", lifetime=86400)
policy = TrustedIssuer(issuer.url, audience="api", jwks=issuer.keys.jwks())
verifier = Verifier(policy, token_cache_bytes=bound)
claims = {"scope": "openid profile notes:read notes:write", "name": "Ada Lovelace", "email": "ada@example.com"}
for n in range(200):
    Verifier(policy, token_cache_bytes=0).verify_now(issuer.mint(claims=claims, sub=str(n)))
before = resident()
for n in range(count):
    verifier.verify_now(issuer.mint(claims=claims, sub=f"caller-{n}"))
print(json.dumps({"tokens": count, "bound": bound, "kept": len(verifier._cache), "grown": resident() - before}))
"""


def import_cost(rounds: int) -> dict[str, Any]:
    """Seconds to import bearward, and python-jose with aiocache, alternated; and their ratio."""
    ours, base = [], []
    for _ in range(rounds):
        empty = _took("pass")
        base.append(_took(_BASE) - empty)
        ours.append(_took(_OURS) - empty)
    ratios = [one / other for one, other in zip(ours, base, strict=True)]
    return {
        "bearward": round(min(ours), 4),
        "python-jose and aiocache": round(min(base), 4),
        "ratio": round(statistics.median(ratios), 3),
    }


def memory(tokens: int, bound: int) -> dict[str, Any]:
    """By how much a process grows that verifies so many distinct tokens, beside the bound of its cache in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", _MEMORY, str(tokens), str(bound)], capture_output=True, text=True, check=True
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    return {**figures, "ratio": round(figures["grown"] / bound, 3)}


def _took(code: str) -> float:
    began = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return perf_counter() - began
