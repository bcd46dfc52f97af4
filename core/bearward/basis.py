"""What a verification depended on besides the claims and the key: kept with its principal, to be checked again.

Rule of this file: pure and immutable. Only `recheck` decides whether all of it still holds.
"""

from __future__ import annotations

from typing import NamedTuple

from bearward.jose.compact import JOSEHeader
from bearward.principal import Principal
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["Basis", "basis_of"]


class Basis(NamedTuple):
    """The header that was verified, and the policy that it was verified by."""

    header: JOSEHeader
    policy: TrustedIssuer


def basis_of(principal: Principal) -> Basis | None:
    """What the principal's verification depended on; None for a principal that was not created by a verification."""
    basis = principal._basis  # noqa: SLF001
    return basis if isinstance(basis, Basis) else None
