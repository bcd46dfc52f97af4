"""Certificate-bound tokens behind a proxy (RFC 8705): the same cases for every proxy that ends mutual TLS.

Rules of this file: what a caller sends where the proxy speaks must not count, and past the proxy the field says nothing.
A certificate of the wrong authority never gets as far as our side.
"""

from __future__ import annotations

import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import httpx2

from bearward.client_certificates import CertificateForm
from samples.v1 import sample_pb2
from tests.interop.callers import GRPCCaller, HTTPCaller
from tests.interop.certificates import Authority, thumbprint
from tests.interop.forgeries import forgeries
from tests.interop.issuing import Issuer
from tests.interop.rows.clients import KINDS, verdict_of, with_token
from tests.interop.sheet import ACCEPTED, Answer, Sheet

__all__ = ["Front", "as_forwarded", "bound_token", "judge", "past_the_proxy", "tls"]

_CONSTRAINED = "token_sender_constrained"
_SENDING = frozenset({"client streaming", "bidirectional"})


@dataclass(frozen=True, slots=True)
class Front:
    """A proxy that ends mutual TLS: its port, what stands behind it, and how the certificate is forwarded."""

    name: str
    port: int
    http_url: str
    grpc_target: str
    authority: Authority
    form: CertificateForm
    field: str
    resets: bool = False
    """Whether it resets a stream that is refused while its client still sends: the code arrives, the status may not."""


def judge(sheet: Sheet, issuer: Issuer, front: Front) -> None:
    """All cases, through the proxy and past it."""
    mine, theirs = front.authority.issue("mine"), front.authority.issue("theirs")
    token = bound_token(issuer, mine)
    sheet.algorithms["ES256"] = None
    _through(sheet, issuer, front, token, mine, theirs)
    foreign = Authority(sheet.folder / "foreign").issue("foreign")
    for name, files in (("no certificate", None), ("a certificate of another authority", foreign)):
        _kept_out(sheet, front, name, files, token)
    past_the_proxy(sheet, issuer, front, mine, token)


def _through(
    sheet: Sheet, issuer: Issuer, front: Front, token: str, mine: tuple[Path, Path], theirs: tuple[Path, Path]
) -> None:
    spoofed = {front.field: as_forwarded(front.form, mine[0])}
    plain = issuer.mint(scope="notes:read notes:write")
    for name, files, presented, right, more in (
        ("with its certificate", mine, token, ACCEPTED, {}),
        ("with another certificate", theirs, token, _CONSTRAINED, {}),
        ("with another certificate, its own forged in the field", theirs, token, _CONSTRAINED, spoofed),
        ("with its certificate, the field set by the caller too", mine, token, ACCEPTED, spoofed),
        ("not bound", mine, plain, ACCEPTED, {}),
    ):
        http, stub = _callers(front, files, more)
        with stub:
            answers = [http.whoami(presented), stub.whoami(presented, **_metadata(more))]
            sheet.expect(f"token {name}", right, answers)
            scheme = [caller.present([f"mtls_pop {presented}"], []) for caller in (http, stub)] if not more else []
            sheet.expect(f"token {name}, as mtls_pop", "token_not_bound" if presented == plain else right, scheme)
            for kind, need, call in () if more else KINDS:
                answer = Answer(stub.transport, verdict_of(with_token(call, presented), stub.stub))
                reset = f"|gRPC CANCELLED with code {right}" if front.resets and kind in _SENDING else ""
                sheet.expect(f"token {name}: {kind}, {need}", right + reset, [answer])
        http.close()
    http, stub = _callers(front, mine, {})
    expired = bound_token(issuer, mine, iat=int(time.time()) - 600, exp=int(time.time()) - 1)
    with stub:
        sheet.expect("token expired", "token_expired", [http.whoami(expired), stub.whoami(expired)])
        for name, forged, right in forgeries(token, issuer.document("jwks")):
            sheet.expect(f"forged: {name}", right, [http.whoami(forged), stub.whoami(forged)])
    http.close()


def _kept_out(sheet: Sheet, front: Front, name: str, files: tuple[Path, Path] | None, token: str) -> None:
    try:
        response = httpx2.get(
            f"https://localhost:{front.port}/whoami",
            headers={"authorization": f"Bearer {token}"},
            verify=tls(front.authority, files),
            trust_env=False,
            timeout=30,
        )
    except httpx2.TimeoutException:
        refused = False  # a response that is slow in coming is no refusal
    except httpx2.TransportError:
        refused = True
    else:
        refused = response.status_code == 400  # nginx says so over HTTP
    sheet.check(f"{name}, kept out", _http(front), refused, "let in")
    with GRPCCaller(f"localhost:{front.port}", credentials=_credentials(front.authority, files)) as caller:
        metadata = (("authorization", f"Bearer {token}"),)
        try:
            caller.stub.WhoAmI(sample_pb2.WhoAmIRequest(), metadata=metadata, timeout=30)
        except grpc.RpcError as error:
            failed: Any = error
            answered = dict(failed.trailing_metadata() or ())
            refused = failed.code() is not grpc.StatusCode.DEADLINE_EXCEEDED and "bearward-code" not in answered
        else:
            refused = False
    sheet.check(f"{name}, kept out", _grpc(front), refused, "let in")


def past_the_proxy(sheet: Sheet, issuer: Issuer, front: Front, mine: tuple[Path, Path], token: str) -> None:
    """Callers who reach our side directly, and set the field as the proxy would, but for its secret."""
    field = {front.field: as_forwarded(front.form, mine[0])}
    plain = issuer.mint(scope="notes:read")
    for name, presented, more, right in (
        ("no field", token, {}, _CONSTRAINED),
        ("a forged field", token, field, _CONSTRAINED),
        ("a forged field and a guessed secret", token, {**field, "x-proxy-secret": "guessed"}, _CONSTRAINED),
        ("a token that is not bound", plain, field, ACCEPTED),
    ):
        http = HTTPCaller(front.http_url, f"HTTP past {front.name}", headers=more)
        with GRPCCaller(front.grpc_target, f"gRPC past {front.name}") as stub:
            answers = [http.whoami(presented), stub.whoami(presented, **_metadata(more))]
            sheet.expect(f"past the proxy: {name}", right, answers)
        http.close()


def as_forwarded(form: CertificateForm, file: Path) -> str:
    """A certificate as proxies write it in this form."""
    pem = file.read_text(encoding="ascii")
    der = b64encode(ssl.PEM_cert_to_DER_cert(pem)).decode()
    escaped = quote(pem, safe="")
    written: dict[str, str] = {"xfcc": f'Cert="{escaped}"', "escaped-pem": escaped, "client-cert": f":{der}:"}
    return written.get(form, der)


def bound_token(issuer: Issuer, files: tuple[Path, Path], **changes: Any) -> str:
    """A token that is bound to this certificate (RFC 8705 section 3.1)."""
    return issuer.mint(cnf={"x5t#S256": thumbprint(files[0])}, scope="notes:read notes:write", **changes)


def tls(authority: Authority, files: tuple[Path, Path] | None) -> ssl.SSLContext:
    """For a client with this certificate, or with none."""
    context = ssl.create_default_context(cafile=authority.file)
    if files is not None:
        context.load_cert_chain(*files)
    return context


def _callers(front: Front, files: tuple[Path, Path], more: Mapping[str, str]) -> tuple[HTTPCaller, GRPCCaller]:
    url = f"https://localhost:{front.port}"
    http = HTTPCaller(url, _http(front), verify=tls(front.authority, files), headers=dict(more))
    return http, GRPCCaller(f"localhost:{front.port}", _grpc(front), credentials=_credentials(front.authority, files))


def _credentials(authority: Authority, files: tuple[Path, Path] | None) -> grpc.ChannelCredentials:
    certificate, key = (file.read_bytes() for file in files) if files else (None, None)
    return grpc.ssl_channel_credentials(authority.file.read_bytes(), key, certificate)


def _metadata(more: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in more.items()}


def _http(front: Front) -> str:
    return f"HTTP through {front.name}"


def _grpc(front: Front) -> str:
    return f"gRPC through {front.name}"
