"""What bearward logs when a marked function refuses a call that no gate admitted: once per function.

Rule of this file: the log says what is missing and what to do, since the mistake is in the program, not the caller.
"""

from __future__ import annotations

import logging

__all__ = ["log_once"]

_log = logging.getLogger("bearward.access")
_MAX_NAMES = 1000
_logged: set[str] = set()


def log_once(name: str, rule: object) -> None:
    """Log at ERROR that the function `name`, marked with `rule`, refused a call that no gate had admitted."""
    if name in _logged or len(_logged) >= _MAX_NAMES:
        return
    _logged.add(name)
    _log.error(
        "%s is marked %r and was called without bearward deciding by that rule, so it refused: install bearward in the "
        "application or server that calls it, and let its rules be read from marks",
        name,
        rule,
    )
