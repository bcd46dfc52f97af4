"""The service that `test_gunicorn.py` starts: the WSGI adapter of the documentation, loaded before gunicorn forks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bearward import JWKSOptions, TrustedIssuer, Verifier, authenticated

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
from wsgi_adapter import Guard  # type: ignore[import-not-found]

KEYS = JWKSOptions(max_age=3.0, min_age=0.0, cooldown=0.1, connect_timeout=20.0, read_timeout=20.0)


def _who(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {environ['bearward.principal'].subject}".encode()]


verifier = Verifier(TrustedIssuer(os.environ["ISSUER"], audience="https://api.example", jwks_options=KEYS))
service = Guard(verifier, {"/who": authenticated(_who)})
