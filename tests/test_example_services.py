"""The services in `examples/` run as they stand, guard what they say they guard, and are what the README shows."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest

from bearward.testing import LocalIssuer

TOP = Path(__file__).resolve().parents[1]
AUDIENCE = "https://api.example"
EXAMPLES = sorted(path.relative_to(TOP) for path in (TOP / "examples").glob("*_service.py"))
DOES_NOTHING = ("import ", "from ", "#", '"""', "if __name__")
PATIENCE = 60.0


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """The issuer that the examples are told to trust."""
    with LocalIssuer(audience=AUDIENCE) as running:
        yield running


@contextmanager
def running(example: str, issuer: LocalIssuer) -> Iterator[str]:
    """The example as its own process; its address, once it listens there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "ISSUER": issuer.url, "PORT": str(port)}
    command = [sys.executable, f"examples/{example}.py"]
    with subprocess.Popen(
        command, cwd=TOP, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            _wait_until_it_listens(process, port)
            yield f"127.0.0.1:{port}"
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """A server that listens, and has not begun to handle signals yet, loses one: it is told again."""
    for _ in range(10):
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
            return
    process.kill()
    raise AssertionError("it does not end")


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    process.kill()
    said = process.stdout.read().decode() if process.stdout else ""
    raise AssertionError(f"it does not listen:\n{said}")


def test_sanic_service_guards_its_route(issuer: LocalIssuer) -> None:
    """With the scope the route serves its caller; without it 403, without a token 401."""
    with running("sanic_service", issuer) as address, httpx2.Client() as client:
        tokens = (issuer.mint(scope="orders:read"), issuer.mint(scope="other"), None)
        headers = [{"authorization": f"Bearer {token}"} if token else {} for token in tokens]
        answers = [client.get(f"http://{address}/orders", headers=one) for one in headers]
    assert [answer.status_code for answer in answers] == [200, 403, 401]
    assert answers[0].json() == {"for": "subject"}


def test_grpc_service_guards_its_method(issuer: LocalIssuer) -> None:
    """With the scope the call is served for its caller; without it PERMISSION_DENIED, without a token UNAUTHENTICATED."""
    with running("grpc_service", issuer) as address, grpc.insecure_channel(address) as channel:
        call: Any = channel.unary_unary("/Orders/List")
        assert call(b"", metadata=_bearer(issuer.mint(scope="orders:read")), timeout=PATIENCE) == b"for subject"
        codes = []
        for metadata in (_bearer(issuer.mint(scope="other")), ()):
            with pytest.raises(grpc.RpcError) as refused:
                call(b"", metadata=metadata, timeout=PATIENCE)
            codes.append(refused.value.code())
    assert codes == [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_example_is_at_most_fifteen_lines(example: Path) -> None:
    """Without imports, comments and empty lines, an example is at most fifteen lines long."""
    lines = [line for line in (TOP / example).read_text().splitlines() if line.strip()]
    assert len([line for line in lines if not line.startswith(DOES_NOTHING)]) <= 15


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_readme_shows_the_example(example: Path) -> None:
    """The README holds each example whole, letter for letter."""
    assert f"```python {example}\n{(TOP / example).read_text()}```\n" in (TOP / "README.md").read_text()


def test_readme_says_how_to_call_a_service(issuer: LocalIssuer) -> None:
    """Its commands get a token and are served, with the addresses of this test; the first two start what runs here."""
    block = (TOP / "README.md").read_text().partition("```console\n")[2].partition("```")[0]
    *lines, printed = block.splitlines()
    commands = [line.removeprefix("$ ") for line in lines]
    assert commands[:2] == [
        ".venv/bin/bearward issuer",
        "ISSUER=http://127.0.0.1:9000 .venv/bin/python examples/sanic_service.py",
    ]
    with running("sanic_service", issuer) as address:
        script = "\n".join(commands[2:]).replace("http://127.0.0.1:9000", issuer.url).replace("127.0.0.1:8000", address)
        script = script.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
        called = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert called.stdout == printed


def _bearer(token: str) -> tuple[tuple[str, str]]:
    return (("authorization", f"Bearer {token}"),)


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_tests_of_the_examples_pass() -> None:
    """`examples/test_services.py`, run as its reader runs it, with the policies that are approved beside it."""
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", "examples", "-p", "bearward_pytest"]
    options = ["-p", "no:randomly", "-p", "no:cacheprovider", "-q", "--show-capture=no", "examples"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*command, *options], cwd=TOP, env=environment, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout
