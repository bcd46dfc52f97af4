"""Why a token passes or is refused: every check, in the order of a verification, with what was asked and what was found.

`explain` judges a token by issuers and keys that it is handed; `Verifier.explain` does so by what the verifier holds.
Values of claims are hidden unless they are asked for. It is for people at a terminal and for development: a verification
stops at the first wrong check, and says no more than its code.
"""

from __future__ import annotations

from bearward.explanation.explain import explain
from bearward.explanation.report import Check, Explanation, Verdict

__all__ = ["Check", "Explanation", "Verdict", "explain"]
