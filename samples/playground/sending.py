"""One token, sent to all three servers at once, and what each of them answers.

Rules of this file: real calls over sockets, timed each for itself; an answer is what came back, nothing is guessed. What
a token is bound to is proven with the keys of the mint, unless the caller asks for a proof that is wrong.
"""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import grpc
import grpc.aio
import httpx2

from bearward.credential_place import CredentialPlace
from bearward.possession import Presented
from bearward.sender import Scheme
from bearward.testing import HOSTILE_PROOFS, DPoPClient
from samples.playground.minting import InvalidInputError, Mint, Parts, parts_of
from samples.playground.scene import SERVERS, Scene
from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub

__all__ = ["OPERATIONS", "PROOFS", "Answer", "Operation", "Sender", "Target"]

_TIMEOUT = 10.0
_MAX_TEXT = 2000
_SERVICE = "/bearward.sample.v1.ProtectedService"
_SHOWN = ("www-authenticate", "dpop-nonce", "retry-after", "bearward-code")


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that both transports serve."""

    name: str
    http: tuple[str, str]
    method: str
    request: Any

    @property
    def full_name(self) -> str:
        """`/package.Service/Method`."""
        return f"{_SERVICE}/{self.method}"


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("access", ("GET", "/protected"), "Access", messages.AccessRequest()),
        Operation("whoami", ("GET", "/whoami"), "WhoAmI", messages.WhoAmIRequest()),
        Operation("list notes", ("GET", "/notes"), "ListNotes", messages.ListNotesRequest()),
        Operation("add a note", ("POST", "/notes"), "AddNote", messages.AddNoteRequest(text="from the playground")),
    )
}


class Target(NamedTuple):
    """Where a request goes: what a DPoP proof is about."""

    server: str
    method: str
    path: str


PROOFS = ("as bound", "none", "replayed", *HOSTILE_PROOFS)
"""What is sent along for a bound token: an honest proof, none, one that was used before, or a hostile one by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one server said. `fields` are those of the refusal: challenges and trailers."""

    server: str
    accepted: bool
    status: str
    code: str | None = None
    detail: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    milliseconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


class Sender:
    """Clients of the three servers; used on one event loop, and closed there."""

    def __init__(self, scene: Scene, mint: Mint) -> None:
        self._scene = scene
        self._mint = mint
        self._client = httpx2.AsyncClient(base_url=scene.http, timeout=_TIMEOUT, trust_env=False)
        self._channels = {name: grpc.aio.insecure_channel(scene.address(name)) for name in SERVERS[1:]}
        self.stubs: dict[str, Any] = {name: ProtectedServiceStub(channel) for name, channel in self._channels.items()}

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))

    async def send(
        self, token: str | None, operation: str, *, proof: str = "as bound", place: CredentialPlace | None = None
    ) -> list[Answer]:
        """The three answers, in the order of `SERVERS`. Raises `InvalidInputError`."""
        if operation not in OPERATIONS:
            raise InvalidInputError(f"operation must be one of {', '.join(OPERATIONS)}")
        if proof not in PROOFS:
            raise InvalidInputError(f"proof must be one of {', '.join(PROOFS)}")
        if token is not None and not all("!" <= character <= "~" for character in token):
            reason = "nothing was sent: a token is visible ASCII, without spaces and line breaks"
            return [Answer(server=name, accepted=False, status="not sent", detail=reason) for name in SERVERS]
        sending = (self._send(name, token, OPERATIONS[operation], proof, place) for name in SERVERS)
        return list(await asyncio.gather(*sending))

    def fields(
        self, target: Target, token: str | None, proof: str = "as bound", place: CredentialPlace | None = None
    ) -> list[tuple[str, str]]:
        """The fields of a request that presents `token`: header fields over HTTP, metadata over gRPC."""
        if token is None:
            return []
        if place is not None and place.header is not None:
            return [(place.header, token if place.scheme is None else f"{place.scheme} {token}")]
        parts = parts_of(token)
        jkt, certificate = parts.bound_to("jkt"), parts.bound_to("x5t#S256")
        fields = [("authorization", f"{'Bearer' if jkt is None else 'DPoP'} {token}")]
        if jkt is not None and proof != "none":
            fields.append(("dpop", self._proof(parts, target, token, proof)))
        if certificate is not None and proof != "none":
            own = self._mint.certificate(certificate) if proof == "as bound" else None
            fields.append(("client-cert", f":{_base64(own or self._mint.new_certificate())}:"))
            fields.append(("x-proxy-secret", self._scene.proxy_secret))
        return fields

    def presented(self, operation: str, token: str, proof: str, place: CredentialPlace | None) -> Presented:
        """What a request to the HTTP server brings, as the core has it, to explain an answer by."""
        method, path = OPERATIONS[operation].http
        fields = dict(self.fields(Target("sanic", method, path), token, proof, place))
        scheme = Scheme.DPOP if fields.get("authorization", "").startswith("DPoP") else Scheme.BEARER
        proofs = [fields["dpop"]] if "dpop" in fields else []
        thumbprint = parts_of(token).bound_to("x5t#S256") if proof == "as bound" else None
        own = thumbprint if self._mint.certificate(thumbprint) else None
        return Presented(scheme, token, proofs, method, path, own)

    def _proof(self, parts: Parts, target: Target, token: str, proof: str) -> str:
        address = self._scene.address(target.server)
        uri = f"{address if '://' in address else f'http://{address}'}{target.path}"
        # A key that was not made here cannot be used: then the proof is by another, and the servers say so.
        client = self._mint.client(parts.bound_to("jkt")) or DPoPClient()
        if proof in HOSTILE_PROOFS:
            return client.hostile(proof, target.method, uri, token=token)
        return client.proof(target.method, uri, token=token)

    async def _send(
        self, server: str, token: str | None, operation: Operation, proof: str, place: CredentialPlace | None
    ) -> Answer:
        over_http = server == "sanic"
        method, path = operation.http if over_http else ("POST", operation.full_name)
        fields = self.fields(Target(server, method, path), token, proof, place)
        call = self._over_http if over_http else self._over_grpc
        if proof == "replayed":
            await call(server, operation, fields)
        began = time.perf_counter()
        answer = await call(server, operation, fields)
        return replace(answer, milliseconds=round((time.perf_counter() - began) * 1000, 1))

    async def _over_http(self, server: str, operation: Operation, fields: Sequence[tuple[str, str]]) -> Answer:
        method, path = operation.http
        body = {"json": {"text": "from the playground"}} if method == "POST" else {}
        try:
            response = await self._client.request(method, path, headers=list(fields), **body)  # type: ignore[arg-type]
        except httpx2.HTTPError as error:
            return Answer(server=server, accepted=False, status="no answer", detail=type(error).__name__)
        shown = tuple((name, value) for name, value in response.headers.multi_items() if name in _SHOWN)
        try:
            document = response.json()
        except ValueError:
            document = {}
        refused = response.status_code >= 400
        code, detail = _problem(document) if refused else (None, json.dumps(document, ensure_ascii=False)[:_MAX_TEXT])
        status = f"{response.status_code} {response.reason_phrase}"
        return Answer(server=server, accepted=not refused, status=status, code=code, detail=detail, fields=shown)

    async def _over_grpc(self, server: str, operation: Operation, fields: Sequence[tuple[str, str]]) -> Answer:
        try:
            call = getattr(self.stubs[server], operation.method)
            message = await call(operation.request, metadata=tuple(fields), timeout=_TIMEOUT)
        except grpc.aio.AioRpcError as error:
            trailers = [(str(name), str(value)) for name, value in error.trailing_metadata() or ()]
            code = dict(trailers).get("bearward-code")
            shown = tuple(pair for pair in trailers if pair[0] in _SHOWN)
            details = error.details() or ""
            return Answer(
                server=server, accepted=False, status=error.code().name, code=code, detail=details, fields=shown
            )
        return Answer(server=server, accepted=True, status="OK", detail=_shown(message))


def _problem(document: Any) -> tuple[str | None, str]:
    problem = document if isinstance(document, dict) else {}
    return problem.get("code"), str(problem.get("detail") or problem.get("title") or "")


def _shown(message: Any) -> str:
    fields = {descriptor.name: str(value) for descriptor, value in message.ListFields()}
    return json.dumps(fields, ensure_ascii=False)[:_MAX_TEXT]


def _base64(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")
