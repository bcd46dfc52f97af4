"""What a resource server requires of DPoP proofs (RFC 9449 section 7), checked once when it is configured.

Rule of this file: a policy that would check less than it seems to raises `ConfigurationError`.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field

from bearward.dpop.nonces import DPoPNonces
from bearward.dpop.origins import PublicOrigins
from bearward.errors import ConfigurationError

__all__ = ["CURVES", "DPOP_ALGORITHMS", "DPoP"]

CURVES = frozenset({"P-256", "P-384", "P-521", "Ed25519"})
"""The curves of keys that sign proofs; RSA keys have none."""

DPOP_ALGORITHMS = ("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
"""What a policy allows unless it says otherwise: asymmetric, and cheap to verify at the sizes of keys that are accepted."""

_MAX_WINDOW = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DPoP:
    """DPoP at a resource server: which proofs are accepted, and for which requests. Raises `ConfigurationError`.

    >>> DPoP(origins="https://api.example").window
    60.0
    >>> DPoP(origins="https://api.example", algorithms=["HS256"])
    Traceback (most recent call last):
        ...
    bearward.errors.ConfigurationError: dpop.algorithms: must be among ES256, ES384, ES512, EdDSA, Ed25519, PS256, PS384, PS512, RS256, RS384, RS512
    """

    origins: PublicOrigins | str | Collection[str]
    """The public origins that `htu` is compared with; never a caller's `Host`. Held as `PublicOrigins`."""
    required: bool = False
    """Whether every token must be bound to a key and come with a proof; otherwise tokens without `cnf` may come as bearer tokens."""
    window: float = 60.0
    """How far, in seconds, a proof's `iat` may be from now, either way; at most 600."""
    algorithms: Collection[str] = field(default=DPOP_ALGORITHMS)
    """The algorithms of proofs, in the order in which challenges name them. Held as a tuple."""
    nonces: DPoPNonces | None = None
    """With them, a proof must carry one (RFC 9449 section 9)."""
    public_origins: PublicOrigins = field(init=False, repr=False)
    """`origins`, as they are held."""

    def __post_init__(self) -> None:
        """Normalize and check each setting."""
        object.__setattr__(self, "public_origins", PublicOrigins.of(self.origins))
        object.__setattr__(self, "origins", self.public_origins)
        object.__setattr__(self, "algorithms", _algorithms(self.algorithms))
        if not isinstance(self.required, bool):
            raise ConfigurationError("dpop.required", "must be true or false")
        if isinstance(self.window, bool) or not isinstance(self.window, int | float) or not math.isfinite(self.window):
            raise ConfigurationError("dpop.window", "must be a number of seconds")
        if not 1 <= self.window <= _MAX_WINDOW:
            raise ConfigurationError("dpop.window", f"must be 1 to {_MAX_WINDOW:g} seconds")
        if self.nonces is not None and not isinstance(self.nonces, DPoPNonces):
            raise ConfigurationError("dpop.nonces", "must be DPoPNonces, or None")
        object.__setattr__(self, "window", float(self.window))


def _algorithms(algorithms: object) -> tuple[str, ...]:
    if isinstance(algorithms, str) or not isinstance(algorithms, Collection) or not algorithms:
        raise ConfigurationError("dpop.algorithms", "must name at least one algorithm")
    for name in algorithms:
        if not isinstance(name, str) or name not in DPOP_ALGORITHMS:
            raise ConfigurationError("dpop.algorithms", f"must be among {', '.join(DPOP_ALGORITHMS)}")
    return tuple(dict.fromkeys(algorithms))
