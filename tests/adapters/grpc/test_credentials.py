"""How a token may come, and what of it may be seen: one `authorization` entry, and nothing in any log."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator

import pytest

from bearward.testing import LocalIssuer
from bearward_grpc import RedactingFilter, authenticated, optional, public, redact_logs
from tests.adapters.grpc.calls import SHAPES, bearer, channel_to, collect, path
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.raw import RawCall
from tests.adapters.grpc.servers import KINDS, SERVICE, Running, serving

Entries = list[tuple[str, str]]
OK = "ok"
ROWS: dict[str, tuple[Callable[[str], Entries], str]] = {
    "as it should be": (lambda t: [("authorization", f"Bearer {t}")], OK),
    "twice": (lambda t: [("authorization", f"Bearer {t}")] * 2, "credentials_repeated"),
    "twice, one of them foreign": (
        lambda t: [("authorization", "Basic dTpw"), ("authorization", f"Bearer {t}")],
        "credentials_repeated",
    ),
    "joined by a comma": (lambda t: [("authorization", f"Bearer {t}, Bearer {t}")], "credentials_malformed"),
    "another scheme": (lambda t: [("authorization", "Basic dTpw")], "credentials_missing"),
    "no scheme": (lambda t: [("authorization", t)], "bearer_scheme_missing"),
    "a token of another scheme": (lambda t: [("authorization", f"Token {t}")], "bearer_scheme_missing"),
    "a token of a scheme as long as ours": (lambda t: [("authorization", f"Digest {t}")], "bearer_scheme_missing"),
    "two spaces": (lambda t: [("authorization", f"Bearer  {t}")], OK),
    "no token": (lambda t: [("authorization", "Bearer")], "credentials_malformed"),
    "empty": (lambda t: [("authorization", "")], "credentials_missing"),
    "a control character": (lambda t: [("authorization", f"Bearer {t}\x01")], "credentials_malformed"),
    "not ASCII": (lambda t: [("authorization", f"Bearer {t}\u00e9")], "credentials_malformed"),
    "binary metadata": (lambda t: [("authorization-bin", "QmVhcmVy")], "credentials_missing"),
    "another name": (lambda t: [("x-authorization", f"Bearer {t}")], "credentials_missing"),
    "the proxy's": (lambda t: [("proxy-authorization", f"Bearer {t}")], "credentials_missing"),
}


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, issuer: LocalIssuer) -> Iterator[Running]:
    """The echo service for any verified caller."""
    with serving(
        request.param, trust(issuer), {SERVICE: authenticated, f"/{SERVICE}/US": public, f"/{SERVICE}/SU": optional}
    ) as running:
        yield running


@pytest.mark.parametrize("name", ROWS)
def test_exactly_one_bearer_token_is_read(
    name: str, server: Running, issuer: LocalIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever else comes is missing, malformed or repeated, and never logged by us."""
    entries, expected = ROWS[name]
    token = issuer.mint(sub="ada")
    with caplog.at_level(logging.DEBUG), RawCall(server.port, path("UU"), entries(token)) as call:
        call.send(b"hello", end=True)
        reply = call.until_end()
    told = reply.headers[-1].get("bearward-code", OK if reply.status == 0 else reply.status)
    assert told == expected
    assert not [r for r in caplog.records if r.name.startswith("bearward") and token in r.getMessage()]


def test_scheme_is_read_in_any_letters_and_among_spaces(server: Running, issuer: LocalIssuer) -> None:
    """RFC 9110 sections 5.5 and 11.1: neither the case of a scheme nor white space around the value says anything."""
    token = issuer.mint(sub="ada")
    for value in (f"bearer {token}", f"BEARER {token}", f"Bearer  {token}", f" Bearer {token} "):
        with RawCall(server.port, path("UU"), [("authorization", value)]) as call:
            call.send(b"hello", end=True)
            assert call.until_end().status == 0


def test_uppercase_metadata_key_is_refused(server: Running, issuer: LocalIssuer) -> None:
    """HTTP/2 forbids it (RFC 9113 section 8.2.1); grpc or we refuse, and no handler runs."""
    ran = len(server.seen.callers)
    with RawCall(server.port, path("UU"), [("Authorization", f"Bearer {issuer.mint()}")]) as call:
        call.send(b"hello", end=True)
        reply = call.until_end()
    assert not reply.headers or reply.status != 0
    assert len(server.seen.callers) == ran


def test_oversized_token_is_refused_before_any_work(server: Running) -> None:
    """Whether grpc's own limit or ours strikes first, the call ends and no handler runs."""
    ran = len(server.seen.callers)
    with RawCall(server.port, path("UU"), [("authorization", "Bearer " + "a" * 17_000)]) as call:
        reply = call.until_end()
    assert not reply.headers or reply.status in {8, 16}
    assert len(server.seen.callers) == ran


def test_public_method_ignores_the_token(server: Running, issuer: LocalIssuer) -> None:
    """Good, bad or none: there is no principal."""
    with channel_to(server.target) as channel:
        for metadata in ((), bearer("rubbish"), bearer(issuer.mint(sub="ada"))):
            call = channel.unary_stream(path("US"))(b"hello", metadata=metadata)
            assert collect(call).messages == [b"nobody", b"hello"]


def test_optional_rule_accepts_no_token_or_a_valid_one(server: Running, issuer: LocalIssuer) -> None:
    """Without a token there is no principal; a bad one is refused as everywhere."""
    with channel_to(server.target) as channel:
        shape = SHAPES["stream-unary"]
        assert shape(channel, ()).messages == [b"nobody:a,b"]
        assert shape(channel, bearer(issuer.mint(sub="ada"))).messages == [b"ada:a,b"]
        assert shape(channel, bearer("rubbish")).code == "token_malformed"
        for no_token in ("", "Basic dTpw"):
            assert shape(channel, (("authorization", no_token),)).messages == [b"nobody:a,b"]
        assert shape(channel, (("authorization", issuer.mint()),)).code == "bearer_scheme_missing"


def test_grpcs_own_line_is_redacted(
    server: Running, issuer: LocalIssuer, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    """Metadata that is not UTF-8 is logged by grpcio with its value; the filter keeps the line and takes the value."""
    redacting = redact_logs()
    for name in ("grpc", "grpc._cython.cygrpc"):
        request.addfinalizer(functools.partial(logging.getLogger(name).removeFilter, redacting))
    token = issuer.mint()
    with RawCall(server.port, path("UU"), [("authorization", f"Bearer {token}\xe9".encode("latin-1"))]) as call:
        call.until_end()
    lines = [record.getMessage() for record in caplog.records if record.name == "grpc._cython.cygrpc"]
    assert lines == ["Invalid encoding on [redacted]"] * len(lines)
    assert lines
    assert token not in caplog.text


@pytest.mark.parametrize(
    ("line", "arguments", "clean"),
    [
        ("Invalid encoding on %s", (b"Bearer a.b.c\xe9",), "Invalid encoding on [redacted]"),
        ("metadata authorization: Bearer abc.def-ghi/+=", (), "metadata authorization: Bearer [redacted]"),
        ("got eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln in x", (), "got [redacted] in x"),
        ("module grpc._cython.cygrpc loaded", (), "module grpc._cython.cygrpc loaded"),
        ("%d of %d", ("wrong",), "%d of %d"),
    ],
)
def test_log_filter_redacts_credentials(line: str, arguments: tuple[object, ...], clean: str) -> None:
    """Values after a scheme and whole JWTs go; the rest of the line stays."""
    record = logging.LogRecord("grpc", logging.ERROR, "", 0, line, arguments, None)
    assert RedactingFilter().filter(record)
    assert record.getMessage() == clean
