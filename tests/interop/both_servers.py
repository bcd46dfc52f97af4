"""Our side of the rows that need both adapters in one process: `peers/both.py`, with certificates of a small authority.

Rule of this file: what `Pair` is for the samples.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc

from bearward.client_certificates import CertificateForm
from tests.interop.certificates import Authority
from tests.interop.pair import QUICK, environment, toml
from tests.interop.processes import Process
from tests.interop.sheet import Sheet

__all__ = ["Both"]


class Both:
    """One process: Sanic on `http_url`, grpc.aio with mutual TLS on `grpc_target`, and without on `plain_target`.

    Where there is no TLS, a proxy that knows `secret` forwards the client's certificate in the field `field`.
    """

    def __init__(
        self,
        sheet: Sheet,
        *issuers: Mapping[str, Any],
        form: CertificateForm = "xfcc",
        field: str = "x-forwarded-client-cert",
    ) -> None:
        self.form: CertificateForm = form
        self.field = field
        self.secret = secrets.token_hex()
        self.authority = Authority(sheet.folder)
        certificate, key = self.authority.issue("server")
        self.server_files = (certificate, key)
        config = sheet.folder / "both.toml"
        config.write_text(toml([{"keys": QUICK, **issuer} for issuer in issuers]), encoding="utf-8")
        files = (config, certificate, key, self.authority.file)
        command = [sys.executable, "-m", "tests.interop.peers.both", *files, form, field, self.secret]
        process = sheet.start(Process("both", command, sheet.folder, env=environment()))
        self.grpc_target = process.line("listening on grpcs://")
        self.plain_target = process.line("listening on grpc://")
        self.http_url = "http://" + process.line("listening on http://")

    def channel_credentials(self, files: tuple[Path, Path] | None) -> grpc.ChannelCredentials:
        """For a client with this certificate and key, or with none."""
        certificate, key = (file.read_bytes() for file in files) if files else (None, None)
        return grpc.ssl_channel_credentials(self.authority.file.read_bytes(), key, certificate)
