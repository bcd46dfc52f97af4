"""The steps before a fetch for an unproven tenant: first a look for stored keys, then admission.

Rule of this file: a tenant whose keys were held earlier, or by another process, is recognized by the snapshot or the
shared cache, without a request to the provider; only after that does a limit apply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from bearward.errors import AuthError
from bearward.jwks.tenant_admission import Ticket
from bearward.loop import LoopBinding, WaiterLimit
from bearward.refusals import Refusal

__all__ = ["UnprovenTenant"]


class Load(Protocol):
    """Accepts what snapshot and shared cache remember."""

    async def __call__(self, *, from_fleet: bool) -> None:
        """Ask neither the issuer nor, unless `from_fleet`, the shared cache."""
        ...


class UnprovenTenant:
    """Of one tenant's keys; `load` accepts what snapshot and shared cache remember."""

    def __init__(self, ticket: Ticket, binding: LoopBinding, load: Load) -> None:
        self._ticket = ticket
        self._binding = binding
        self._load = load
        self._recalling: asyncio.Task[None] | None = None

    async def recall(self, waiting: WaiterLimit) -> None:
        """Load what is remembered, once; all callers wait for the same."""
        if self._recalling is None:
            self._recalling = self._binding.spawn(self._load_in_turn())
        await waiting.wait_for(self._recalling)

    def admit(self, give_way: Callable[[], None]) -> None:
        """Raise `AuthError` (KEYS_UNAVAILABLE) if the tenant may not cause a fetch now."""
        wait = self._ticket.admit(give_way)
        if wait:
            raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=wait)

    def end(self, *, succeeded: bool) -> None:
        """The fetch has ended."""
        self._ticket.end(succeeded=succeeded)

    def forget_loop(self) -> None:
        """The event loop is another one now."""
        self._recalling = None

    async def _load_in_turn(self) -> None:
        async with self._binding.slots:  # anybody can invent tenants: not all of them ask the cache at once
            await self._load(from_fleet=True)
