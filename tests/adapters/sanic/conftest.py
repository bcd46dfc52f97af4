"""Servers of every kind for the black-box tests, and an issuer for all of them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sanic import Sanic

from bearward.testing import LocalIssuer
from tests.adapters.sanic.here import ASKED, server_class
from tests.adapters.sanic.servers import AUDIENCE, TOP, Kind, Server

OLDEST = Path(__file__).with_name("oldest.txt")
SERVERS = ("native", "uvicorn", "hypercorn")

Serve = Callable[..., Server]


@pytest.fixture(autouse=True)
def _sanic_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ASGI client of sanic-testing replaces what all applications in the process are called by, for good."""
    monkeypatch.setattr(Sanic, "__call__", Sanic.__call__)
    monkeypatch.setattr(Sanic, "test_mode", Sanic.test_mode)


@pytest.fixture(scope="session")
def issuer() -> Iterator[LocalIssuer]:
    """A real issuer."""
    with LocalIssuer(audience=AUDIENCE) as running:
        yield running


@pytest.fixture(scope="session")
def oldest_python() -> str:
    """A Python with the oldest Sanic that is supported, kept in `.cache` as long as `oldest.txt` stays the same."""
    digest = hashlib.sha256(OLDEST.read_bytes()).hexdigest()[:12]
    place = TOP / ".cache" / f"sanic-oldest-{sys.version_info.major}.{sys.version_info.minor}-{digest}"
    python = place / "bin" / "python"
    done = place / "complete"
    place.parent.mkdir(exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes of pytest-xdist: the first makes it, the others find it
        if not done.exists():
            _run(sys.executable, "-m", "venv", "--clear", str(place))
            _run(
                str(python),
                "-m",
                "pip",
                "install",
                "-qq",
                "--no-compile",
                "--disable-pip-version-check",
                "-r",
                str(OLDEST),
            )
            done.touch()
    return str(python)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="session")
def running(issuer: LocalIssuer) -> Iterator[Callable[[Kind], Server]]:
    """A server of a kind, started once in a session."""
    with ExitStack() as stack:
        started: dict[str, Server] = {}

        def run(kind: Kind) -> Server:
            if str(kind) not in started:
                started[str(kind)] = stack.enter_context(server_class(kind, {})(kind, issuer))
            return started[str(kind)]

        yield run
        for server in started.values():  # all at once, then one by one: each takes a second or two
            server.begin_to_stop()


Wanted = tuple[str, bool, bool, bool]
"""Server, sanic-ext, oldest, middleware of the user's."""


def _ids(values: Wanted) -> str:
    server, ext, oldest, middleware = values
    return f"{server}-{'oldest' if oldest else 'newest'}{'-ext' if ext else ''}{'' if middleware else '-alone'}"


PAIRS: list[Wanted] = [
    ("native", False, False, True),
    ("native", True, True, True),
    ("uvicorn", True, False, True),
    ("uvicorn", False, True, True),
    ("hypercorn", False, False, True),
    ("hypercorn", True, True, True),
]
"""Every two of server, sanic-ext and Sanic's age together, in six servers where all three would take twelve.

Their application has middleware, so that the gate stands among that.
"""

ALONE: list[Wanted] = [
    ("native", False, False, False),
    ("native", True, True, False),
    ("uvicorn", False, True, False),
    ("hypercorn", True, False, False),
]
"""Without middleware, where the gate stands right before the handlers: each value of the matrix at least once."""

QUICK: list[Wanted] = [
    ("native", False, False, True),
    ("native", False, False, False),
]
"""What the quick tier keeps of them: Sanic's own server, with the gate among middleware and with it before the handlers."""


def _kinds(wanted: list[Wanted]) -> list[Any]:
    """All but the quick ones are of the second tier: each starts its own server and repeats every test on it."""
    marks = {False: (pytest.mark.thorough,), True: ()}
    possible = [kind for kind in wanted if ASKED not in os.environ or not kind[2]]  # another Python is never here
    return [pytest.param(kind, marks=marks[kind in QUICK]) for kind in possible]


def _chosen(request: pytest.FixtureRequest, running: Callable[[Kind], Server]) -> Server:
    name, ext, oldest, middleware = request.param
    python = request.getfixturevalue("oldest_python") if oldest else sys.executable
    return running(Kind(name, ext, python, middleware))


@pytest.fixture(scope="session", params=_kinds([*PAIRS, *ALONE]), ids=_ids)
def server(request: pytest.FixtureRequest, running: Callable[[Kind], Server]) -> Server:
    """The application under test on every server, on the oldest and the newest Sanic, with and without sanic-ext."""
    return _chosen(request, running)


@pytest.fixture(scope="session", params=_kinds(PAIRS), ids=_ids)
def crowded_server(request: pytest.FixtureRequest, running: Callable[[Kind], Server]) -> Server:
    """The same, always with middleware of the user's."""
    return _chosen(request, running)


@pytest.fixture(scope="session", params=_kinds([*PAIRS, ALONE[0], ALONE[2]]), ids=_ids)
def slow_server(request: pytest.FixtureRequest, running: Callable[[Kind], Server]) -> Server:
    """For what takes its time: two without middleware are enough."""
    return _chosen(request, running)


@pytest.fixture
def serve(issuer: LocalIssuer) -> Iterator[Serve]:
    """`serve("native", ext=True, settings={...})`: a server of one's own."""
    with ExitStack() as stack:

        def run(name: str = "native", *, ext: bool = False, **options: Any) -> Server:
            kind = Kind(name, ext, middleware=options.pop("middleware", True))
            return stack.enter_context(server_class(kind, options)(kind, issuer, options))

        yield run
