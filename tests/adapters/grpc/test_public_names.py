"""What the gRPC adapter exports: these names, and no others, are for users."""

from __future__ import annotations

import importlib
from types import FunctionType

import pytest

NAMES = {
    "bearward_grpc": """
        Access AuthInterceptor ClientCertificate MethodRegistry Policy RESOURCE_METADATA RedactingFilter Rule
        StreamExpiry SyncAuthInterceptor VerifierThread add_resource_metadata authenticated check check_on_start current_principal deny guarded_server metadata_size_options
        optional peer_certificate proto_path public reauthenticate reauthenticate_blocking redact_logs registered_methods
        requires rules rules_from_protos rules_from_servicers rules_from_toml status_of
    """,
    "bearward_grpc.testing": """
        policy_matrix use_verifier
    """,
    "bearward_grpc.client": """
        CallerToken ClientAuthInterceptor ClientCredentials DPoPKey ProvenToken TokenExchange TokenSource TokenUnavailableError aio_channel
        aio_interceptors call_credentials channel is_local
    """,
}


@pytest.mark.parametrize("module", NAMES)
def test_public_names_are_pinned(module: str) -> None:
    """A name is added or taken away on purpose, and each that is listed is there and is documented."""
    found = importlib.import_module(module)
    assert sorted(found.__all__) == sorted(NAMES[module].split())
    exported = [getattr(found, name) for name in found.__all__]
    assert all(one.__doc__ for one in exported if isinstance(one, type | FunctionType))
