"""The first keys of an issuer: fetched when the store starts, as the issuer's options say.

Rule of this file: it waits no longer than they allow, and an issuer that is down fails a start only if its keys are
required then.
"""

from __future__ import annotations

import asyncio

from bearward.errors import AuthError
from bearward.jwks.issuer_keys import IssuerKeys
from bearward.jwks.options import StartMode
from bearward.refusals import Refusal

__all__ = ["StartError", "initial_fetch"]


class StartError(AuthError):
    """KEYS_UNAVAILABLE at start, for an issuer whose keys are required then."""

    def __init__(self, issuer: str) -> None:
        super().__init__(Refusal.KEYS_UNAVAILABLE)
        self.issuer: str | None = issuer

    def __str__(self) -> str:
        return f"the keys of {self.issuer} are required at startup and not available"


async def initial_fetch(keys: IssuerKeys) -> None:
    """Accept what is remembered, and fetch keys as the issuer's options say; raises `StartError`."""
    mode = keys.options.start
    if keys.current() is None:
        await keys.load_remembered()
    if keys.current() is not None:
        keys.rebind()
        return
    if mode is StartMode.LAZY:
        return
    refresh = keys.refresh()
    wait = keys.options.start_wait if mode is StartMode.EAGER else None
    await asyncio.wait((refresh,), timeout=wait)
    if mode is StartMode.REQUIRED and keys.current() is None:
        raise StartError(keys.issuer)
