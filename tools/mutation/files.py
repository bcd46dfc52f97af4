"""Which files are changed, and which tests should notice: data.

Rules of this file: pure files, and the verifier with its cache, are changed in every way by mutmut, within one process,
so their tests are those without servers of their own; where a file has tests about it, those alone. Stateful files are
changed one mutant at a time on a copy of the tree, in every way or in a sample, and each has the tests that are about
it, real servers and all. A name is a glob; one that matches nothing is an error.
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


PURE = found(
    f"{CORE}/jose/[a-z]*.py",
    *(f"{CORE}/{name}.py" for name in ("access", "access_guard", "challenge", "claims", "confirmation", "credentials")),
    *(
        f"{CORE}/{name}.py"
        for name in (
            "frozen",
            "issuer_checks",
            "principal",
            "claim_values",
            "requirements",
            "token_requirements",
            "trusted_issuer",
        )
    ),
    f"{CORE}/recheck.py",
    f"{CORE}/verification.py",
    *(
        f"{CORE}/{name}.py" for name in ("token_cache", "token_verification", "verifier")
    ),  # not pure, but their tests need no other process
    *(f"{CORE}/fetch/{name}.py" for name in ("addresses", "caching", "urls")),
    *(f"{CORE}/jwks/{name}.py" for name in ("freshness", "stored_entry", "unknown_kids")),
    *(f"{CORE}/revocation/{name}.py" for name in ("entry", "wire_format")),
    f"{CORE}/cache/sealed.py",
    f"{CORE}/issuers/tenants.py",
)

PURE_TESTS = (
    "tests/core/test_[!st]*.py",  # not the settings, not the testing issuer
    "tests/core/test_trusted_issuer.py",
    "tests/core/jose/test_*.py",
    "tests/core/fetch/test_caching.py",
    "tests/core/fetch/test_urls_and_addresses.py",
    "tests/core/issuers/test_tenants.py",
    *(f"tests/core/jwks/test_{name}.py" for name in ("freshness", "stored_entry", "unknown_kids")),
    "tests/core/revocation/test_local.py",
    "tests/core/revocation/test_wire_format.py",
)
"""For a pure file that `OWN_TESTS` does not name."""

_RULES = tuple(
    f"tests/core/test_{name}.py"
    for name in (
        *("access", "requirements", "caller_requirements", "own_checks"),
        *("configuration_errors", "testing_acting"),
    )
)
_JUDGED = tuple(
    f"tests/core/test_{name}.py"
    for name in ("claims", "further_rules", "typed_claims", "verification", "recheck", "trusted_issuer")
)

OWN_TESTS: dict[str, tuple[str, ...]] = {
    f"{CORE}/access.py": _RULES,
    f"{CORE}/access_guard.py": _RULES,
    f"{CORE}/requirements.py": _RULES,
    f"{CORE}/token_requirements.py": _RULES,
    f"{CORE}/claims.py": _JUDGED,
    f"{CORE}/recheck.py": (*_JUDGED, "tests/core/test_testing_acting.py"),
    f"{CORE}/verification.py": _JUDGED,
    f"{CORE}/token_cache.py": tuple(f"tests/core/test_{name}.py" for name in ("token_cache", "standing_of_principals")),
    **dict.fromkeys(
        (f"{CORE}/token_verification.py", f"{CORE}/verifier.py"),
        (
            *(f"tests/core/test_{name}.py" for name in ("standing_of_principals", "fetching_verifier", "verifier")),
            *(
                f"tests/core/test_{name}.py"
                for name in ("recheck", "authentication", "watches", "lifetimes", "single_use")
            ),
            *(
                f"tests/core/test_{name}.py"
                for name in ("replacing_issuers", "events", "copies", "counters", "testing_clock")
            ),
            "tests/core/dpop/test_nonces.py",
            "tests/core/issuers/test_registry.py",
        ),
    ),
}
"""The tests that are about a pure file: seconds, where all of them take minutes."""


def judges(files: Iterable[str]) -> list[str]:
    """The test files that are to notice changes of these pure files."""
    named = (name for file in files for name in OWN_TESTS.get(file, PURE_TESTS))
    return found(*dict.fromkeys(named))


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
