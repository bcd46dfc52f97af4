"""bearward for gRPC: interceptors that let a call in by its bearer token, for grpc.aio and for grpc.server."""

from __future__ import annotations

try:
    import grpc  # noqa: F401
except ImportError as _missing:
    raise ImportError("bearward_grpc needs grpcio: pip install 'bearward[grpc]'") from _missing

from bearward_grpc.aio.interceptor import AuthInterceptor
from bearward_grpc.call import current_principal
from bearward_grpc.reauthentication import extend, extend_blocking
from bearward_grpc.redaction import RedactingFilter, redact_grpc_log
from bearward_grpc.rules.policy import Policy, Rule, authenticated, optional, public, requires
from bearward_grpc.rules.protos import policy_from_protos, proto_path
from bearward_grpc.rules.sources import policy_from_servicers, policy_from_toml
from bearward_grpc.rules.startup_check import ServedMethods, check_policy, checked, served_by
from bearward_grpc.threads.interceptor import SyncAuthInterceptor
from bearward_grpc.threads.verifier_thread import VerifierThread

__all__ = [
    "AuthInterceptor",
    "Policy",
    "RedactingFilter",
    "Rule",
    "ServedMethods",
    "SyncAuthInterceptor",
    "VerifierThread",
    "authenticated",
    "check_policy",
    "checked",
    "current_principal",
    "extend",
    "extend_blocking",
    "optional",
    "policy_from_protos",
    "policy_from_servicers",
    "policy_from_toml",
    "proto_path",
    "public",
    "redact_grpc_log",
    "requires",
    "served_by",
]
