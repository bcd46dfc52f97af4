"""Floods of forged tokens beside good callers: what an attacker can cost, over HTTP, grpc.aio and grpc.server at once.

Rules of this file: the same good calls are timed without a flood and with it, and the ratio of their p99 is reported; it
fails nobody, since it belongs to the machine. What must hold on any machine: nothing good is refused, nothing forged
accepted, the requests at the issuer, the lines in the logs and the memory of the servers stay within their bounds, and
a new key whose `kid` was guessed is accepted soon.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, ExitStack
from dataclasses import asdict, dataclass, field

import psutil

from bearward.testing import LocalIssuer
from samples.processes import Process, clean_environment
from tests.chaos.callers import OK, TRANSPORTS, Caller, caller
from tests.chaos.flooded import COOLDOWN
from tests.chaos.forgeries import AUDIENCE, GUESSED, Target

__all__ = ["HEAD", "Flooded", "run_floods"]

_TICK = 0.025
_TOKENS = 400
_QUIET = 3.0
_BURST = 32
"""Fetches that may be saved up, or be under way, at each server; then one a cooldown."""
_REQUESTS = {"invented tenant": 2}
"""Requests of one fetch: where a tenant's metadata may be are two places, and neither has any."""
_LINES = 100
"""Lines that a flood may cause in a server's log, and one more each second."""
_MEMORY = 96 * 1024 * 1024
"""Octets by which the three servers may grow in all: their bounded caches fill."""
_PATIENCE = 60.0


@dataclass
class Flooded:
    """What one flood came to."""

    sort: str
    seconds: float = 0.0
    sent: int = 0
    accepted: int = 0
    good: int = 0
    good_refused: Counter[str] = field(default_factory=Counter)
    ratios: dict[str, float] = field(default_factory=dict)
    fetches: int = 0
    lines: int = 0
    grown: int = 0
    new_key_after: float | None = 0.0

    @property
    def most_fetches(self) -> int:
        """Requests that attackers may cause at the issuer: those of a burst, and of one fetch a cooldown, of each server."""
        return int(len(TRANSPORTS) * (_BURST + self.seconds / COOLDOWN) * _REQUESTS.get(self.sort, 1))

    @property
    def faults(self) -> list[str]:
        """What is beyond its bound; empty if all is well."""
        bounds = {
            f"{self.accepted} forged tokens accepted": self.accepted > 0,
            f"good calls refused: {dict(self.good_refused)}": bool(self.good_refused),
            f"{self.fetches} requests at the issuer, at most {self.most_fetches}": self.fetches > self.most_fetches,
            f"{self.lines} lines in the logs": self.lines > len(TRANSPORTS) * (_LINES + self.seconds),
            f"{self.grown >> 20} MiB more memory": self.grown > _MEMORY,
            "the new key was never accepted": self.new_key_after is None,
        }
        return [f"{self.sort}: {said}" for said, over in bounds.items() if over]

    def cells(self) -> list[str]:
        """As text."""
        ratios = ", ".join(f"{ratio:.2f}" for ratio in self.ratios.values())
        after = "never" if self.new_key_after is None else f"{self.new_key_after:.1f} s" if self.new_key_after else ""
        numbers = (self.sent, self.accepted, self.good, self.good_refused.total())
        bounded = (f"{self.fetches} of {self.most_fetches}", f"{self.lines}", f"{self.grown / 2**20:.0f} MiB")
        return [self.sort, *map(str, numbers), ratios, *bounded, after]


HEAD = [
    "flood", "forged", "accepted", "good", "refused", f"p99 by quiet p99 ({', '.join(TRANSPORTS)})",
    "requests at the issuer", "lines in logs", "memory", "new key accepted after",
]  # fmt: skip


async def run_floods(
    sorts: Iterable[str], *, number: int, rate: float, told: Callable[[Flooded], None] = lambda _: None
) -> list[Flooded]:
    """A flood of each sort: `number` forged tokens over the three transports, `rate` a second at each of them."""
    floods = []
    for sort in sorts:  # each against servers that saw none before
        with (
            LocalIssuer(algorithms=["ES256", "ES512"], audience=AUDIENCE, lifetime=7200) as issuer,
            ExitStack() as stack,
        ):
            tenants = f"{issuer.origin}/tenants"
            arguments = (issuer.url, issuer.jwks_uri, tenants)
            processes = {
                name: stack.enter_context(Process("tests.chaos.flooded", name, *arguments)) for name in TRANSPORTS
            }
            target = Target(issuer=issuer.url, tenants=tenants, expensive_kid=issuer.key("ES512").kid or "")
            async with AsyncExitStack() as calls:
                callers = {
                    name: await calls.enter_async_context(caller(name, process.address()))
                    for name, process in processes.items()
                }
                floods.append(await _Flood(sort, issuer, target, processes, callers).run(number, rate))
        told(floods[-1])
    return floods


class _Flood:
    def __init__(
        self, sort: str, issuer: LocalIssuer, target: Target, processes: dict[str, Process], callers: dict[str, Caller]
    ) -> None:
        self._issuer, self._target, self._processes, self._callers = issuer, target, processes, callers
        self._outcome = Flooded(sort)
        self._good = itertools.cycle([issuer.mint(alg="ES256", sub=str(number)) for number in range(_TOKENS)])

    async def run(self, number: int, rate: float) -> Flooded:
        """Quiet first, then flooded; the outcome."""
        outcome = self._outcome
        quiet = await self._time_good_calls(lambda: asyncio.sleep(_QUIET))
        grown, lines, fetches = -self._memory(), -self._lines(), -self._issuer.requests()
        began = time.monotonic()
        flooded = await self._time_good_calls(lambda: self._flood(number // len(TRANSPORTS), rate))
        outcome.seconds = time.monotonic() - began
        outcome.grown, outcome.lines = grown + self._memory(), lines + self._lines()
        outcome.fetches = fetches + self._issuer.requests()
        outcome.ratios = {name: _p99(flooded[name]) / _p99(quiet[name]) for name in TRANSPORTS}
        return outcome

    async def _flood(self, number: int, rate: float) -> None:
        target = json.dumps(asdict(self._target))
        floods = [
            asyncio.create_task(self._send(name, process.address(), str(number), str(rate), target))
            for name, process in self._processes.items()
        ]
        if self._outcome.sort == "guessed kid":
            await asyncio.sleep(number / rate / 2)
            self._outcome.new_key_after = await self._rotated_to_the_guessed_key()
        await asyncio.gather(*floods)

    async def _send(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "tests.chaos.flooder", self._outcome.sort, *arguments]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command, env=clean_environment(), stdout=pipe, stderr=pipe, preexec_fn=_take_what_is_left
        )
        said, errors = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"the flooder failed: {errors.decode()}")
        counted = json.loads(said)
        self._outcome.sent += counted["sent"]
        self._outcome.accepted += counted["accepted"]

    async def _rotated_to_the_guessed_key(self) -> float | None:
        """Seconds until a token of the key whose `kid` was guessed is accepted by every server; None if it never is."""
        token = self._issuer.mint(key=self._issuer.rotate("ES256", kid=GUESSED))
        began = time.monotonic()
        for call in self._callers.values():
            while await call(token) != OK:
                if time.monotonic() - began > _PATIENCE:
                    return None
                await asyncio.sleep(_TICK)
        return time.monotonic() - began

    async def _time_good_calls(self, meanwhile: Callable[[], Awaitable[None]]) -> dict[str, list[float]]:
        """How long each good call took, by transport, while `meanwhile()` was awaited."""
        times: dict[str, list[float]] = {name: [] for name in TRANSPORTS}
        over = asyncio.Event()  # not a cancellation: `asyncio.wait_for` of Python 3.11 may lose one
        busy = [
            asyncio.create_task(self._keep_calling(call, times[name], over)) for name, call in self._callers.items()
        ]
        try:
            await meanwhile()
        finally:
            over.set()
            await asyncio.wait(busy)
        for task in busy:
            if error := task.exception():
                raise error
        return times

    async def _keep_calling(self, call: Caller, times: list[float], over: asyncio.Event) -> None:
        while not over.is_set():
            began = time.perf_counter()
            verdict = await call(next(self._good))
            times.append(time.perf_counter() - began)
            self._outcome.good += 1
            if verdict != OK:
                self._outcome.good_refused[verdict] += 1
            await asyncio.sleep(_TICK)

    def _memory(self) -> int:
        return sum(psutil.Process(process.pid).memory_info().rss for process in self._processes.values())

    def _lines(self) -> int:
        return sum(process.errors().count("\n") for process in self._processes.values())


def _take_what_is_left() -> None:
    """An attacker has machines of its own: here it takes what servers and good callers leave."""
    os.nice(19)


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]
