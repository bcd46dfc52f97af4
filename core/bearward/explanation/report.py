"""What an explanation consists of: checks in one order, each with its verdict.

Rules of this file: pure, plain data. What is in it may be shown to whoever may see the configuration; it holds values of
claims only where they were asked for, and never the token, a key or a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bearward.refusals import Refusal

__all__ = ["Check", "Explanation", "Verdict"]


class Verdict(StrEnum):
    """What came of one check."""

    RIGHT = "right"
    WRONG = "wrong"
    NOT_REACHED = "not reached"
    """It could not be judged, since what it needs was wrong before."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a verification."""

    name: str
    """Such as `issuer` or `expiry`; the same in every explanation."""
    asked: str
    """What the configuration asks."""
    found: str
    """What the token says; values of claims are hidden unless they were asked for."""
    verdict: Verdict
    hint: str = ""
    """What to look at or to change; empty where there is nothing to say."""
    refusal: Refusal | None = None
    """Where the check is wrong: the reason by which a verification refuses the token."""
    claim: str | None = None
    """Where the check is wrong and a claim is to blame: its name."""

    def to_dict(self) -> dict[str, str]:
        """The same as plain data, without what is empty: for JSON.

        >>> Check("algorithm", "ES256", "none", Verdict.WRONG, refusal=Refusal.ALGORITHM_NOT_ALLOWED).to_dict()["code"]
        'algorithm_not_allowed'
        """
        code = None if self.refusal is None else self.refusal.code
        members = {
            "name": self.name,
            "verdict": str(self.verdict),
            "asked": self.asked,
            "found": self.found,
            "code": code,
            "claim": self.claim,
            "hint": self.hint or None,
        }
        return {name: text for name, text in members.items() if text is not None}


@dataclass(frozen=True, slots=True)
class Explanation:
    """All checks of one token, in the order of a verification.

    A verification stops at the first wrong check. An explanation goes on, so that one look finds all that is wrong: a
    check after the first wrong one says what would come of it if nothing before were wrong.
    """

    checks: tuple[Check, ...]
    refusal: Refusal | None
    """The reason by which a verification refuses the token; None: it is accepted."""
    claim: str | None = None
    """The name of the claim that is to blame, where there is one."""

    @property
    def accepted(self) -> bool:
        """Whether the token is accepted."""
        return self.refusal is None

    @property
    def code(self) -> str | None:
        """The code of the refusal, as on the wire: `token_expired`; None where the token is accepted."""
        return None if self.refusal is None else self.refusal.code

    @property
    def first_wrong(self) -> Check | None:
        """The check at which a verification stops; None where all are right."""
        return next((check for check in self.checks if check.verdict is Verdict.WRONG), None)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        return {"accepted": self.accepted, "code": self.code, "checks": [check.to_dict() for check in self.checks]}

    def to_text(self) -> str:
        """A line for each check, for a log or a terminal without colours.

        >>> print(Explanation((Check("form", "a compact JWS", "one", Verdict.RIGHT),), None).to_text())
        + form: expected a compact JWS; found one
        """
        return "\n".join(_line(check) for check in self.checks)


_MARKS = {Verdict.RIGHT: "+", Verdict.WRONG: "x", Verdict.NOT_REACHED: "-"}


def _line(check: Check) -> str:
    if check.verdict is Verdict.NOT_REACHED:
        return f"- {check.name}: not reached; expected {check.asked}"
    code = "" if check.refusal is None else f" [{check.refusal.code}]"
    hint = f" ({check.hint})" if check.hint else ""
    return f"{_MARKS[check.verdict]} {check.name}: expected {check.asked}; found {check.found}{code}{hint}"
