"""The keys that each worker holds, its rules and what it refused: `app.m.state["bearward"]`, and so `sanic inspect`.

Rules of this file: each worker publishes its own state and only when it changed; it contains no key, token or claim.
Without a worker manager (one process, ASGI, tests) nothing happens.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from bearward import Verifier
from bearward_sanic.context import App

__all__ = ["publish", "withdraw"]

INTERVAL: Final = 2.0
"""Seconds between two looks at whether something changed."""

_TIMER: Final = "_bearward_state_timer"


def publish(app: App, verifier: Verifier) -> None:
    """Publish this worker's state now and when it changes."""
    state = _state(app)
    if state is not None:
        _publish(app, verifier, state, None)


def withdraw(app: App) -> None:
    """Stop publishing."""
    timer: asyncio.TimerHandle | None = getattr(app.ctx, _TIMER, None)
    if timer is not None:
        timer.cancel()


def summary(verifier: Verifier) -> dict[str, Any]:
    """What an operator asks: is it ready, which keys does it hold, since when, what went wrong, who is refused and why."""
    health = verifier.health()
    return {
        "ready": health.ready,
        "issuers": {
            issuer.issuer: {
                "state": issuer.state.value,
                "keys": issuer.keys,
                "thumbprint": issuer.thumbprint,
                "generation": issuer.generation,
                "fetched_at": issuer.last_success,
                "last_error": issuer.last_error,
                "last_error_fields": issuer.last_error_fields,
                "last_error_at": issuer.last_error_at,
            }
            for issuer in health.issuers
        },
        "signatures_verified": health.signatures_verified,
        "refused": dict(health.refused),
        "ended": dict(health.ended),
        "rules": dict(health.rules.get("http", {})),
    }


def _publish(app: App, verifier: Verifier, state: Any, published: dict[str, Any] | None) -> None:
    now = summary(verifier)
    if now != published:
        try:
            state["bearward"] = now
        except (OSError, EOFError, ValueError):  # the manager is gone: this worker is about to be, too
            return
    timer = asyncio.get_running_loop().call_later(INTERVAL, _publish, app, verifier, state, now)
    setattr(app.ctx, _TIMER, timer)


def _state(app: App) -> Any | None:
    try:
        return app.m.state
    except Exception:  # noqa: BLE001  (Sanic has a different way of having no manager in each version)
        return None
