"""bearward for gRPC: interceptors that authenticate calls by bearer token, for grpc.aio and for grpc.server.

What a client needs (tokens on outgoing calls) is in `bearward_grpc.client`. Everything else is private.
"""

from __future__ import annotations

try:
    import grpc  # noqa: F401
except ImportError as _missing:
    raise ImportError("bearward_grpc needs grpcio: pip install 'bearward[grpc]'") from _missing

from bearward.access import Access, authenticated, deny, optional, public, requires
from bearward.access_toml import rules_from_toml
from bearward_grpc.aio.guarded_server import guarded_server
from bearward_grpc.aio.interceptor import AuthInterceptor
from bearward_grpc.call import current_principal
from bearward_grpc.certificates import ClientCertificate, peer_certificate
from bearward_grpc.method_rules.marks import rules_from_servicers
from bearward_grpc.method_rules.policy import Policy, Rule
from bearward_grpc.method_rules.protos import proto_path, rules_from_protos
from bearward_grpc.method_rules.registry import MethodRegistry, registered_methods
from bearward_grpc.method_rules.startup_check import check, check_on_start, rules
from bearward_grpc.options import StreamExpiry, metadata_size_options
from bearward_grpc.reauthentication import reauthenticate, reauthenticate_blocking
from bearward_grpc.redaction import RedactingFilter, redact_logs
from bearward_grpc.resource_metadata import RESOURCE_METADATA, add_resource_metadata
from bearward_grpc.status import status_of
from bearward_grpc.threads.interceptor import SyncAuthInterceptor
from bearward_grpc.threads.verifier_thread import VerifierThread

__all__ = [
    "RESOURCE_METADATA",
    "Access",
    "AuthInterceptor",
    "ClientCertificate",
    "MethodRegistry",
    "Policy",
    "RedactingFilter",
    "Rule",
    "StreamExpiry",
    "SyncAuthInterceptor",
    "VerifierThread",
    "add_resource_metadata",
    "authenticated",
    "check",
    "check_on_start",
    "current_principal",
    "deny",
    "guarded_server",
    "metadata_size_options",
    "optional",
    "peer_certificate",
    "proto_path",
    "public",
    "reauthenticate",
    "reauthenticate_blocking",
    "redact_logs",
    "registered_methods",
    "requires",
    "rules",
    "rules_from_protos",
    "rules_from_servicers",
    "rules_from_toml",
    "status_of",
]
