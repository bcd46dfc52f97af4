"""What a look at a set-up finds: one line each, with what to change (pure).

Rule of this file: no value of a secret, no password of an address, no token.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding", "fine", "note", "unreached", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    area: str
    """What was looked at: `discovery`, `tls`, `cache`."""
    subject: str
    """Of whom, or of what: an issuer, a setting."""
    verdict: str
    """right, wrong, note or not reached."""
    said: str
    remedy: str = ""
    """What to change; empty where nothing is wrong."""

    def to_dict(self) -> dict[str, str]:
        """For JSON."""
        return {
            "area": self.area,
            "subject": self.subject,
            "verdict": self.verdict,
            "said": self.said,
            "remedy": self.remedy,
        }


def fine(area: str, subject: str, said: str) -> Finding:
    """Nothing is wrong."""
    return Finding(area, subject, "right", said)


def wrong(area: str, subject: str, said: str, remedy: str) -> Finding:
    """Something is wrong, and what to change."""
    return Finding(area, subject, "wrong", said, remedy)


def note(area: str, subject: str, said: str, remedy: str = "") -> Finding:
    """Something that need not be wrong."""
    return Finding(area, subject, "note", said, remedy)


def unreached(area: str, subject: str) -> Finding:
    """It could not be looked at, since what it needs was wrong."""
    return Finding(area, subject, "not reached", "")
