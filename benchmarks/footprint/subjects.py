"""The servers that are measured, and what each is sent: every token is another, but for the one that is repeated.

Rule of this file: tokens and keys are made beforehand and handed over in a file, since making them in a process that
valgrind runs would take longer than the measurement.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from bearward import TrustedIssuer, Verifier
from bearward.jose.jwk import read_key
from bearward.observers import Observers
from bearward.telemetry import Telemetry
from bearward.testing import LocalIssuer
from benchmarks.footprint.server import InPlace
from benchmarks.providers import PROVIDERS

__all__ = ["NAMES", "Subject", "prepare", "subject"]

_AUDIENCE = "https://api.example"
_ISSUER = "https://login.example/realms/footprint"
_CLAIMS = {"scope": "notes:read notes:write", "name": "Ada Lovelace"}

NAMES = (
    "plain",
    *(f"signature alone, {provider}" for provider in PROVIDERS),
    "guarded, repeated",
    "guarded, repeated, no observers",
    "guarded, repeated, metrics",
    "guarded, fresh, not kept",
    "guarded, fresh, kept",
    "guarded, fresh, kept, metrics",
)


@dataclass(frozen=True)
class Subject:
    """A server, the requests that it is sent in turn, and what makes it forget the tokens that it has seen."""

    server: InPlace
    requests: list[bytes]
    forget: Callable[[], None]


def prepare(path: Path, count: int) -> None:
    """Write a key set and `count` distinct tokens."""
    with LocalIssuer(algorithms=["RS256"], audience=_AUDIENCE, identifier=_ISSUER, lifetime=86_400) as issuer:
        tokens = [issuer.mint(claims=_CLAIMS, sub=f"caller-{number}") for number in range(count)]
        path.write_text(json.dumps({"jwks": issuer.keys.jwks(), "tokens": tokens}))


def subject(name: str, path: Path, loop: asyncio.AbstractEventLoop) -> Subject:
    """The server of that name, started."""
    made: dict[str, Any] = json.loads(path.read_text())
    tokens: list[str] = made["tokens"]
    if name.startswith("guarded, repeated"):
        tokens = tokens[:1] * len(tokens)
    requests = [f"GET / HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {t}\r\n\r\n".encode() for t in tokens]
    if name == "plain":
        return Subject(InPlace(loop), requests, _nothing)
    if name.startswith("signature alone, "):
        provider = PROVIDERS[name.removeprefix("signature alone, ")]
        check = provider("RS256", read_key(made["jwks"]["keys"][0]))
        return Subject(InPlace(loop, check=lambda value: check(value[7:])), requests, _nothing)
    kept = "not kept" not in name
    policy = TrustedIssuer(_ISSUER, audience=_AUDIENCE, jwks=made["jwks"])
    observers = [_telemetry()] if name.endswith("metrics") else []
    verifier = Verifier(policy, token_cache_bytes=16 * 1024 * 1024 if kept else 0, observers=observers)
    if name.endswith("no observers"):
        verifier.observers = Observers()  # without the log and the counters, too, which every verifier has
    cache: Any = verifier._cache  # noqa: SLF001  (nothing else forgets on demand)
    forget = cache.clear if kept and "fresh" in name else _nothing
    return Subject(InPlace(loop, verifier=verifier), requests, forget)


def _telemetry() -> Telemetry:
    """Metrics by OpenTelemetry's own SDK, with a reader that nobody asks."""
    return Telemetry(meter_provider=MeterProvider(metric_readers=[InMemoryMetricReader()], shutdown_on_exit=False))


def _nothing() -> None:
    """There is nothing to forget."""
