"""Checks of the arguments of `SharedRevocations`.

Rules of this file: pure. Invalid configuration raises `ConfigurationError`, which names the setting and shows no value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from bearward.errors import ConfigurationError

__all__ = ["STORE_TIMEOUT", "SharingOptions"]

STORE_TIMEOUT = 0.5
"""Seconds for each operation of the store."""
_MIN_SECRET = 16
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingOptions:
    """The options of `SharedRevocations`, checked; times are seconds."""

    on_failure: Literal["refuse", "accept"]
    cache_secret: bytes = field(repr=False)
    name: str
    poll_interval: float
    grace: float

    def __post_init__(self) -> None:
        """Check every option, in the order in which they are written."""
        if self.on_failure not in ("refuse", "accept"):
            raise ConfigurationError(
                "on_failure", 'must be "refuse" or "accept": there is no right answer for everyone'
            )
        _check_secret(self.cache_secret)
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise ConfigurationError("name", "must be 1 to 64 letters, digits, dots, dashes or underscores")
        _check_seconds("poll_interval", self.poll_interval, 0.02, 1.0)
        _check_seconds("grace", self.grace, 0.0, 3600.0)

    @property
    def refuse(self) -> bool:
        """Whether tokens are refused while the store does not respond."""
        return self.on_failure == "refuse"

    @property
    def consequence(self) -> str:
        """What becomes of tokens while the store does not respond, in words."""
        return "refusing all tokens" if self.refuse else "accepting what is not known to be revoked"

    @property
    def patience(self) -> float:
        """For how long one answer of the store is good without another: `grace`, and the time of a slow exchange."""
        return self.grace + self.poll_interval + 2 * STORE_TIMEOUT


def _check_secret(secret: object) -> None:
    if isinstance(secret, str):
        raise ConfigurationError("cache_secret", 'must be bytes, not a string: "…".encode()')
    if not isinstance(secret, bytes) or len(secret) < _MIN_SECRET:
        raise ConfigurationError("cache_secret", f"must be at least {_MIN_SECRET} bytes")


def _check_seconds(setting: str, value: object, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ConfigurationError(setting, f"must be a number of seconds from {least:g} to {most:g}")
