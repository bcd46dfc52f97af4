"""Tokens that are revoked before they expire: in this process, or in a fleet through a shared store."""

from __future__ import annotations

from bearward.revocation.entry import FOREVER, Revocation
from bearward.revocation.local import Revocations
from bearward.revocation.shared import RevocationNotSharedError, SharedRevocations

__all__ = ["FOREVER", "Revocation", "RevocationNotSharedError", "Revocations", "SharedRevocations"]
