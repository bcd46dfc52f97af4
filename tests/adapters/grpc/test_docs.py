"""The examples of docs/grpc.md are true: they run as they stand."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from bearward import requires, scope
from bearward.testing import LocalIssuer
from bearward_grpc import rules_from_protos
from tests.adapters.grpc.calls import TIMEOUT, bearer
from tests.adapters.grpc.servers import Seen, async_echo, methods, register
from tests.adapters.grpc.test_method_rules import compiled

TEXT = (Path(__file__).parents[3] / "docs" / "grpc.md").read_text()
(PROTO,) = re.findall(r"^```proto\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def test_documented_examples_guard_a_server(run: Any) -> None:
    """Every block runs; the first one's server serves whom it should, and its misspelt sibling does not start."""
    with LocalIssuer(algorithms=["ES256"], audience="https://api.example") as issuer:
        names: dict[str, Any] = {"__name__": "docs"}
        code = "\n".join(BLOCKS).replace("https://login.example/", issuer.url)
        exec(compile(code, "docs/grpc.md", "exec"), names)
        seen = Seen()

        def add(server: Any) -> None:
            echo = async_echo(seen)["UU"]
            register(server, methods({"UU": echo}), "notes.v1.Info")
            behaviors = {"UUList": echo, "UUDelete": names["delete"]}
            handlers = {name[2:]: handler for name, handler in methods(behaviors).items()}
            register(server, handlers, "notes.v1.Notes")

        async def use() -> list[Any]:
            server, verifier, port = await names["serve"](add)
            codes: list[Any] = []
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                for method, metadata in (
                    ("/notes.v1.Info/UU", ()),
                    ("/notes.v1.Notes/List", ()),
                    ("/notes.v1.Notes/List", bearer(issuer.mint())),
                    ("/notes.v1.Notes/List", bearer(issuer.mint(scope="notes:read"))),
                    ("/notes.v1.Notes/Delete", bearer(issuer.mint(scope="notes:read"))),
                ):
                    stub: Any = channel.unary_unary(method)
                    codes.append(await stub(b"", metadata=metadata, timeout=TIMEOUT).code())
            await server.stop(0)
            await verifier.aclose()
            return codes

        ok, unknown, denied = (
            grpc.StatusCode.OK,
            grpc.StatusCode.UNAUTHENTICATED,
            grpc.StatusCode.PERMISSION_DENIED,
        )
        assert run(use()) == [ok, unknown, denied, ok, denied]
        (sync,) = names["interceptors"](issuer.url)
        assert sync.policy.find("/notes.v1.Notes/List") is not None
        sync.background.stop()
        for made in names["channels"](issuer.token_endpoint, "localhost:1"):
            made.close()
        assert "/notes.v1.Notes/Purge" in names["FROM_TOML"]


def test_documented_options_are_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service of the page compiles beside its messages, and says of its method what the page says of it."""
    messages = "message ListRequest {}\nmessage ListResponse {}\n"
    compiled("page_notes", f'syntax = "proto3";\npackage page.notes;\n{PROTO}{messages}', tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert rules_from_protos(importlib.import_module("page_notes_pb2")) == {
        "/page.notes.Notes/List": requires(scope("notes:read"))
    }
