"""How an adapter asks a verifier: functions for its hot path, which report nothing to observers.

Rule of this file: an adapter reports by itself, once per request, through a `Reporter`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from bearward.credential_place import CredentialPlace
from bearward.principal import Principal
from bearward.verifier import Verifier

__all__ = ["awaited_verify_function", "verify_function"]


class VerifyNow(Protocol):
    """`verify_now` without keywords: the token, `unsafe_allow_bound`, and the place."""

    def __call__(self, token: str, allow_bound: bool, place: CredentialPlace | None = None, /) -> Principal:  # noqa: FBT001
        """The principal of `token`; raises as `Verifier.verify_now` does."""


def verify_function(verifier: Verifier) -> VerifyNow:
    """`verifier.verify_now` with `unsafe_allow_bound` positional, for the hot path of an adapter: ask for it once.

    It reports nothing to observers: an adapter does, once per request, through a `Reporter`.
    """
    return verifier._verify_now  # noqa: SLF001


def awaited_verify_function(verifier: Verifier) -> Callable[[str, bool, CredentialPlace | None], Awaitable[Principal]]:
    """`verifier.verify` for an adapter, which reports the result itself: (token, unsafe_allow_bound, place)."""
    return verifier._verify_awaiting  # noqa: SLF001
