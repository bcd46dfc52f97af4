"""DPoP (RFC 9449): access tokens that are usable only with a proof made with their client's own key."""

from __future__ import annotations

from bearward.dpop.nonces import DPoPNonces
from bearward.dpop.origins import PublicOrigins
from bearward.dpop.policy import DPOP_ALGORITHMS, DPoP
from bearward.dpop.proof import Proof, check_proof, single_proof
from bearward.dpop.replay import LocalReplays, Replays
from bearward.dpop.shared import SharedReplays

__all__ = [
    "DPOP_ALGORITHMS",
    "DPoP",
    "DPoPNonces",
    "LocalReplays",
    "Proof",
    "PublicOrigins",
    "Replays",
    "SharedReplays",
    "check_proof",
    "single_proof",
]
