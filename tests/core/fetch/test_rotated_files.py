"""TLS files that are replaced while the process runs: read again before the next fetch, a bad one changes nothing."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from bearward.fetch.client import IssuerHTTPClient
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.jwks.options import JWKSOptions
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.jwks.mutual_tls import Certificates, MutualTLSServer


def client_of(**options: Any) -> IssuerHTTPClient:
    """A client that lives as long as a process."""
    return IssuerHTTPClient(JWKSOptions(**options).http_settings())


def replace(path: Path, content: bytes) -> None:
    """As cert-manager does: written beside it, then renamed."""
    new = path.with_name("new")
    new.write_bytes(content)
    new.rename(path)


def test_ca_file_is_read_again_when_it_changes(run: Run, tmp_path: Path) -> None:
    """The issuer shows a certificate of the new authority; the bundle on disk holds it; the running process fetches."""
    bundle = tmp_path / "ca.pem"
    with LocalIssuer(algorithms=["ES256"], tls=True) as old, LocalIssuer(algorithms=["ES256"], tls=True) as new:
        bundle.write_bytes(old.ca_pem)

        async def scenario() -> None:
            client = client_of(ca_file=bundle)
            assert (await client.get(old.jwks_uri)).body
            with pytest.raises(FetchError) as failed:
                await client.get(new.jwks_uri)
            assert failed.value.failure is FetchFailure.TLS
            replace(bundle, new.ca_pem)
            assert (await client.get(new.jwks_uri)).body
            with pytest.raises(FetchError):
                await client.get(old.jwks_uri)
            await client.aclose()

        run(scenario())


def test_ca_file_in_a_configmap_is_read_again(run: Run, tmp_path: Path) -> None:
    """Kubernetes swaps the symlink `..data`; the path of the file itself never changes."""
    with LocalIssuer(algorithms=["ES256"], tls=True) as old, LocalIssuer(algorithms=["ES256"], tls=True) as new:

        def publish(version: str, pem: bytes) -> None:
            (tmp_path / version).mkdir()
            (tmp_path / version / "ca.pem").write_bytes(pem)
            (tmp_path / "next").symlink_to(version)
            (tmp_path / "next").rename(tmp_path / "..data")

        publish("one", old.ca_pem)
        (tmp_path / "ca.pem").symlink_to("..data/ca.pem")

        async def scenario() -> None:
            client = client_of(ca_file=tmp_path / "ca.pem")
            assert (await client.get(old.jwks_uri)).body
            publish("two", new.ca_pem)
            assert (await client.get(new.jwks_uri)).body
            await client.aclose()

        run(scenario())


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\n", None], ids=["empty", "broken", "missing"])
def test_bad_ca_file_keeps_the_last_good_one(
    content: bytes | None, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With one line in the log that names the setting, however often keys are fetched; a good file is taken again."""
    bundle = tmp_path / "ca.pem"
    with LocalIssuer(algorithms=["ES256"], tls=True) as issuer:
        bundle.write_bytes(issuer.ca_pem)

        async def scenario() -> None:
            client = client_of(ca_file=bundle)
            assert (await client.get(issuer.jwks_uri)).body
            bundle.unlink()
            if content is not None:
                bundle.write_bytes(content)
            for _ in range(3):
                assert (await client.get(issuer.jwks_uri)).body
            replace(bundle, issuer.ca_pem)
            assert (await client.get(issuer.jwks_uri)).body
            await client.aclose()

        with caplog.at_level(logging.INFO, logger="bearward.fetch"):
            run(scenario())
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2  # the end of a warning is one
    failure, recovery = (record.getMessage() for record in caplog.records)
    assert f"jwks_options.ca_file ({bundle})" in failure
    assert recovery == "TLS files can be used again, and were read"


def test_recovery_is_logged_where_the_old_file_comes_back(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing has to be read again then, and whoever saw the warning still sees its end, once."""
    bundle, aside = tmp_path / "ca.pem", tmp_path / "aside"
    with LocalIssuer(algorithms=["ES256"], tls=True) as issuer:
        bundle.write_bytes(issuer.ca_pem)

        async def scenario() -> None:
            client = client_of(ca_file=bundle)
            assert (await client.get(issuer.jwks_uri)).body
            bundle.rename(aside)
            assert (await client.get(issuer.jwks_uri)).body
            aside.rename(bundle)
            for _ in range(2):
                assert (await client.get(issuer.jwks_uri)).body
            await client.aclose()

        with caplog.at_level(logging.WARNING, logger="bearward.fetch"):
            run(scenario())
    _, *recoveries = (record.getMessage() for record in caplog.records)
    assert len(recoveries) == 1
    assert "can be used again" in recoveries[0]


def test_client_certificate_is_read_again_when_it_changes(run: Run, tmp_path: Path) -> None:
    """And a certificate whose key has not arrived yet leaves the last good pair in use."""
    with MutualTLSServer(tmp_path, b"{}") as server:
        certificate, key = _split(server.client_file)
        pair = tmp_path / "tls.crt", tmp_path / "tls.key"
        pair[0].write_bytes(certificate)
        pair[1].write_bytes(key)
        (tmp_path / "other").mkdir()
        other = Certificates(tmp_path / "other")

        async def scenario() -> None:
            client = client_of(ca_file=server.ca_file, client_cert=pair[0], client_key=pair[1])
            assert (await client.get(server.url)).body == b"{}"
            strange_certificate, strange_key = _split(other.client_file)
            replace(pair[0], strange_certificate)
            assert (await client.get(server.url)).body == b"{}"  # its key is still the old one
            replace(pair[1], strange_key)
            with pytest.raises(FetchError):  # the pair is read, and this server does not know its authority
                await client.get(server.url)
            replace(pair[0], certificate)
            replace(pair[1], key)
            assert (await client.get(server.url)).body == b"{}"
            await client.aclose()

        run(scenario())
        assert server.subjects == ["a service"] * 3


def test_authorities_of_the_machine_are_read_again(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update of the system's bundle, which `SSL_CERT_FILE` may name, needs no restart either."""
    bundle = tmp_path / "system.pem"
    with LocalIssuer(algorithms=["ES256"], tls=True) as issuer, LocalIssuer(algorithms=["ES256"], tls=True) as other:
        bundle.write_bytes(other.ca_pem)
        monkeypatch.setenv("SSL_CERT_FILE", os.fspath(bundle))

        async def scenario() -> None:
            client = client_of()
            with pytest.raises(FetchError):
                await client.get(issuer.jwks_uri)
            replace(bundle, issuer.ca_pem)
            assert (await client.get(issuer.jwks_uri)).body
            await client.aclose()

        run(scenario())


def test_missing_file_at_the_first_fetch_names_the_setting(run: Run, issuer: LocalIssuer) -> None:
    """There is no last good one."""
    with pytest.raises(FetchError) as failed:
        run(client_of(ca_file="/nonexistent.pem").get(issuer.jwks_uri))
    assert failed.value.failure is FetchFailure.FILE
    assert "jwks_options.ca_file (/nonexistent.pem): No such file or directory" in str(failed.value)


def test_host_name_is_checked_where_ca_file_is_set(run: Run, tmp_path: Path) -> None:
    """An authority of one's own vouches for names like any other: a certificate for another name is refused."""
    bundle = tmp_path / "ca.pem"
    with LocalIssuer(algorithms=["ES256"], tls=True, host="0.0.0.0") as issuer:
        bundle.write_bytes(issuer.ca_pem)
        assert run(client_of(ca_file=bundle).get(f"https://127.0.0.1:{issuer.port}/jwks")).body
        with pytest.raises(FetchError) as failed:  # the certificate is for 127.0.0.1 and localhost
            run(client_of(ca_file=bundle).get(f"https://127.0.0.2:{issuer.port}/jwks"))
        assert failed.value.failure is FetchFailure.TLS
        assert "IP address mismatch" in str(failed.value)


def _split(pem: Path) -> tuple[bytes, bytes]:
    """The certificate and the key of one file."""
    certificate, mark, key = pem.read_bytes().partition(b"-----BEGIN PRIVATE KEY-----")
    return certificate, mark + key
