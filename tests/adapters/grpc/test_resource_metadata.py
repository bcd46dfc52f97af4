"""Protected resource metadata (RFC 9728) as a gRPC method: the document that Sanic serves, without generated code."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2

from bearward import ConfigurationError, TrustedIssuer, Verifier, scope
from bearward.dpop import DPoP
from bearward.testing import LocalIssuer
from bearward_grpc import RESOURCE_METADATA, Policy, add_resource_metadata, public, requires
from tests.adapters.grpc.calls import TIMEOUT, path
from tests.adapters.grpc.servers import SERVICE, serving

RESOURCE = "https://notes.example"
RULES = {
    RESOURCE_METADATA: public,
    SERVICE: requires(scope("notes:read")),
    path("US"): requires(scope("notes:write", "notes:read")),
}


def read(target: str) -> dict[str, Any]:
    """The document, as any client gets it that knows protobuf's own types."""
    channel: Any
    with grpc.insecure_channel(target) as channel:
        get = channel.unary_unary(
            RESOURCE_METADATA,
            request_serializer=empty_pb2.Empty.SerializeToString,
            response_deserializer=struct_pb2.Struct.FromString,
        )
        found: dict[str, Any] = json_format.MessageToDict(get(empty_pb2.Empty(), timeout=TIMEOUT))
        return found


@pytest.mark.parametrize("kind", ["aio", "sync"])
def test_metadata_are_public_and_made_of_settings_and_rules(kind: str, issuer: LocalIssuer) -> None:
    """Section 2: issuers of the configuration, scopes of the policy, DPoP and certificates where they are accepted."""
    verifier = Verifier(TrustedIssuer(issuer.url, audience=issuer.audience), dpop=DPoP(origins=RESOURCE))

    def add(server: Any) -> None:
        add_resource_metadata(
            server, verifier, Policy(RULES), resource=RESOURCE, name="Notes", client_certificates=True
        )

    with serving(kind, verifier, RULES, add=add) as running:
        document = read(running.target)
    assert document.pop("dpop_signing_alg_values_supported")[0] == "ES256"
    assert document == {
        "resource": RESOURCE,
        "resource_name": "Notes",
        "authorization_servers": [issuer.url],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["notes:read", "notes:write"],
        "dpop_bound_access_tokens_required": False,
        "tls_client_certificate_bound_access_tokens": True,
    }


def test_metadata_without_a_rule_are_denied(issuer: LocalIssuer) -> None:
    """What nobody made public is not: the method has no rule of its own."""
    verifier = Verifier(TrustedIssuer(issuer.url, audience=issuer.audience))
    rules = {SERVICE: requires(scope("notes:read"))}

    def add(server: Any) -> None:
        add_resource_metadata(server, verifier, Policy(rules), resource=RESOURCE)

    with serving("sync", verifier, rules, add=add) as running, pytest.raises(grpc.RpcError) as caught:
        read(running.target)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("resource", ["http://notes.example", "notes", "https://notes.example/#a"])
def test_resource_that_is_no_https_url_is_refused(resource: str, issuer: LocalIssuer) -> None:
    """Section 1.2."""
    server: Any = object()
    verifier = Verifier(TrustedIssuer(issuer.url, audience=issuer.audience))
    with pytest.raises(ConfigurationError) as caught:
        add_resource_metadata(server, verifier, Policy(RULES), resource=resource)
    assert caught.value.setting == "resource"
