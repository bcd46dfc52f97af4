"""`call_credentials`: a token source as grpc's own call credentials, for channels put together by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from bearward_grpc.client.sources import TokenSource

__all__ = ["call_credentials"]


class _Plugin(grpc.AuthMetadataPlugin):  # type: ignore[misc,unused-ignore]
    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def __call__(self, context: Any, callback: Callable[..., Any]) -> None:
        # grpc calls this in a thread of its own, and turns an error into UNAVAILABLE, with the error's text.
        try:
            token = self._source.token()
        except Exception as error:  # noqa: BLE001
            callback((), error)
        else:
            callback((("authorization", f"Bearer {token}"),), None)


def call_credentials(source: TokenSource) -> grpc.CallCredentials:
    """Call credentials that ask `source` for each call.

    They forget no token that a server refused (the interceptors do), and see no caller to forward for.
    """
    return grpc.metadata_call_credentials(_Plugin(source), name="bearward")
