"""Who may call what, as a table that a reviewer reads: one line for each route or method, one column for each caller.

Rules of this file: pure; each cell is the decision of the rule itself. Cells come first and names last, so that a new
route, or a longer name, changes one line and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from bearward.access import Access, Kind
from bearward.errors import AuthError, CheckNeededError
from bearward.principal import Principal
from bearward.refusals import Refusal
from bearward.testing.acting import principal_with

__all__ = ["Caller", "PolicyMatrix", "default_callers"]

Caller: TypeAlias = Principal | AuthError | None
"""Who calls: a principal, someone whose credentials are refused for a reason, or (None) someone without any."""

_USUAL: Final = (None, AuthError(Refusal.CREDENTIALS_MISSING), AuthError(Refusal.SCOPE_INSUFFICIENT))
"""What cells hold as a rule: a column is always wide enough for it, so that it does not depend on the other rows."""
_HEADING: Final = "# Who may call what, as bearward decides it. If a change is intended: pytest --bearward-update"


def default_callers(rules: Iterable[Access]) -> dict[str, Caller]:
    """One caller without credentials, one with a token that has no scope, and one for each scope that some rule names."""
    scopes = sorted({name for rule in rules for name in rule.scopes})
    return {"anonymous": None, "no scope": principal_with(), **{name: principal_with(scope=name) for name in scopes}}


@dataclass(frozen=True, slots=True)
class PolicyMatrix:
    """`rules` by the names of routes or methods, and `callers` by name; `word` says how a transport puts a decision.

    `now` is for rules that depend on time, in seconds since the epoch, and `parameters` are those of a request's path.

    >>> from bearward import authenticated, public
    >>> rules = {"GET /": public, "GET /me": authenticated}
    >>> print(PolicyMatrix(rules, {"anonymous": None}, lambda error: "yes" if error is None else error.code))
    # Who may call what, as bearward decides it. If a change is intended: pytest --bearward-update
    <BLANKLINE>
    anonymous
    yes                  GET /: public
    credentials_missing  GET /me: authenticated
    <BLANKLINE>
    """

    rules: Mapping[str, Access]
    callers: Mapping[str, Caller]
    word: Callable[[AuthError | None], str]
    now: float = 0.0
    parameters: Mapping[str, Any] | None = None

    def decision(self, name: str, caller: str) -> AuthError | None:
        """Why `caller` may not call `name`; None if the caller may.

        Raises `CheckNeededError` where that depends on an asynchronous check of the service's own.
        """
        rule, who = self.rules[name], self.callers[caller]
        if rule.kind is Kind.PUBLIC or (rule.kind is Kind.OPTIONAL and who is None):
            return None
        if who is None:
            return AuthError(Refusal.CREDENTIALS_MISSING)
        if isinstance(who, AuthError):
            return who
        return rule.refusal(who, self.now, self.parameters)

    def cell(self, name: str, caller: str) -> str:
        """The decision about `caller` and the operation `name`, as the transport puts it; `asks` where a check decides."""
        try:
            return self.word(self.decision(name, caller))
        except CheckNeededError:
            return "asks"

    def __str__(self) -> str:
        rows = [[self.cell(name, caller) for caller in self.callers] for name in self.rules]
        usual = max(len(self.word(error)) for error in _USUAL)
        columns = list(zip(self.callers, *rows, strict=True)) if rows else [(caller,) for caller in self.callers]
        widths = [max(usual, *map(len, column)) for column in columns]

        def line(cells: Iterable[str], ending: str = "") -> str:
            padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
            return "  ".join([*padded, ending]).rstrip()

        lines = [line(row, f"{name}: {rule!r}") for row, (name, rule) in zip(rows, self.rules.items(), strict=True)]
        return "\n".join([_HEADING, "", line(self.callers), *lines, ""])
