"""Which servers, which loads, in which order; and Hono from npm, in its own folder."""

from __future__ import annotations

import contextlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bearward.testing import LocalIssuer
from benchmarks.http.sanic_app import AUDIENCE
from benchmarks.http.server import Load, Server, free_port
from benchmarks.library.alternate import Figure
from benchmarks.library.subjects import CLAIMS

__all__ = ["AT_LEAST", "TARGETS", "run"]

_TOP = Path(__file__).resolve().parents[2]
_HONO = _TOP / "tests" / "interop" / "hono" / "backend.mjs"
_NODE_HOME = _TOP / ".cache" / "benchmarks" / "node"
_PACKAGES = ("hono@4.13.19", "jose@6.2.18", "@hono/node-server@2.1.9")
_REFERENCE = "Sanic, unguarded"
_SMALL = 1024 * 1024
"""A cache that has forgotten each of the tokens when it comes again: every one is a fresh one."""

TARGETS = {
    "HTTP / Sanic with bearward, a repeated token": 1.10,
    "HTTP / Sanic with bearward, a fresh token": 1.60,
    "HTTP / Sanic with bearward, no token": 1.20,
    "HTTP / Sanic with bearward, an expired token": 1.20,
    "HTTP / Sanic with bearward, a token for others": 1.20,
}


AT_LEAST = {"HTTP / requests by CPU second, over Hono with jose, a repeated token": 1.0}


def run(*, quick: bool) -> dict[str, Any]:
    """CPU time by request of each server, and its ratio to unguarded Sanic in the same round."""
    rounds, seconds = (3, 1) if quick else (9, 3)
    with ExitStack() as stack:
        issuer = stack.enter_context(LocalIssuer(algorithms=["RS256"], audience=AUDIENCE, lifetime=86_400))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cases = _cases(stack, issuer, folder, fresh=2_000 if quick else 10_000)
        taken: dict[str, list[float]] = {name: [] for name in cases}
        for server, load in cases.values():
            load.microseconds(server, 1)  # warm
        order, shuffle = list(cases), random.Random(20260101)
        for _ in range(rounds):
            shuffle.shuffle(order)
            for name in order:
                server, load = cases[name]
                taken[name].append(load.microseconds(server, seconds))
    figures: dict[str, Any] = {
        f"HTTP / {name}": Figure(
            name, values, [v / b for v, b in zip(values, taken[_REFERENCE], strict=True)]
        ).summary()
        for name, values in taken.items()
    }
    ours, hono = taken["Sanic with bearward, a repeated token"], taken.get("Hono with jose, a repeated token", [])
    if hono:
        ratio = statistics.median(theirs / own for theirs, own in zip(hono, ours, strict=True))
        figures["HTTP / requests by CPU second, over Hono with jose, a repeated token"] = {"ratio": round(ratio, 3)}
    return figures


def _cases(stack: ExitStack, issuer: LocalIssuer, folder: Path, *, fresh: int) -> dict[str, tuple[Server, Load]]:
    tokens = folder / "tokens"
    tokens.write_text("\n".join(issuer.mint(claims=CLAIMS, sub=f"caller-{n}") for n in range(fresh)))
    good = Load(200, header=f"Bearer {issuer.mint(claims=CLAIMS)}")
    many = Load(200, tokens=str(tokens))
    refused = {
        "no token": Load(401),
        "an expired token": Load(401, header=f"Bearer {issuer.mint(claims=CLAIMS, expires_in=-60)}"),
        "a token for others": Load(401, header=f"Bearer {issuer.mint(claims=CLAIMS, aud='https://other.example')}"),
    }
    plain = stack.enter_context(_sanic("plain"))
    guarded = stack.enter_context(_sanic(issuer.url))
    forgetful = stack.enter_context(_sanic(issuer.url, token_cache=_SMALL))
    cases = {
        _REFERENCE: (plain, good),
        "Sanic with bearward, a repeated token": (guarded, good),
        "Sanic with bearward, a fresh token": (forgetful, many),
        **{f"Sanic with bearward, {what}": (guarded, load) for what, load in refused.items()},
    }
    with contextlib.suppress(FileNotFoundError):
        hono = stack.enter_context(_hono(issuer))
        cases["Hono with jose, a repeated token"] = (hono, good)
        cases["Hono with jose, a fresh token"] = (hono, many)
        cases |= {f"Hono with jose, {what}": (hono, load) for what, load in refused.items()}
    return cases


def _sanic(issuer: str, token_cache: int = 16 * 1024 * 1024) -> Server:
    port = free_port()
    arguments = ["-m", "benchmarks.http.sanic_app", issuer, str(port), str(token_cache)]
    return Server([sys.executable, *arguments], port, cwd=str(_TOP))


@contextlib.contextmanager
def _hono(issuer: LocalIssuer) -> Iterator[Server]:
    """Raises `FileNotFoundError`, and says so, where there is no Node."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        print("not run: Hono with jose (there is no Node here)")
        raise FileNotFoundError("node")
    _NODE_HOME.mkdir(parents=True, exist_ok=True)
    shutil.copy(_HONO, _NODE_HOME)
    if not (_NODE_HOME / "node_modules" / "hono").exists():
        (_NODE_HOME / "package.json").write_text('{"private": true, "type": "module"}')
        flags = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
        subprocess.run(["npm", "install", *flags, *_PACKAGES], cwd=_NODE_HOME, check=True)
    port = free_port()
    arguments = [issuer.url, issuer.jwks_uri, AUDIENCE, "RS256", str(port)]
    with Server(["node", "backend.mjs", *arguments], port, cwd=str(_NODE_HOME)) as server:
        yield server
