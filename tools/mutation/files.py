"""Which files are changed, and which tests should notice: data.

Rules of this file: pure files, and the verifier with its cache, are changed in every way by mutmut, within one process,
so their tests are those without servers of their own. Stateful files are changed one mutant at a time on a copy of the
tree, in every way or in a sample, and their tests may have real servers and all. Each file has the tests that are about
it. A name is a glob; one that matches nothing is an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = ["PURE", "STATEFUL", "TOP", "found", "judges"]

TOP = Path(__file__).resolve().parents[2]
CORE = "core/bearward"
GRPC = "grpc_adapter/bearward_grpc"
SANIC = "sanic_adapter/bearward_sanic"


def found(*patterns: str, below: Path = TOP) -> list[str]:
    """The files of these globs, relative to the top of the tree; raise `LookupError` for a glob without any."""
    names: list[str] = []
    for pattern in patterns:
        matched = sorted(str(path.relative_to(below)) for path in below.glob(pattern))
        if not matched:
            raise LookupError(f"tools/mutation/files.py: nothing is called {pattern}")
        names += matched
    return list(dict.fromkeys(names))


def _core(*names: str) -> tuple[str, ...]:
    """The tests of the core that are called so."""
    return tuple(f"tests/core/{name}.py" for name in names)


_RULES = _core(
    *("test_access", "test_requirements", "test_caller_requirements", "test_own_checks", "test_delegation"),
    *("test_configuration_errors", "test_testing_acting"),
)
_JUDGED = _core(
    *("test_claims", "test_further_rules", "test_typed_claims", "test_verification", "test_recheck"),
    *("test_trusted_issuer", "test_claim_names"),
)
_POLICY = (*_JUDGED, *_core("test_configuration_errors", "test_credential_place", "test_copies", "test_single_use"))
_VERIFYING = _core(
    *("test_standing_of_principals", "test_fetching_verifier", "test_verifier", "test_recheck", "test_authentication"),
    *("test_watches", "test_lifetimes", "test_single_use", "test_replacing_issuers", "test_events", "test_copies"),
    *("test_counters", "test_testing_clock", "test_forks", "dpop/test_nonces", "issuers/test_registry"),
)
_BINDING = _core("test_confirmation", "test_authentication", "test_requirements", "test_socket_tickets", "dpop/test_*")
_PURE_TESTS: dict[str, tuple[str, ...]] = {
    "jose/[a-z]*": _core("jose/test_*", "test_verification"),
    **dict.fromkeys(("access", "access_classes", "access_guard", "access_toml"), _RULES),
    **dict.fromkeys(("caller_requirements", "delegation", "delegation_requirements"), _RULES),
    **dict.fromkeys(("own_checks", "requirements", "token_requirements"), _RULES),
    **dict.fromkeys(("claims", "claim_names", "claim_paths", "spiffe", "typed_claims", "verification"), _JUDGED),
    "claim_values": (*_JUDGED, *_core("test_principal", "test_requirements")),
    "principal": (*_JUDGED, *_core("test_principal", "test_copies", "test_testing_acting")),
    "recheck": (*_JUDGED, *_core("test_testing_acting")),
    **dict.fromkeys(("frozen", "issuer_checks", "trusted_issuer"), _POLICY),
    "challenge": _core("test_challenge"),
    "client_certificates": _core("test_client_certificates"),
    **dict.fromkeys(("credential_place", "placed_form"), _core("test_credential_place", "test_placed_form")),
    "credentials": _core("test_credentials", "dpop/test_possession"),
    **dict.fromkeys(("confirmation", "possession", "sender"), _BINDING),
    "dpop/[a-ru-z]*": _core("dpop/test_[!s]*"),
    "sealed_ticket": _core("test_socket_tickets"),
    "single_use": _core("test_single_use", "test_copies"),
    "token_cache": _core("test_token_cache", "test_standing_of_principals"),
    # not pure, but their tests need no other process
    **dict.fromkeys(("token_verification", "verifier"), _VERIFYING),
    "fetch/caching": _core("fetch/test_caching"),
    **dict.fromkeys(("fetch/addresses", "fetch/urls"), _core("fetch/test_urls_and_addresses")),
    "jwks/freshness": _core("jwks/test_freshness"),
    "jwks/spiffe_bundle": _core("jwks/test_spiffe_bundle"),
    "jwks/stored_entry": _core("jwks/test_stored_entry"),
    "jwks/tenant_admission": _core("jwks/test_tenant_admission"),
    "jwks/unknown_kids": _core("jwks/test_unknown_kids"),
    **dict.fromkeys(
        ("revocation/entry", "revocation/wire_format", "cache/sealed"),
        _core("revocation/test_local", "revocation/test_wire_format", "jwks/test_stored_entry"),
    ),
    **dict.fromkeys(
        ("issuers/tenants", "issuers/told_apart"), _core("issuers/test_tenants", "issuers/test_told_apart")
    ),
}

PURE: dict[str, tuple[str, ...]] = {
    file: tests for name, tests in _PURE_TESTS.items() for file in found(f"{CORE}/{name}.py")
}
"""Each, and the tests that are about it: seconds, where all of them take minutes."""


def judges(files: Iterable[str]) -> list[str]:
    """The test files that are to notice changes of these pure files."""
    return found(*dict.fromkeys(test for file in files for test in PURE[file]))


_VERIFIER = tuple(
    f"tests/core/test_{name}.py"
    for name in ("watches", "verifier", "lifetimes", "testing_clock", "standing_of_principals")
)
_KEYS = ("tests/core/jwks/test_*.py", "tests/core/test_fetching_verifier.py", "tests/core/test_events.py")
_TENANTS = ("tests/core/issuers/test_*.py", "tests/core/jwks/test_tenants.py")
_REVOCATION = ("tests/core/revocation/test_*.py", "tests/adapters/test_revocation.py")
_RULES_OF_GRPC = tuple(f"tests/adapters/grpc/test_{name}.py" for name in ("method_rules", "marks", "startup_check"))
_STREAMS_OF_GRPC = tuple(
    f"tests/adapters/grpc/test_{name}.py" for name in ("streams", "sync_streams", "reauthentication", "misuse")
)
_CALLS_OF_GRPC = (
    "tests/adapters/grpc/test_refusals_by_rpc_shape.py",
    "tests/adapters/grpc/test_credentials.py",
    "tests/adapters/grpc/test_first_call_fetches_keys.py",
    "tests/adapters/grpc/test_*certificates.py",
    *(
        f"tests/adapters/grpc/test_{name}.py"
        for name in ("recent_values", "principal", "open_methods", "client_proofs")
    ),
)
_CALLS_OF_SANIC = tuple(
    f"tests/adapters/sanic/test_{name}.py"
    for name in (
        *("in_process_gate", "short_way", "remembered_connections", "credentials", "refusals", "kept_connections"),
        *("places", "bound_tokens", "cookies", "routes", "every_route"),
    )
)

STATEFUL: dict[str, tuple[str, ...]] = {
    f"{CORE}/watches.py": _VERIFIER,
    f"{CORE}/jwks/fleet.py": tuple(f"tests/core/jwks/test_fleet{name}.py" for name in ("", "_faults", "_processes")),
    f"{CORE}/jwks/issuer_keys.py": _KEYS,
    f"{CORE}/jwks/key_state.py": _KEYS,
    f"{CORE}/jwks/polling.py": _KEYS,
    f"{CORE}/jwks/refresh.py": _KEYS,
    f"{CORE}/jwks/snapshot.py": ("tests/core/jwks/test_snapshot.py",),
    f"{CORE}/jwks/source_chain.py": ("tests/core/jwks/test_source_chain.py",),
    f"{CORE}/jwks/sources.py": ("tests/core/jwks/test_sources.py", "tests/core/jwks/test_custom_sources.py"),
    f"{CORE}/jwks/store.py": _KEYS,
    f"{CORE}/jwks/tenant_keys.py": _TENANTS,
    f"{CORE}/issuers/registry.py": (*_TENANTS, "tests/core/test_verifier.py", "tests/core/test_replacing_issuers.py"),
    f"{CORE}/issuers/resolvers.py": _TENANTS,
    f"{CORE}/revocation/local.py": _REVOCATION,
    f"{CORE}/revocation/log.py": _REVOCATION,
    f"{CORE}/revocation/shared.py": _REVOCATION,
    f"{CORE}/fetch/client.py": tuple(f"tests/core/fetch/test_{name}.py" for name in ("client", "tls", "rotated_files")),
    f"{CORE}/fetch/network.py": tuple(
        f"tests/core/fetch/test_{name}.py" for name in ("network", "client", "discovered_urls")
    ),
    f"{GRPC}/gate.py": _CALLS_OF_GRPC,
    f"{GRPC}/reauthentication.py": _STREAMS_OF_GRPC,
    f"{GRPC}/aio/stream_guard.py": _STREAMS_OF_GRPC,
    f"{GRPC}/threads/stream_guard.py": _STREAMS_OF_GRPC,
    f"{GRPC}/method_rules/policy.py": _RULES_OF_GRPC,
    f"{SANIC}/gate.py": _CALLS_OF_SANIC,
    f"{SANIC}/authentication.py": _CALLS_OF_SANIC,
    f"{SANIC}/stream_end.py": tuple(
        f"tests/adapters/sanic/test_{name}.py"
        for name in ("in_process_streams", "streams", "upload_expiry", "websockets")
    ),
    f"{SANIC}/connection_memory.py": tuple(
        f"tests/adapters/sanic/test_{name}.py" for name in ("remembered_connections", "kept_connections")
    ),
    f"{SANIC}/streams.py": tuple(
        f"tests/adapters/sanic/test_{name}.py" for name in ("in_process_streams", "streams", "upload_expiry")
    ),
    f"{SANIC}/websockets.py": tuple(
        f"tests/adapters/sanic/test_{name}.py" for name in ("reauthentication", "bound_tokens", "websockets")
    ),
}
