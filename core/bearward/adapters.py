"""What an adapter for another framework needs from the core, besides `bearward` itself; see `docs/adapters.md`.

The steps of a call: read the credentials (`bearer_token`), verify the token (`verify_function`, or `Verifier.verify` if
keys must be fetched), or both together with proof of possession (`presented_token`, `authenticate`), check a
certificate that is known only later (`check_certificate`), decide by the rule (`Access.refusal`, or
`authorization_refusal` if it has checks that are awaited), pass the principal to the handler, and watch calls that may
outlive their token (`Verifier.watch`). What was decided is reported to the verifier's observers by one `Reporter`:
`verified`, `refused` or `ended`, once per call. A refusal is an `AuthError`; `challenge` writes its challenge.
"""

from __future__ import annotations

from bearward.access import Access, Kind, as_access, mark_of, on_unguarded_call, register_gate, unmarked
from bearward.access_toml import rule_from_toml, rules_from_toml
from bearward.authentication import authenticate, authenticate_now, authorization_refusal
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
from bearward.reporter import Reporter, concerning, correlation_id
from bearward.requirements import authorize
from bearward.resource_metadata import resource_metadata_document
from bearward.sender import Scheme, attributed
from bearward.token_cache import CacheEntry
from bearward.verify_functions import awaited_verify_function, verify_function
from bearward.watches import Watch

__all__ = [
    "SCHEMES",
    "Access",
    "CacheEntry",
    "Clock",
    "Kind",
    "Presented",
    "Reporter",
    "Scheme",
    "SystemClock",
    "Watch",
    "as_access",
    "attributed",
    "authenticate",
    "authenticate_now",
    "authorization_refusal",
    "authorize",
    "awaited_verify_function",
    "bearer_token",
    "certificate_thumbprint",
    "challenge",
    "challenges",
    "check_certificate",
    "check_certificate_thumbprint",
    "concerning",
    "correlation_id",
    "is_bound",
    "mark_of",
    "on_unguarded_call",
    "presented_token",
    "quoted",
    "register_gate",
    "report_bug",
    "resource_metadata_document",
    "rule_from_toml",
    "rules_from_toml",
    "same_caller",
    "unmarked",
    "verify_function",
]
