"""What the log says at the start about settings that are allowed and hardly meant.

Rule of this file: warnings only; what is wrong prevents the start, elsewhere.
"""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["warn_of", "warn_of_long_tokens"]

_LOG: Final = logging.getLogger("bearward.sanic")
_MAX_NAMED: Final = 20


def warn_of(unruled: list[str]) -> None:
    """Routes without a rule: they are denied."""
    if unruled:
        more = f" and {len(unruled) - _MAX_NAMED} more" if len(unruled) > _MAX_NAMED else ""
        _LOG.warning(
            "no rule for %s%s: they are denied; mark them (@public, @authenticated, @requires(...)), or open all "
            "to any verified token by install(app, verifier, default=authenticated)",
            ", ".join(unruled[:_MAX_NAMED]),
            more,
        )


def warn_of_long_tokens(length: int, taken: int) -> None:
    """Sanic refuses a longer head by itself, before the gate is asked."""
    if length >= taken:
        _LOG.warning(
            "max_token_length is %d, and Sanic refuses a request whose head is longer than REQUEST_MAX_HEADER_SIZE, %d "
            "bytes, with 413: raise that (to at most 16384)",
            length,
            taken,
        )
