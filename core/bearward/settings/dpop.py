"""From the settings of DPoP to what a `Verifier` is given: a policy, nonces of the fleet, and a memory of used proofs.

Rule of this file: where proofs are remembered follows from the cache, so that a fleet that shares one shares this too.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from typing import Any

from bearward.clock import Clock
from bearward.dpop.nonces import LEAST_SECRET, DPoPNonces
from bearward.dpop.origins import PublicOrigins
from bearward.dpop.policy import DPoP
from bearward.dpop.replay import LocalReplays, Replays
from bearward.dpop.shared import SharedReplays
from bearward.errors import ConfigurationError
from bearward.mistakes import Mistakes

__all__ = ["dpop_options"]

_MODES = ("off", "allowed", "required")
_MAX_WINDOW_OF_NONCES = 60.0
_OWN = frozenset({"algorithms", "window"})
_STAND_IN = "https://origin.invalid"
# Made before there are workers, which inherit it: without a secret of the fleet they are one all the same.
_PROCESS_SECRET = secrets.token_bytes(32)


def dpop_options(
    given: Mapping[str, Any],
    *,
    cache: str,
    cache_secret: bytes | None,
    once: bool = False,
    default_origins: Collection[str] = (),
    clock: Clock | None = None,
) -> dict[str, Any]:
    """`dpop` and `replays` for a `Verifier`, as far as they are needed. Raises `ConfigurationError`.

    `given` are the settings of the table `[dpop]`. `once`: tokens of some issuer count once, with DPoP or without.
    `default_origins` count where none are given.

    >>> sorted(dpop_options({"mode": "allowed", "origins": "https://api.example"}, cache="memory://", cache_secret=None))
    ['dpop', 'replays']
    """
    asked = {name for name, value in given.items() if value is not False and name != "on_failure"}
    if asked and "mode" not in given:  # `on_failure` is for tokens that count once, too
        raise ConfigurationError("dpop.mode", "must be set with the others: off, allowed or required")
    mode = given.get("mode", "off")
    if mode not in _MODES:
        raise ConfigurationError("dpop.mode", "must be off, allowed or required")
    made: dict[str, Any] = {}
    mistakes = Mistakes()
    if mode != "off":
        with mistakes.collected():
            made["dpop"] = _policy(given, default_origins, cache_secret)
    if mode != "off" or once:
        with mistakes.collected():
            made["replays"] = _replays(given, cache, cache_secret, clock)
    mistakes.raise_any()
    return made


def _policy(given: Mapping[str, Any], default_origins: Collection[str], cache_secret: bytes | None) -> DPoP:
    mistakes = Mistakes()
    parts: dict[str, Any] = {}
    with mistakes.collected():
        parts["origins"] = _origins(given, default_origins)
    for name in _OWN & given.keys():
        with mistakes.collected():
            parts[name] = getattr(DPoP(origins=_STAND_IN, **{name: _several(given[name])}), name)
    with mistakes.collected():
        parts["nonces"] = _nonces(given, cache_secret, parts.get("window", _MAX_WINDOW_OF_NONCES))
    mistakes.raise_any()
    return DPoP(required=given["mode"] == "required", **parts)


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _origins(given: Mapping[str, Any], default: Collection[str]) -> PublicOrigins:
    origins, prefix = given.get("origins") or default, given.get("prefix", "")
    mistakes = Mistakes()
    with mistakes.collected():
        PublicOrigins(_STAND_IN, prefix=prefix)
    with mistakes.collected():
        if not origins:
            raise ConfigurationError("origins", "must name the public origins of this server")
        PublicOrigins.of(origins)
    mistakes.raise_any()
    return PublicOrigins(*((origins,) if isinstance(origins, str) else origins), prefix=prefix)


def _nonces(given: Mapping[str, Any], cache_secret: bytes | None, window: float) -> DPoPNonces | None:
    nonce, own = given.get("nonce", False), given.get("nonce_secret")
    if not isinstance(nonce, bool):
        raise ConfigurationError("dpop.nonce", "must be true or false")
    if not nonce:
        if own is not None:
            raise ConfigurationError(
                "dpop.nonce_secret", "must come with nonces: nonce = true, or on in the environment"
            )
        return None
    secret, name = (cache_secret, "cache_secret") if own is None else (own, "dpop.nonce_secret")
    if secret is not None and len(secret) < LEAST_SECRET:
        raise ConfigurationError(name, f"must be at least {LEAST_SECRET} bytes")
    return DPoPNonces(secret or _PROCESS_SECRET, period=min(window, _MAX_WINDOW_OF_NONCES))


def _replays(given: Mapping[str, Any], cache: str, cache_secret: bytes | None, clock: Clock | None) -> Replays:
    on_failure = given.get("on_failure", "refuse")
    if on_failure not in ("refuse", "accept"):
        raise ConfigurationError("dpop.on_failure", 'must be "refuse" or "accept"')
    if cache == "memory://":
        return LocalReplays()
    return SharedReplays(cache=cache, on_failure=on_failure, cache_secret=cache_secret, clock=clock)
