"""A refusal leads to its section of the catalogue, where a service says who serves that: over HTTP and over gRPC."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from bearward import ConfigurationError, TrustedIssuer, Verifier, authenticated
from bearward_grpc import AuthInterceptor, SyncAuthInterceptor, VerifierThread
from tests.site.pages import serving

DOCS = "https://docs.example/bearward/reference/refusals.html"
ISSUER = 'TrustedIssuer("https://login.example/", audience="https://api.example")'
SERVICE = f"""
from sanic import Sanic, text
from bearward import TrustedIssuer, Verifier
from bearward_sanic import install

app = Sanic("documented")
install(app, Verifier({ISSUER}), refusal_docs="{DOCS}")


@app.get("/")
async def root(request):
    return text("")
"""
SECTIONS = re.findall(
    r"^### (\w+)$", (Path(__file__).parents[2] / "docs" / "reference" / "refusals.md").read_text(), re.MULTILINE
)


@pytest.mark.thorough
def test_problem_type_is_the_section(tmp_path: Path) -> None:
    """`type` is the page with the code as its fragment (RFC 9457 section 3.1.1), and `title` belongs to the type."""
    with serving(SERVICE, tmp_path) as address:
        problem = httpx2.get(address).json()
    assert problem["type"] == f"{DOCS}#credentials_missing"
    assert problem["title"] == problem["detail"] == "no bearer token was presented"
    assert problem["code"] in SECTIONS


@pytest.fixture
def port() -> Iterator[int]:
    """A server whose refusals lead to the page."""
    background = VerifierThread(Verifier(TrustedIssuer("https://login.example/", audience="https://api.example")))
    guard = SyncAuthInterceptor(background, {"/Orders/List": authenticated}, refusal_docs=DOCS)
    server = grpc.server(ThreadPoolExecutor(1), interceptors=[guard])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()
    background.stop()


def test_help_links_to_the_section(port: int) -> None:
    """`google.rpc.Help` has one link, to the section of the code."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary("/Orders/List")
        with pytest.raises(grpc.RpcError) as refused:
            call(b"", timeout=60)
    trailers: Any = refused.value.trailing_metadata()
    status = status_pb2.Status.FromString(dict(trailers)["grpc-status-details-bin"])
    (found,) = [detail for detail in status.details if detail.Is(error_details_pb2.Help.DESCRIPTOR)]
    help_ = error_details_pb2.Help()
    found.Unpack(help_)
    assert [link.url for link in help_.links] == [f"{DOCS}#credentials_missing"]


@pytest.mark.parametrize("url", ["docs/refusals.html", "http://docs.example/", "https://docs.example/#top", 1])
def test_invalid_address_is_a_configuration_error(url: Any) -> None:
    """The address is an https URL without a fragment."""
    verifier = Verifier(TrustedIssuer("https://login.example/", audience="https://api.example"))
    with pytest.raises(ConfigurationError, match="refusal_docs"):
        AuthInterceptor(verifier, {"/Orders/List": authenticated}, refusal_docs=url)
