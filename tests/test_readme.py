"""The README is true: its examples run as they stand, against a real issuer and over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx2
import pytest

from bearward.testing import LocalIssuer
from samples.v1 import sample_pb2, sample_pb2_grpc
from tests.conftest import Run

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLES = dict(re.findall(r"```python (\w+)\n(.*?)```", README, re.DOTALL))
ISSUER = "https://login.example/"
ADDRESS = "127.0.0.1:50051"


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """The issuer that the examples trust."""
    with LocalIssuer(algorithms=["ES256"], audience="https://api.example") as issuer:
        yield issuer


def example(name: str, issuer: LocalIssuer, **replaced: str) -> dict[str, Any]:
    """Run an example with the local issuer in place of the one that it names."""
    code = EXAMPLES[name]
    for old, new in {ISSUER: issuer.url, **replaced}.items():
        assert old in code
        code = code.replace(old, new)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, f"README.md ({name})", "exec"), names)
    return names


def test_the_examples_are_short() -> None:
    """A gRPC and a Sanic example of at most 15 lines each, not counting empty ones."""
    lines = {name: [line for line in code.splitlines() if line.strip()] for name, code in EXAMPLES.items()}
    assert {name for name, code in lines.items() if len(code) <= 15} == {"grpc", "sanic", "core"}


def test_the_grpc_example_guards_a_server(issuer: LocalIssuer, run: Run) -> None:
    """With the scope the call is served, without a token it is refused, without a rule it is refused."""

    class Notes(sample_pb2_grpc.ProtectedServiceServicer):
        async def ListNotes(self, request: Any, context: Any) -> Any:  # noqa: N802  (gRPC's own naming)
            return sample_pb2.ListNotesResponse(notes=[sample_pb2.Note(text="hello")])

    async def use() -> list[grpc.StatusCode]:
        listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        names = example("grpc", issuer, **{f'server.add_insecure_port("{ADDRESS}")': "listen(server)"})
        names["listen"] = lambda server: listening.set_result(server.add_insecure_port("127.0.0.1:0"))
        notes = Notes()  # type: ignore[abstract]  # the stubs want all methods; the example needs one
        add = sample_pb2_grpc.add_ProtectedServiceServicer_to_server
        serving = asyncio.create_task(names["serve"](lambda server: add(notes, server)))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{await listening}") as channel:
            stub = sample_pb2_grpc.ProtectedServiceStub(channel)
            codes = [
                await code_of(stub.ListNotes(sample_pb2.ListNotesRequest(), metadata=bearer(issuer, "notes:read"))),
                await code_of(stub.ListNotes(sample_pb2.ListNotesRequest())),
                await code_of(stub.Access(sample_pb2.AccessRequest(), metadata=bearer(issuer, "notes:read"))),
            ]
        serving.cancel()
        await asyncio.wait([serving])
        return codes

    codes = grpc.StatusCode
    assert run(use()) == [codes.OK, codes.UNAUTHENTICATED, codes.PERMISSION_DENIED]


@pytest.mark.filterwarnings("ignore:websockets.legacy:DeprecationWarning")  # imported by Sanic itself
def test_the_sanic_example_guards_an_application(issuer: LocalIssuer, run: Run) -> None:
    """With the scope the route answers for its caller; without it 403, without a token 401."""

    async def use() -> list[httpx2.Response]:
        app = example("sanic", issuer)["app"]
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = await app.create_server(sock=listener, return_asyncio_server=True, access_log=False)
            await server.startup()
            await server.before_start()
            await server.after_start()
            async with httpx2.AsyncClient() as client:
                url = f"http://127.0.0.1:{listener.getsockname()[1]}/orders"
                callers = (bearer(issuer, "orders:read"), bearer(issuer, "other"), ())
                answers = [await client.get(url, headers=headers) for headers in callers]
            await server.before_stop()
            await server.close()
            await server.after_stop()
        return answers

    answers = run(use())
    assert [answer.status_code for answer in answers] == [200, 403, 401]
    assert answers[0].json() == {"for": "subject"}


def test_the_core_example_names_the_subject_or_the_refusal(issuer: LocalIssuer, run: Run) -> None:
    """A good token gives its subject, an expired one the code that both transports carry."""
    who = example("core", issuer)["who"]
    assert run(who(issuer.mint(scope="orders:read"))) == "subject"
    assert run(who(issuer.mint(scope="orders:read", lifetime=-1))) == "token_expired"
    assert run(who(issuer.mint())) == "scope_insufficient"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([\w./-]+)\)", README))))
def test_the_readme_points_at_what_exists(path: str) -> None:
    """No link of the README leads nowhere."""
    assert (ROOT / path).exists()


def bearer(issuer: LocalIssuer, scope: str) -> tuple[tuple[str, str]]:
    """The metadata, or the headers, of a caller with this scope."""
    return (("authorization", f"Bearer {issuer.mint(scope=scope)}"),)


async def code_of(call: Any) -> grpc.StatusCode:
    """How a call ends."""
    with contextlib.suppress(grpc.aio.AioRpcError):
        await call
    code: grpc.StatusCode = await call.code()
    return code
