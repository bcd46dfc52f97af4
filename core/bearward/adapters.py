"""What an adapter for another framework needs of the core, beside `bearward` itself; see `docs/adapters.md`.

The order of a call: read the credentials (`bearer_token`), verify (`verify_function`, or `Verifier.verify` where keys
must be fetched), prove what the token is bound to (`check_certificate`), decide by the rule (`Access.refusal`), hand the
principal on, and watch what outlives its token (`Verifier.watch`). A refusal is an `AuthError`; `challenge` writes it.
"""

from __future__ import annotations

from bearward.access import Access, Kind, as_access, mark_of, on_unguarded_call, register_gate, unmarked
from bearward.access_toml import rule_from_toml, rules_from_toml
from bearward.bug_reports import report_bug
from bearward.challenge import challenge, quoted
from bearward.clock import Clock, SystemClock
from bearward.confirmation import check_certificate, is_bound
from bearward.credentials import bearer_token
from bearward.principal import same_caller
from bearward.requirements import authorize
from bearward.token_cache import CacheEntry
from bearward.verifier import verify_function
from bearward.watches import Watch

__all__ = [
    "Access",
    "CacheEntry",
    "Clock",
    "Kind",
    "SystemClock",
    "Watch",
    "as_access",
    "authorize",
    "bearer_token",
    "challenge",
    "check_certificate",
    "is_bound",
    "mark_of",
    "on_unguarded_call",
    "quoted",
    "register_gate",
    "report_bug",
    "rule_from_toml",
    "rules_from_toml",
    "same_caller",
    "unmarked",
    "verify_function",
]
