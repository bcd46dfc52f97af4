"""Protected resource metadata (RFC 9728) over gRPC: one unary method, of types that every client has.

RFC 9728 serves its document over HTTP, which a gRPC server does not speak. Here it is the response of
`/bearward.v1.ProtectedResource/GetMetadata`, which takes a `google.protobuf.Empty` and returns a `google.protobuf.Struct`:
the same members, so that no client needs generated code for it.

Rule of this file: the method is public only if the policy says so; it says nothing about callers or tenants.
"""

from __future__ import annotations

from typing import Any, Final

import grpc
import grpc.aio

from bearward.resource_metadata import resource_metadata_document
from bearward.resource_url import checked_resource_url
from bearward.verifier import Verifier
from bearward_grpc.method_rules.policy import Policy

__all__ = ["RESOURCE_METADATA", "add_resource_metadata"]

_SERVICE: Final = "bearward.v1.ProtectedResource"
RESOURCE_METADATA: Final = f"/{_SERVICE}/GetMetadata"
"""The full name of the method, for a policy: `{RESOURCE_METADATA: public, ...}`."""


def add_resource_metadata(
    server: grpc.Server | grpc.aio.Server,
    verifier: Verifier,
    policy: Policy,
    *,
    resource: str,
    name: str | None = None,
    documentation: str | None = None,
    client_certificates: bool = False,
) -> None:
    """Serve the metadata of `resource` on `server`, of either kind, before it starts.

    Issuers and DPoP are those of `verifier`, scopes those of `policy`, which must hold a rule for `RESOURCE_METADATA`.
    `resource` is its identifier, an https URL; `name` and `documentation` are for people, `client_certificates` says
    whether tokens that are bound to a certificate are accepted. Raises `ConfigurationError`.
    """
    checked_resource_url("resource", resource)
    scopes = sorted({scope for rule in policy.rules.values() for scope in rule.scopes})

    def document() -> dict[str, Any]:
        return resource_metadata_document(
            resource,
            issuers=verifier.issuers,
            scopes=scopes,
            name=name,
            documentation=documentation,
            dpop=verifier.dpop,
            client_certificates=client_certificates,
        )

    server.add_generic_rpc_handlers((_handlers(document, on_loop=isinstance(server, grpc.aio.Server)),))


def _handlers(document: Any, *, on_loop: bool) -> grpc.GenericRpcHandler:
    from google.protobuf import empty_pb2, json_format, struct_pb2

    def get(_: Any, __: Any) -> struct_pb2.Struct:
        return json_format.ParseDict(document(), struct_pb2.Struct())

    async def get_on_loop(request: Any, context: Any) -> struct_pb2.Struct:
        return get(request, context)

    method = grpc.unary_unary_rpc_method_handler(
        get_on_loop if on_loop else get,
        request_deserializer=empty_pb2.Empty.FromString,
        response_serializer=struct_pb2.Struct.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(_SERVICE, {RESOURCE_METADATA.rpartition("/")[2]: method})
