"""Methods without a rule, noticed when they are called: for servers that were not checked when they started.

Rule of this file: only verified callers get this far, and even they cause a bounded number of log lines; the name of a
method is the caller's text, so it is quoted and cut.
"""

from __future__ import annotations

import logging
from typing import Final

from bearward.errors import AuthError
from bearward.refusals import Refusal
from bearward_grpc.method_rules.policy import Policy

__all__ = ["UnruledMethods"]

_LOG: Final = logging.getLogger("bearward.grpc")
_MAX_REPORTED = 32
_MAX_NAME = 200


class UnruledMethods:
    """Reports each method that a verified caller was refused since no rule names it, once."""

    __slots__ = ("_policy", "_reported")

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._reported: set[str] = set()

    def report(self, method: str, refused: AuthError) -> None:
        """Log a call of `method` that was refused for want of a rule; anything else is no news."""
        if refused.refusal is not Refusal.NO_RULE or self._policy.decided(method) is not None:
            return
        name = method[:_MAX_NAME]
        if name in self._reported or len(self._reported) >= _MAX_REPORTED:
            return
        self._reported.add(name)
        _LOG.warning(
            "%r was refused to a verified caller: it has no rule. If it is served, give it a rule, or pass "
            "default=authenticated for every method without one; check_on_start(server, policy) finds these at startup",
            name,
        )
