"""The connections to one issuer: when they end, on which loop, and what is said of the files behind them."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import httpcore2
import pytest

from bearward.fetch import pool
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.network import _ClosingStream
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.fetch.test_rotated_files import client_of, replace
from tests.core.jwks.mutual_tls import Certificates
from tests.core.jwks.support import fetch


def test_close_ends_a_fetch_that_is_under_way(run: Run) -> None:
    """The issuer sees its connection end; it does not wait for a client that has gone."""

    async def scenario() -> bytes:
        asked, ended = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def never_respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            asked.set()
            ended.set_result(await reader.read())
            writer.close()

        async with await asyncio.start_server(never_respond, "127.0.0.1", 0) as server:
            client = client_of(read_timeout=120.0, total_timeout=120.0)
            fetching = asyncio.create_task(client.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"))
            await asked.wait()
            await client.aclose()
            async with asyncio.timeout(30):
                rest: bytes = await ended
            with pytest.raises(FetchError):
                await fetching
            return rest

    assert run(scenario()) == b""


def test_close_before_any_fetch_and_after_another_does_nothing(run: Run, issuer: LocalIssuer) -> None:
    """And the client may be used again."""

    async def scenario() -> None:
        client = client_of()
        await client.aclose()
        for _ in range(2):
            assert (await client.get(issuer.jwks_uri)).body
            await client.aclose()
            await client.aclose()

    run(scenario())


def test_close_on_another_loop_leaves_what_runs_to_its_own(run: Run, issuer: LocalIssuer) -> None:
    """Connections belong to the loop that opened them: no other one may touch them."""
    client = client_of()
    issuer.hold()
    bodies: list[bytes | None] = []
    thread = threading.Thread(target=lambda: bodies.append(asyncio.run(client.get(issuer.jwks_uri)).body))
    thread.start()
    try:
        issuer.wait_for_requests("/jwks")
        run(client.aclose())
    finally:
        issuer.release()
        thread.join(30)
    assert bodies[0]


def test_new_files_are_told_once_and_the_first_ones_never(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for a change; none for the first fetch, or for a fetch that finds nothing changed."""
    bundle = tmp_path / "ca.pem"
    with LocalIssuer(algorithms=["ES256"], tls=True) as old, LocalIssuer(algorithms=["ES256"], tls=True) as new:
        bundle.write_bytes(old.ca_pem)

        async def scenario() -> list[int]:
            client, said = client_of(ca_file=bundle), []
            for issuer, pem in ((old, None), (old, None), (new, new.ca_pem), (new, None)):
                if pem is not None:
                    replace(bundle, pem)
                assert (await client.get(issuer.jwks_uri)).body
                said.append(len(caplog.records))
            await client.aclose()
            return said

        with caplog.at_level(logging.INFO, logger="bearward.fetch"):
            assert run(scenario()) == [0, 0, 1, 1]
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.INFO, "TLS files changed and were read again")


def _certificate_without_its_key(folder: Path, made: Certificates) -> dict[str, Any]:
    pem, mark, _ = made.client_file.read_bytes().partition(b"-----BEGIN PRIVATE KEY-----")
    assert mark
    (folder / "tls.crt").write_bytes(pem)
    return {"client_cert": folder / "tls.crt"}


def _key_of_another(folder: Path, made: Certificates) -> dict[str, Any]:
    (folder / "other").mkdir()
    key = Certificates(folder / "other").client_file
    return {"client_cert": made.client_file, "client_key": key}


def _authorities_that_are_none(folder: Path, made: Certificates) -> dict[str, Any]:
    (folder / "none.pem").write_bytes(b"no certificate")
    return {"ca_file": folder / "none.pem", "client_cert": made.client_file, "client_key": made.client_file}


UNUSABLE = {
    "no path": (lambda *_: {"ca_file": "a\0b"}, "jwks_options.ca_file (a\0b): ValueError"),
    "a folder": (lambda folder, _: {"ca_file": folder}, "jwks_options.ca_file ({folder}): Is a directory"),
    "a certificate without its key": (_certificate_without_its_key, "jwks_options.client_cert ({folder}/tls.crt): "),
    "the key of another certificate": (
        _key_of_another,
        "jwks_options.client_cert or client_key ({made}): KEY_VALUES_MISMATCH",
    ),
    "authorities that are none": (
        _authorities_that_are_none,
        "jwks_options.ca_file ({folder}/none.pem): NO_CERTIFICATE",
    ),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_unusable_file_is_named_by_its_setting(what: str, run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """The one that is at fault, of several, and why: by the words of OpenSSL, or of the system."""
    make, said = UNUSABLE[what]
    made = Certificates(tmp_path)
    options = {"ca_file": made.ca_file, **make(tmp_path, made)}
    with pytest.raises(FetchError) as failed:
        run(client_of(**options).get(issuer.jwks_uri))
    assert failed.value.failure is FetchFailure.FILE
    assert said.format(folder=tmp_path, made=made.client_file) in str(failed.value)


def test_proxy_may_have_a_user_without_a_password(run: Run) -> None:
    """`http://user@proxy`: what is sent then is `user:` (RFC 7617 section 2)."""
    seen: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.extend(line for line in head.split(b"\r\n") if line.lower().startswith(b"proxy-authorization"))
        writer.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            proxy = f"http://user@127.0.0.1:{server.sockets[0].getsockname()[1]}"
            with pytest.raises(FetchError):
                await fetch("http://login.example/jwks", proxy=proxy, unsafe_allow_http=True)

    run(scenario())
    assert [line.partition(b": ")[2] for line in seen] == [b"Basic dXNlcjo="]


def test_transport_is_imported_although_the_program_runs_by_anyio(monkeypatch: pytest.MonkeyPatch) -> None:
    """A context variable of sniffio says so, in threads too; and what cannot be imported ahead is imported later."""
    running: ContextVar[str] = ContextVar("running", default="none")
    seen: list[str] = []

    def anyio_run(*_: object) -> None:
        seen.append(running.get())
        raise RuntimeError("already running")

    monkeypatch.setattr("anyio.run", anyio_run)
    running.set("asyncio")
    pool._import_transport.__wrapped__()
    assert seen == ["none"]


def test_handshake_within_that_of_a_proxy_is_closed_as_well(run: Run) -> None:
    """By a proxy that speaks TLS there are two: one with it, and one through it with the issuer."""

    class Stream(httpcore2.AsyncNetworkStream):
        handshakes = closed = 0

        async def start_tls(self, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
            self.handshakes += 1
            if self.handshakes == 2:
                raise asyncio.CancelledError
            return self

        async def aclose(self) -> None:
            self.closed += 1

    async def scenario() -> int:
        stream = Stream()
        tunnel = await _ClosingStream(stream).start_tls(ssl.create_default_context())
        with pytest.raises(asyncio.CancelledError):
            await tunnel.start_tls(ssl.create_default_context())
        return stream.closed

    assert run(scenario()) == 1
