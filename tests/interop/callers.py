"""The verifying side as a client sees it: one caller for HTTP, one for gRPC, and what each answer means.

Rules of this file: real connections, the stubs that anybody would generate. An answer is only a refusal if all of its
parts agree: the status, the code, and the challenge.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import grpc
import httpx2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from samples.v1 import sample_pb2, sample_pb2_grpc
from tests.interop.sheet import ACCEPTED, Answer

__all__ = ["GRPCCaller", "HTTPCaller", "grpc_verdict", "http_verdict"]

TIMEOUT = 30.0
_BAD_REQUEST = frozenset(
    {"credentials_malformed", "credentials_repeated", "dpop_proof_malformed", "dpop_proof_repeated"}
)
_RIGHTS = frozenset({"scope_insufficient", "claim_insufficient", "no_rule"})
_SERVICE = frozenset({"keys_unavailable", "revocation_unavailable"})


class HTTPCaller:
    """Asks the HTTP sample over one connection that is kept."""

    def __init__(self, url: str, transport: str = "HTTP", **options: Any) -> None:
        self.url = url
        self.transport = transport
        self._client = httpx2.Client(base_url=url, timeout=TIMEOUT, trust_env=False, **options)

    def whoami(self, token: str | None) -> Answer:
        """`GET /whoami` with this token, or with none."""
        verdict, response = self._asked("/whoami", token)
        return Answer(self.transport, verdict, response.json() if verdict == ACCEPTED else None)

    def present(self, authorization: Sequence[str], proofs: Sequence[str]) -> Answer:
        """`GET /whoami` with these values of `Authorization` and `DPoP`."""
        fields = [*(("authorization", value) for value in authorization), *(("dpop", value) for value in proofs)]
        response = self._client.get("/whoami", headers=fields)
        return Answer(self.transport, http_verdict(response.status_code, _challenge(response), response.text))

    def notes(self, token: str | None) -> Answer:
        """`GET /notes`, which needs the scope `notes:read`."""
        return Answer(self.transport, self._asked("/notes", token)[0])

    def _asked(self, path: str, token: str | None) -> tuple[str, httpx2.Response]:
        response = self.get(path, **({} if token is None else {"authorization": f"Bearer {token}"}))
        return http_verdict(response.status_code, _challenge(response), response.text), response

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """`GET` anything."""
        return self._client.get(path, headers=headers)

    def ready(self) -> bool:
        """Whether `/readyz` says that every issuer's keys are there."""
        return self.get("/readyz").status_code == 200

    def close(self) -> None:
        """Hang up."""
        self._client.close()


class GRPCCaller:
    """Asks the gRPC sample over one channel."""

    def __init__(
        self, target: str, transport: str = "gRPC", *, credentials: grpc.ChannelCredentials | None = None
    ) -> None:
        self.transport = transport
        options = [("grpc.enable_http_proxy", 0)]
        if credentials is None:
            self.channel = grpc.insecure_channel(target, options=options)
        else:
            self.channel = grpc.secure_channel(target, credentials, options=options)
        self.stub = sample_pb2_grpc.ProtectedServiceStub(self.channel)

    def whoami(self, token: str | None, **headers: str) -> Answer:
        """`WhoAmI` with this token, or with none; `headers` are further metadata, `_` for `-`."""
        metadata = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        if token is not None:
            metadata = (*metadata, ("authorization", f"Bearer {token}"))
        try:
            answer = self.stub.WhoAmI(
                sample_pb2.WhoAmIRequest(), metadata=metadata, timeout=TIMEOUT, wait_for_ready=True
            )
        except grpc.RpcError as error:
            return Answer(self.transport, grpc_verdict(error))
        return Answer(self.transport, ACCEPTED, json.loads(answer.principal))

    def present(self, authorization: Sequence[str], proofs: Sequence[str]) -> Answer:
        """`WhoAmI` with these values of `authorization` and `dpop`."""
        metadata = (*(("authorization", value) for value in authorization), *(("dpop", value) for value in proofs))
        try:
            self.stub.WhoAmI(sample_pb2.WhoAmIRequest(), metadata=metadata, timeout=TIMEOUT, wait_for_ready=True)
        except grpc.RpcError as error:
            return Answer(self.transport, grpc_verdict(error))
        return Answer(self.transport, ACCEPTED)

    def notes(self, token: str | None) -> Answer:
        """`ListNotes`, which needs the scope `notes:read`."""
        metadata = () if token is None else (("authorization", f"Bearer {token}"),)
        try:
            self.stub.ListNotes(sample_pb2.ListNotesRequest(), metadata=metadata, timeout=TIMEOUT, wait_for_ready=True)
        except grpc.RpcError as error:
            return Answer(self.transport, grpc_verdict(error))
        return Answer(self.transport, ACCEPTED)

    def ready(self) -> bool:
        """Whether the health service says that every issuer's keys are there."""
        stub: Any = health_pb2_grpc.HealthStub(self.channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT, wait_for_ready=True)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def close(self) -> None:
        """Hang up."""
        self.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _challenge(response: httpx2.Response) -> str | None:
    challenge: str | None = response.headers.get("www-authenticate")
    return challenge


def http_verdict(status: int, challenge: str | None, body: str) -> str:
    """`accepted`, the refusal's code, or what is odd about the answer."""
    if status == 200:
        return ACCEPTED
    try:
        problem = json.loads(body)
        code = str(problem["code"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status} without a code"
    if status != _http_status(code) or problem.get("status") != status:
        return f"HTTP {status} with code {code}"
    if (challenge is None) is (status in (400, 401, 403)):
        return f"HTTP {status} with{'out' if challenge is None else ''} a challenge for {code}"
    return code


def _http_status(code: str) -> int:
    if code in _RIGHTS:
        return 403
    if code in _SERVICE:
        return 503
    if code == "internal_error":
        return 500
    return 400 if code in _BAD_REQUEST else 401


def grpc_verdict(error: Any) -> str:
    """The refusal's code, or what is odd about the error."""
    trailers = dict(error.trailing_metadata() or ())
    code = str(trailers.get("bearward-code", ""))
    if not code:
        return f"gRPC {error.code().name} without a code: {error.details()}"
    if error.code() is not _grpc_status(code):
        return f"gRPC {error.code().name} with code {code}"
    return code


def _grpc_status(code: str) -> grpc.StatusCode:
    if code in _RIGHTS:
        return grpc.StatusCode.PERMISSION_DENIED
    if code in _SERVICE:
        return grpc.StatusCode.UNAVAILABLE
    return grpc.StatusCode.INTERNAL if code == "internal_error" else grpc.StatusCode.UNAUTHENTICATED
