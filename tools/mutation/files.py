"""Which files are changed, and which tests should notice: data.

Rules of this file: pure files, and the verifier with its cache, are changed in every way by mutmut, within one process,
so their tests are those without servers of their own. Stateful files are changed one mutant at a time on a copy of the
tree, in every way or in a sample, and their tests may have real servers and all. Each file has the tests that are about
it. A name is a glob; one that matches nothing is an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = ["HERE", "JUDGES", "PURE", "STATEFUL", "TOP", "found", "judges"]

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
    *("test_counters", "test_testing_clock", "dpop/test_nonces", "issuers/test_registry", "jwks/test_pem_sources"),
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
    "jwks/tenant_keys": _core("jwks/test_tenant_keys"),
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


def _grpc(*names: str) -> tuple[str, ...]:
    """The tests of the adapter for gRPC that are called so."""
    return tuple(f"tests/adapters/grpc/test_{name}.py" for name in names)


def _sanic(*names: str) -> tuple[str, ...]:
    """The tests of the adapter for Sanic that are called so."""
    return tuple(f"tests/adapters/sanic/test_{name}.py" for name in names)


_KEYS = _core("jwks/test_*", "test_fetching_verifier", "test_events")
_TENANTS = _core("issuers/test_*", "jwks/test_tenants", "jwks/test_tenant_admission")
_TRUSTING = _core("test_standing_of_principals", "test_recheck", "jwks/test_pem_sources")
_REPLACED = _core("test_replacing_issuers", "settings/test_reload")
_REPORTS = (
    *_core("test_events", "test_counters", "test_logs", "test_reporter", "test_standing_of_principals"),
    *("tests/observability/test_callers_who_come_again.py", "tests/observability/test_every_refusal.py"),
)
_REVOCATION = (
    *_core("revocation/test_*", "test_lifetimes", "test_events", "test_copies"),
    "tests/adapters/test_revocation.py",
)
_STREAMS_OF_GRPC = _grpc("streams", "sync_streams", "reauthentication", "events", "misuse", "stream_guards")
_ANYTHING_OF_GRPC = (*_grpc("*"), "tests/adapters/test_*.py", "tests/observability/test_every_refusal.py")
_ANYTHING_OF_SANIC = (*_sanic("*"), "tests/adapters/test_*.py")
_STREAMS_OF_SANIC = _sanic("in_process_streams", "scans", "streams", "upload_expiry")

JUDGES = ("tests/core/**/test_*.py", "tests/adapters/**/test_*.py", "tests/observability/test_*.py")
"""Those that may notice a change of a stateful file."""
HERE = {"BEARWARD_SERVERS_HERE": "1"}
"""The environment in which the servers of black-box tests are threads of the process that is changed, and no processes."""
STATEFUL: dict[str, tuple[str, ...]] = {
    f"{CORE}/watches.py": _core(
        *("test_watches", "test_verifier", "test_lifetimes", "test_testing_clock", "test_standing_of_principals"),
    ),
    f"{CORE}/standing.py": _core(
        *("test_standing_of_principals", "test_replacing_issuers", "test_watches", "test_lifetimes"),
        *("test_testing_acting", "test_events", "issuers/test_told_apart"),
    ),
    f"{CORE}/newer_keys.py": _core("test_verifier", "test_fetching_verifier", "test_events"),
    f"{CORE}/settings/reload.py": _REPLACED,
    f"{CORE}/socket_tickets.py": (*_core("test_socket_tickets"), *_sanic("socket_tickets")),
    **{f"{CORE}/{name}.py": _REPORTS for name in ("counters", "observers", "reporter")},
    f"{CORE}/cache/client.py": _core(
        *(
            "cache/test_client",
            "cache/test_custom_backends",
            "cache/test_tls",
            "cache/test_sentinel",
            "jwks/test_lease",
            "jwks/test_fleet_faults",
        ),
        *("dpop/test_shared", "test_forks"),
    ),
    f"{CORE}/client_credentials/token_http.py": _grpc("client_tokens", "client_proofs", "token_exchange"),
    f"{CORE}/dpop/shared.py": _core("dpop/test_shared", "test_single_use"),
    f"{CORE}/fetch/client.py": _core(
        *(
            "fetch/test_client",
            "fetch/test_tls",
            "fetch/test_rotated_files",
            "fetch/test_discovered_urls",
            "fetch/test_pools",
        ),
        *("fetch/test_network", "jwks/test_sources"),
    ),
    f"{CORE}/fetch/network.py": _core(
        "fetch/test_network", "fetch/test_client", "fetch/test_discovered_urls", "test_forks"
    ),
    f"{CORE}/fetch/pool.py": _core(
        *("fetch/test_client", "fetch/test_network", "test_forks", "fetch/test_rotated_files", "fetch/test_tls"),
        *("fetch/test_discovered_urls", "jwks/test_closed_loops", "fetch/test_pools"),
    ),
    f"{CORE}/issuers/registry.py": (
        *_core("test_configuration_errors", "test_credential_place", "test_verifier", "test_replacing_issuers"),
        *(*_TENANTS, *_TRUSTING),
    ),
    f"{CORE}/issuers/resolvers.py": (*_TENANTS, *_TRUSTING, "tests/properties/test_trust_that_ends.py"),
    f"{CORE}/jwks/fleet.py": _core(
        "jwks/test_fleet", "jwks/test_fleet_*", "jwks/test_reread_pause", "jwks/test_large_sets"
    ),
    f"{CORE}/jwks/issuer_keys.py": (*_core("jwks/test_issuer_keys", "test_forks"), *_KEYS),
    f"{CORE}/jwks/key_events.py": _core(
        "jwks/test_key_events", "test_events", "jwks/test_issuer_keys", "jwks/test_outages", "test_logs"
    ),
    f"{CORE}/jwks/key_state.py": (*_core("jwks/test_key_state"), *_KEYS),
    f"{CORE}/jwks/lease.py": _core("jwks/test_lease", "jwks/test_fleet", "jwks/test_fleet_*"),
    f"{CORE}/jwks/pem_sources.py": _core("jwks/test_pem_sources", "jwks/test_large_sets"),
    f"{CORE}/jwks/polling.py": (*_core("jwks/test_sources"), *_KEYS),
    f"{CORE}/jwks/refresh.py": (*_core("jwks/test_issuer_keys"), *_KEYS),
    f"{CORE}/jwks/replacement.py": _REPLACED,
    f"{CORE}/jwks/reread_pause.py": _core("jwks/test_reread_pause"),
    f"{CORE}/jwks/snapshot.py": _core("jwks/test_snapshot", "jwks/test_custom_sources", "jwks/test_large_sets"),
    f"{CORE}/jwks/source_chain.py": _core(
        *("jwks/test_source_chain", "jwks/test_sources", "jwks/test_large_sets", "test_configuration_errors"),
    ),
    f"{CORE}/jwks/sources.py": _core("jwks/test_sources", "jwks/test_custom_sources", "fetch/test_discovered_urls"),
    f"{CORE}/jwks/store.py": (
        *_core("jwks/test_store", "jwks/test_issuers_that_come_and_go", "test_forks", "test_replacing_issuers"),
        *_KEYS,
    ),
    f"{CORE}/jwks/unproven_tenant.py": _TENANTS,
    f"{CORE}/revocation/local.py": _REVOCATION,
    f"{CORE}/revocation/log.py": (*_core("revocation/test_log"), *_REVOCATION),
    f"{CORE}/revocation/shared.py": (*_core("revocation/test_shared"), *_REVOCATION),
    **{f"{GRPC}/{name}.py": _ANYTHING_OF_GRPC for name in ("call", "placed")},
    **{
        f"{GRPC}/{name}.py": (*_ANYTHING_OF_GRPC, "tests/observability/test_every_refusal.py")
        for name in ("gate", "reporting_gate")
    },
    f"{GRPC}/recent_values.py": _grpc("recent_values"),
    f"{GRPC}/status.py": (
        *_grpc("statuses", "refusals_by_rpc_shape", "deferred_calls", "resource_metadata"),
        "tests/adapters/test_explained_refusals.py",
    ),
    f"{GRPC}/reauthentication.py": _STREAMS_OF_GRPC,
    f"{GRPC}/aio/stream_guard.py": _STREAMS_OF_GRPC,
    f"{GRPC}/threads/fair_places.py": _grpc("fair_places", "deferred_calls"),
    f"{GRPC}/threads/stream_guard.py": _STREAMS_OF_GRPC,
    f"{GRPC}/method_rules/policy.py": _grpc(
        "method_rules", "marks", "startup_check", "open_methods", "unruled_methods"
    ),
    **{f"{SANIC}/{name}.py": _ANYTHING_OF_SANIC for name in ("authentication", "cookies", "credentials", "gate")},
    **{f"{SANIC}/{name}.py": _ANYTHING_OF_SANIC for name in ("refusal_responder", "short_way")},
    f"{SANIC}/connection_memory.py": _sanic(
        *("remembered_connections", "kept_connections", "in_process_gate", "short_way"),
    ),
    f"{SANIC}/stream_end.py": (*_STREAMS_OF_SANIC, *_sanic("websockets")),
    f"{SANIC}/streams.py": (*_STREAMS_OF_SANIC, *_sanic("restarts", "several_apps", "settings_of_an_app")),
    f"{SANIC}/ticket_route.py": _sanic("socket_tickets", "ticket_routes", "ticket_page", "places"),
    f"{SANIC}/websockets.py": _sanic(
        *("reauthentication", "ends_of_sockets", "refused_handshakes", "bound_tokens", "websockets"),
        *("socket_tickets", "credentials", "in_process_gate"),
    ),
}
