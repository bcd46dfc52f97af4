"""What an adapter for another framework needs of the core, beside `bearward` itself; see `docs/adapters.md`.

The order of a call: read the credentials (`bearer_token`), verify (`verify_function`, or `Verifier.verify` where keys
must be fetched), or both with the proof of a key (`presented_token`, `authenticate`), prove a certificate that is known
only later (`check_certificate`), decide by the rule (`Access.refusal`), hand the
principal on, and watch what outlives its token (`Verifier.watch`). A refusal is an `AuthError`; `challenge` writes it.
"""

from __future__ import annotations

from bearward.access import Access, Kind, as_access, mark_of, on_unguarded_call, register_gate, unmarked
from bearward.access_toml import rule_from_toml, rules_from_toml
from bearward.authentication import authenticate, authenticate_now
from bearward.bug_reports import report_bug
from bearward.challenge import challenge, challenges, quoted
from bearward.clock import Clock, SystemClock
from bearward.confirmation import (
    certificate_thumbprint,
    check_certificate,
    check_certificate_thumbprint,
    is_bound,
)
from bearward.credentials import SCHEMES, bearer_token, presented_token
from bearward.possession import Presented
from bearward.principal import same_caller
from bearward.requirements import authorize
from bearward.sender import Scheme, attributed
from bearward.token_cache import CacheEntry
from bearward.verifier import verify_function
from bearward.watches import Watch

__all__ = [
    "SCHEMES",
    "Access",
    "CacheEntry",
    "Clock",
    "Kind",
    "Presented",
    "Scheme",
    "SystemClock",
    "Watch",
    "as_access",
    "attributed",
    "authenticate",
    "authenticate_now",
    "authorize",
    "bearer_token",
    "certificate_thumbprint",
    "challenge",
    "challenges",
    "check_certificate",
    "check_certificate_thumbprint",
    "is_bound",
    "mark_of",
    "on_unguarded_call",
    "presented_token",
    "quoted",
    "register_gate",
    "report_bug",
    "rule_from_toml",
    "rules_from_toml",
    "same_caller",
    "unmarked",
    "verify_function",
]
