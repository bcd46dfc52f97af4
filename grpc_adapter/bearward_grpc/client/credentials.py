"""`call_credentials`: a token source as grpc call credentials, for channels that you build yourself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import grpc

from bearward_grpc.client.proofs import Prover
from bearward_grpc.client.sources import TokenSource

__all__ = ["call_credentials"]


class _Plugin(grpc.AuthMetadataPlugin):  # type: ignore[misc,unused-ignore]
    def __init__(self, source: TokenSource, origin: str | None) -> None:
        self._source = source
        self._prover = Prover(source, origin)

    def __call__(self, context: Any, callback: Callable[..., Any]) -> None:
        # grpc calls this in its own thread, and turns an error into UNAVAILABLE, with the error's text.
        try:
            method = f"/{urlsplit(context.service_url).path.strip('/')}/{context.method_name}"
            metadata = self._prover.metadata(self._source.token(), method, context.service_url)
        except Exception as error:  # noqa: BLE001
            callback((), error)
        else:
            callback(metadata, None)


def call_credentials(source: TokenSource, *, origin: str | None = None) -> grpc.CallCredentials:
    """Call credentials that ask `source` for each call.

    They forget no token that a server refused and learn no nonce (the interceptors do), and see no caller to forward for.
    `origin` is the server's public origin for DPoP proofs, where it is not what the channel connects to.
    """
    return grpc.metadata_call_credentials(_Plugin(source, origin), name="bearward")
