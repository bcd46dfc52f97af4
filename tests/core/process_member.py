"""Run as a program: a process that verifies in a child, started in one way or another.

    python -m tests.core.process_member START KIND

START is `fork`, `spawn` or `forkserver`. KIND says what the child starts from: `verifier` (its own, from settings that
were sent), and for `fork` what its parent had started: `loop` (a verifier on a loop that ran before), `running loop`
(the child is forked by a coroutine), `thread` (a `VerifierThread`),
`revocations` (shared ones). It prints, as JSON, what became of each token.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bearward import AuthError, JWKSOptions, Settings, TrustedIssuer, Verifier
from bearward.jwks import StartMode
from bearward.testing import LocalIssuer
from bearward_grpc import VerifierThread
from tests.core.jwks.cache_servers import Valkey

MAX_AGE = 3.0
PATIENT: dict[str, Any] = {"connect_timeout": 20.0, "read_timeout": 20.0, "total_timeout": 20.0}
"""The machine may be busy; what is tested is what is fetched, and not how fast."""
TIMEOUT = 30.0
Verify = Callable[[str], str]


def settings_for(issuer: LocalIssuer) -> Settings:
    """Keys that grow old at once, and are not used beyond that."""
    options = JWKSOptions(
        cooldown=0.1, max_age=MAX_AGE, min_age=0.0, stale_if_error=30.0, start=StartMode.REQUIRED, **PATIENT
    )
    return Settings(issuers=(TrustedIssuer(issuer.url, audience=issuer.audience, jwks_options=options),))


async def outcome(verifier: Verifier, token: str) -> str:
    """`ok`, or the code of the refusal."""
    try:
        async with asyncio.timeout(TIMEOUT):
            await verifier.verify(token)
    except AuthError as refused:
        return refused.code
    return "ok"


async def answer_on_loop(verifier: Verifier, requests: Connection) -> None:
    """Verify what comes, on this loop, until there is no more."""
    while (token := await asyncio.to_thread(requests.recv)) is not None:
        requests.send(await outcome(verifier, token))
    await verifier.aclose()


def verify_on_loop(verifier: Verifier | Settings, requests: Connection) -> None:
    """In the child: its own loop, and a verifier that is inherited or made of settings."""
    asyncio.run(answer_on_loop(verifier.verifier() if isinstance(verifier, Settings) else verifier, requests))


def verify_in_thread(background: VerifierThread, requests: Connection) -> None:
    """In the child: the thread that its parent had started."""
    while (token := requests.recv()) is not None:
        requests.send(background.submit(outcome(background.verifier, token)).result(TIMEOUT))
    background.stop()


@contextlib.contextmanager
def child(method: str, target: Callable[..., None], what: Any) -> Iterator[Verify]:
    """A child that verifies."""
    context: Any = multiprocessing.get_context(method)
    here, there = context.Pipe()
    process = context.Process(target=target, args=(what, there), daemon=True)
    process.start()
    there.close()

    def verify(token: str) -> str:
        here.send(token)
        return str(here.recv()) if here.poll(TIMEOUT) else "hangs"

    yield verify
    here.send(None)
    process.join(TIMEOUT)
    if process.exitcode is None:
        process.kill()
    assert process.exitcode == 0, process.exitcode


def life(issuer: LocalIssuer, verify: Verify, inherited: str) -> dict[str, str]:
    """Keys that are inherited, that rotate, and that are withdrawn while nothing but time shows it."""
    old = issuer.key()
    told = {"inherited": verify(inherited)}
    issuer.rotate()
    issuer.withdraw(old)
    told["withdrawn"] = until(
        lambda: verify(issuer.mint(key=old)), "key_unknown"
    )  # the age of the keys alone tells of it
    told["remembered"] = verify(inherited)
    issuer.rotate()
    told["rotated"] = until(lambda: verify(issuer.mint()), "ok")  # within a cooldown
    return told


def until(ask: Callable[[], str], expected: str) -> str:
    """What is said in the end, be it what is expected or not."""
    deadline = time.monotonic() + TIMEOUT
    while (said := ask()) != expected and time.monotonic() < deadline:
        time.sleep(MAX_AGE / 20)
    return said


def main() -> None:
    """Print what became of the child's tokens, and of the parent's afterwards."""
    method, kind = sys.argv[1:]
    with LocalIssuer(algorithms=["ES256"]) as issuer:
        settings = settings_for(issuer)
        told = KINDS[kind](method, issuer, settings)
    sys.stdout.write(json.dumps(told) + "\n")


def own(method: str, issuer: LocalIssuer, settings: Settings) -> dict[str, str]:
    """The child makes its verifier from settings that were sent to it, as it must unless it is forked."""
    with child(method, verify_on_loop, settings) as verify:
        return life(issuer, verify, issuer.mint())


def on_loop(method: str, issuer: LocalIssuer, settings: Settings) -> dict[str, str]:
    """As `gunicorn --preload`: started on a loop that is then left behind, and forked."""
    with asyncio.Runner() as runner:
        verifier, token = settings.verifier(), issuer.mint()
        runner.run(verifier.start())
        runner.run(verifier.verify(token))
        with child(method, verify_on_loop, verifier) as verify:
            told = life(issuer, verify, token)
        told["parent"] = runner.run(outcome(verifier, issuer.mint()))
        runner.run(verifier.aclose())
    return told


def on_running_loop(method: str, issuer: LocalIssuer, settings: Settings) -> dict[str, str]:
    """Forked by a coroutine, while the parent's loop runs and refreshes."""

    async def scenario() -> dict[str, str]:
        async with settings.verifier() as verifier:
            token = issuer.mint()
            await verifier.verify(token)
            with child(method, verify_on_loop, verifier) as verify:
                told = await asyncio.to_thread(life, issuer, verify, token)
            return {**told, "parent": await outcome(verifier, issuer.mint())}

    return asyncio.run(scenario())


def in_thread(method: str, issuer: LocalIssuer, settings: Settings) -> dict[str, str]:
    """A `VerifierThread`, busy in the moment of the fork."""
    with VerifierThread(settings.verifier()) as background:
        token, stop = issuer.mint(), threading.Event()
        background.submit(background.verifier.verify(token)).result(TIMEOUT)

        def keep_busy() -> None:
            while not stop.is_set():
                background.verifier.revocations.invalidate_caches()
                background.submit(background.verifier.verify(issuer.mint())).result(TIMEOUT)

        busy = threading.Thread(target=keep_busy)
        busy.start()
        with child(method, verify_in_thread, background) as verify:
            stop.set()
            busy.join()
            told = life(issuer, verify, token)
        told["parent"] = background.submit(outcome(background.verifier, issuer.mint())).result(TIMEOUT)
    return told


def with_revocations(method: str, issuer: LocalIssuer, settings: Settings) -> dict[str, str]:
    """Revocations that a fleet shares are read in the child too, or all of its tokens are refused."""
    with tempfile.TemporaryDirectory() as folder, Valkey(Path(folder)) as store, asyncio.Runner() as runner:
        shared = {"on_failure": "refuse", "cache": store.url, "cache_secret": b"0123456789abcdef", "grace": 0.3}
        trusted = TrustedIssuer(issuer.url, audience=issuer.audience)  # whose keys are good for minutes
        verifier = replace(settings, issuers=(trusted,), revocations=shared).verifier()
        token = issuer.mint(sub="ada")
        runner.run(verifier.start())
        runner.run(verifier.verify(token))
        with child(method, verify_on_loop, verifier) as verify:
            told = {"inherited": verify(token)}
            time.sleep(1.0)  # longer than what the parent knew is good for
            told["later"] = verify(token)
            verifier.revocations.revoke_subject(issuer.url, "ada", before=verifier.now() + 60)
            runner.run(verifier.revocations.flush())  # type: ignore[attr-defined]
            told["revoked"] = until(lambda: verify(token), "token_revoked")
            told["others"] = verify(issuer.mint(sub="bob"))
        told["parent"] = until(lambda: runner.run(outcome(verifier, issuer.mint(sub="bob"))), "ok")
        runner.run(verifier.aclose())
    return told


KINDS: dict[str, Callable[[str, LocalIssuer, Settings], dict[str, str]]] = {
    "verifier": own,
    "loop": on_loop,
    "running loop": on_running_loop,
    "thread": in_thread,
    "revocations": with_revocations,
}

if __name__ == "__main__":
    main()
