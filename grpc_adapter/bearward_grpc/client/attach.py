"""How a token gets onto an outgoing call.

Rules of this file: over TLS as call credentials, which grpc itself refuses to send over plaintext; as plain metadata
only if the channel was declared safe for it (loopback) or `unsafe_`. What a caller set explicitly is left alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import grpc

from bearward_grpc.client.proofs import Prover

__all__ = ["CallDetails", "has_authorization", "with_token"]


class _Details(NamedTuple):
    method: Any
    timeout: float | None
    metadata: Any
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: Any


class CallDetails(_Details, grpc.ClientCallDetails):  # type: ignore[misc,unused-ignore]
    """The details of a call, for grpc's sync interceptors."""


def has_authorization(metadata: Any) -> bool:
    """Whether the call already carries an `authorization`."""
    return any(key == "authorization" for key, _ in metadata or ())


def with_token(details: Any, token: str, prover: Prover, *, plaintext: bool) -> tuple[Any, grpc.CallCredentials | None]:
    """The metadata and the call credentials of `details` with `token`, and its proof, added to one of them."""
    credentials: grpc.CallCredentials | None = details.credentials
    if plaintext:
        return (*(details.metadata or ()), *prover.metadata(token, _name(details.method))), credentials
    ours = prover.call_credentials(token)
    both = ours if credentials is None else grpc.composite_call_credentials(credentials, ours)
    return details.metadata, both


def _name(method: Any) -> str:
    return method.decode() if isinstance(method, bytes) else str(method)
