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

__all__ = ["dpop_options"]

_MODES = ("off", "allowed", "required")
_MAX_WINDOW_OF_NONCES = 60.0
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
    mode = given.get("mode", "off")
    if mode not in _MODES:
        raise ConfigurationError("dpop.mode", "must be off, allowed or required")
    if mode == "off":
        return {"replays": _replays(given, cache, cache_secret, clock)} if once else {}
    policy: dict[str, Any] = {name: given[name] for name in ("algorithms", "window") if name in given}
    dpop = DPoP(origins=_origins(given, default_origins), required=mode == "required", **policy)
    if _wants_nonces(given):
        nonces = DPoPNonces(_secret(cache_secret), period=min(dpop.window, _MAX_WINDOW_OF_NONCES))
        dpop = DPoP(origins=dpop.origins, required=dpop.required, nonces=nonces, **policy)
    return {"dpop": dpop, "replays": _replays(given, cache, cache_secret, clock)}


def _origins(given: Mapping[str, Any], default: Collection[str]) -> PublicOrigins:
    origins = given.get("origins") or default
    if not origins:
        raise ConfigurationError("dpop.origins", "must name the public origins of this server")
    prefix = given.get("prefix", "")
    return PublicOrigins(*((origins,) if isinstance(origins, str) else origins), prefix=prefix)


def _wants_nonces(given: Mapping[str, Any]) -> bool:
    nonce = given.get("nonce", False)
    if not isinstance(nonce, bool):
        raise ConfigurationError("dpop.nonce", "must be true or false")
    return nonce


def _secret(cache_secret: bytes | None) -> bytes:
    if cache_secret is not None and len(cache_secret) < LEAST_SECRET:
        raise ConfigurationError("cache_secret", f"must be at least {LEAST_SECRET} bytes")
    return cache_secret or _PROCESS_SECRET


def _replays(given: Mapping[str, Any], cache: str, cache_secret: bytes | None, clock: Clock | None) -> Replays:
    on_failure = given.get("on_failure", "refuse")
    if on_failure not in ("refuse", "accept"):
        raise ConfigurationError("dpop.on_failure", 'must be "refuse" or "accept"')
    if cache == "memory://":
        return LocalReplays()
    return SharedReplays(cache=cache, on_failure=on_failure, cache_secret=cache_secret, clock=clock)
