"""How many fetches may be caused by tenants that have never had keys: in total, per provider, and concurrently (pure).

Rules of this file:
- Whoever sends a token can invent a tenant that matches a template. The fetches of such tenants are limited in total and
  per provider host, by buckets; a fetch that returns keys gives its permit back, so real tenants cost nothing in the end.
- Tenants that a resolver confirmed have separate buckets and places: invented ones cannot use them up.
- The number of concurrent fetches is limited. When all places are taken, the one that has run longest, beyond a minimum
  time, gives way to the next tenant: a provider that is slow for unknown tenants keeps no real one out.
- Tenants whose keys were ever held, here or (by snapshot or shared cache) elsewhere, are not limited here at all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Limits", "TenantAdmission", "Ticket"]

_MAX_PROVIDERS = 1024
_FAIR_SECONDS = 1.0
_MIN_WAIT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Fetches saved up and gained per second, in total and at each provider, and how many run at a time."""

    burst: float
    per_second: float
    provider_burst: float
    provider_per_second: float
    at_a_time: int


_FITS_TEMPLATE = Limits(burst=32, per_second=4, provider_burst=16, provider_per_second=1, at_a_time=32)
_VOUCHED_FOR = Limits(burst=128, per_second=32, provider_burst=64, provider_per_second=8, at_a_time=64)


class TenantAdmission:
    """Shared by all tenants of a store. Used on one event loop; `now` is the monotonic clock, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._shares = {False: _Share(_FITS_TEMPLATE, now), True: _Share(_VOUCHED_FOR, now)}

    def ticket(self, provider: str, *, vouched: bool) -> Ticket:
        """For one tenant, whose first request goes to `provider` (host and port)."""
        return Ticket(self._shares[vouched], provider)


class Ticket:
    """What one unproven tenant has to show before it may cause a fetch."""

    __slots__ = ("_provider", "_running", "_share")

    def __init__(self, share: _Share, provider: str) -> None:
        self._share = share
        self._provider = provider
        self._running = False

    def admit(self, give_way: Callable[[], None]) -> float:
        """0 if a fetch may start now, and then `end` must be called; otherwise the seconds until the next try.

        `give_way` may be called while the fetch runs: it then has to end at once.
        """
        wait = self._share.admit(self, self._provider, give_way)
        self._running = self._running or not wait
        return wait

    def end(self, *, succeeded: bool) -> None:
        """The fetch has ended; one that brought keys costs nothing."""
        if self._running:
            self._running = False
            self._share.end(self, self._provider, succeeded=succeeded)


class _Bucket:
    """Permits: at most `burst`, `per_second` are gained."""

    __slots__ = ("_at", "_burst", "_per_second", "_permits")

    def __init__(self, burst: float, per_second: float, now: float) -> None:
        self._burst = burst
        self._per_second = per_second
        self._permits = burst
        self._at = now

    def permits(self, now: float) -> float:
        return min(self._burst, self._permits + max(0.0, now - self._at) * self._per_second)

    def change(self, by: float, now: float) -> None:
        self._permits = min(self._burst, max(0.0, self.permits(now) + by))
        self._at = now

    def wait(self, now: float) -> float:
        return max(0.0, 1.0 - self.permits(now)) / self._per_second


class _Share:
    """What one kind of tenants may cause."""

    def __init__(self, limits: Limits, now: Callable[[], float]) -> None:
        self._limits = limits
        self._now = now
        self._sum = _Bucket(limits.burst, limits.per_second, now())
        self._providers: OrderedDict[str, _Bucket] = OrderedDict()
        self._running: OrderedDict[Ticket, tuple[float, Callable[[], None]]] = OrderedDict()

    def admit(self, ticket: Ticket, provider: str, give_way: Callable[[], None]) -> float:
        now = self._now()
        bucket = self._bucket_of(provider, now)
        wait = max(self._sum.wait(now), bucket.wait(now))
        if wait > 0.0:
            return max(_MIN_WAIT, wait)
        if len(self._running) >= self._limits.at_a_time and not self._make_room(now):
            return _MIN_WAIT
        self._sum.change(-1.0, now)
        bucket.change(-1.0, now)
        self._running[ticket] = (now, give_way)
        return 0.0

    def end(self, ticket: Ticket, provider: str, *, succeeded: bool) -> None:
        self._running.pop(ticket, None)
        if succeeded:
            now = self._now()
            self._sum.change(1.0, now)
            self._bucket_of(provider, now).change(1.0, now)

    def _make_room(self, now: float) -> bool:
        """End the longest running fetch, if it had its fair time."""
        ticket, (began, give_way) = next(iter(self._running.items()))
        if now - began < _FAIR_SECONDS:
            return False
        del self._running[ticket]
        give_way()
        return True

    def _bucket_of(self, provider: str, now: float) -> _Bucket:
        bucket = self._providers.get(provider)
        if bucket is None:
            bucket = _Bucket(self._limits.provider_burst, self._limits.provider_per_second, now)
            self._providers[provider] = bucket
            if len(self._providers) > _MAX_PROVIDERS:
                self._providers.popitem(last=False)
        self._providers.move_to_end(provider)
        return bucket
