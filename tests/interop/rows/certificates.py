"""nginx and HAProxy end mutual TLS, and forward the client's certificate (RFC 8705): escaped PEM, RFC 9440, base64 of DER.

Rule of this file: the configurations are those that `docs/how-to/proxies.md` shows. They replace what a caller sends in the
certificate's field, and say by a secret who they are.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from tests.interop.both_servers import Both
from tests.interop.certificate_cases import Front, judge
from tests.interop.issuing import Issuer
from tests.interop.manifest import TOP
from tests.interop.pair import Pair
from tests.interop.processes import Process, free_port
from tests.interop.rows.nginx import start_nginx
from tests.interop.sheet import Row, Sheet

__all__ = ["ROWS", "block_of_the_page"]

_PAGE = TOP / "docs" / "how-to" / "proxies.md"
_FIELD = "x-client-cert"
_DEFAULTS = """
global
  maxconn 256
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s

"""


def block_of_the_page(language: str) -> str:
    """What the page shows about client certificates in this language."""
    section = _PAGE.read_text(encoding="utf-8").partition("## Client certificates from nginx and HAProxy\n")[2]
    return section.partition(f"```{language}\n")[2].partition("```")[0]


def _filled(text: str, places: Mapping[str, object]) -> str:
    """The text with what is here in place of what the page shows; each must be there."""
    for shown, used in places.items():
        if shown not in text:
            raise ValueError(f"the page does not show {shown!r}")
        text = text.replace(shown, str(used))
    return text


def _nginx(sheet: Sheet) -> None:
    issuer = Issuer(sheet)
    both = Both(sheet, issuer.trust, form="escaped-pem", field=_FIELD)
    port = free_port()
    certificate, key = both.server_files
    places: dict[str, object] = {
        "/etc/ssl/server.pem": certificate,
        "/etc/ssl/server.key": key,
        "/etc/ssl/clients.pem": both.authority.file,
    }
    places |= {"a-secret-of-the-proxy": both.secret, "127.0.0.1:9443": f"127.0.0.1:{port}"}
    places |= {"http://127.0.0.1:8000": both.http_url, "127.0.0.1:50051": both.plain_target}
    start_nginx(sheet, _filled(block_of_the_page("nginx"), places), [port])
    judge(sheet, issuer, Front("nginx", port, both.http_url, both.plain_target, both.authority, both.form, _FIELD))
    sheet.note("The field is `$ssl_client_escaped_cert`, in every `location` that reaches us.")


def _haproxy(sheet: Sheet) -> None:
    """Before the samples, which read RFC 9440's own field; and before both servers, with base64 of the DER."""
    issuer = Issuer(sheet)
    secret = secrets.token_hex()
    pair = Pair(sheet, issuer.trust, settings={"BEARWARD_PROXY_SECRET": secret})
    both = Both(sheet, issuer.trust, form="base64-der", field=_FIELD)
    authority, port, another = both.authority, free_port(), free_port()
    first = Front(
        "HAProxy", port, pair.http_url, pair.grpc_target, authority, "client-cert", "client-cert", resets=True
    )
    urls = (both.http_url, both.plain_target)
    second = Front("HAProxy, base64", another, *urls, authority, both.form, _FIELD, resets=True)
    pem = _together(both.server_files, sheet.folder / "haproxy.pem")
    sites = (_site(first, pem, ":%[ssl_c_der,base64]:", secret), _site(second, pem, "%[ssl_c_der,base64]", both.secret))
    config = sheet.folder / "haproxy.cfg"
    config.write_text(_DEFAULTS + "".join(sites), encoding="utf-8")
    process = sheet.start(Process("haproxy", ["/usr/sbin/haproxy", "-db", "-f", config], sheet.folder))
    for front in (first, second):
        process.until_listening(front.port)
        judge(sheet, issuer, front)
    sheet.note("A call that is refused while its client still sends may end as CANCELLED; the code is in its trailers.")
    sheet.note("`Client-Cert` of RFC 9440 before the samples, base64 of the DER before both adapters in one process.")


def _site(front: Front, pem: Path, value: str, secret: str) -> str:
    """A frontend and its two backends, under names of their own."""
    names = {"frontend public": f"frontend public-{front.port}"}
    for kind in ("http", "grpc"):
        names |= {
            f"_backend {kind}": f"_backend {kind}-{front.port}",
            f"\nbackend {kind}": f"\nbackend {kind}-{front.port}",
        }
    places = {"/etc/ssl/server.pem": pem, "/etc/ssl/clients.pem": front.authority.file, "a-secret-of-the-proxy": secret}
    places |= {"Client-Cert :%[ssl_c_der,base64]:": f"{front.field} {value}"}
    places |= {"127.0.0.1:9443": f"127.0.0.1:{front.port}"}
    places |= {"127.0.0.1:8000": front.http_url.removeprefix("http://"), "127.0.0.1:50051": front.grpc_target}
    return _filled(block_of_the_page("text"), {**names, **places})


def _together(files: tuple[Path, Path], together: Path) -> Path:
    """Certificate and key in one file, as HAProxy wants them."""
    together.write_bytes(b"".join(file.read_bytes() for file in files))
    return together


ROWS = (
    Row("nginx-certificates", "nginx with client certificates before both adapters", ("debian:nginx",), _nginx),
    Row("haproxy-certificates", "HAProxy with client certificates before both adapters", ("debian:haproxy",), _haproxy),
)
