"""What both interceptors are told, checked once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from bearward.errors import ConfigurationError
from bearward_grpc.certificates import ClientCertificate
from bearward_grpc.gate import StreamTerms
from bearward_grpc.rules.policy import Policy, Rule

__all__ = ["StreamExpiry", "certificate_finder", "policy_of", "stream_terms"]

StreamExpiry = Literal["terminate", "ignore"]


def stream_terms(expiry: StreamExpiry, leeway: float) -> StreamTerms:
    """The terms of streams; raises `ConfigurationError`."""
    if expiry not in ("terminate", "ignore"):
        raise ConfigurationError("stream_expiry", "must be 'terminate' or 'ignore'")
    if isinstance(leeway, bool) or not isinstance(leeway, int | float) or not 0 <= leeway < math.inf:
        raise ConfigurationError("stream_leeway", "must be a finite number of seconds, 0 or more")
    return StreamTerms(terminate=expiry == "terminate", leeway=float(leeway))


def certificate_finder(client_certificate: ClientCertificate | None) -> ClientCertificate | None:
    """The function as given; raises `ConfigurationError` for what cannot be called."""
    if client_certificate is not None and not callable(client_certificate):
        raise ConfigurationError("client_certificate", "must be callable")
    return client_certificate


def policy_of(policy: Policy | Mapping[str, Rule], *, health: Rule | None, reflection: Rule | bool) -> Policy:
    """The policy as given, or built from a mapping with the rules for health and reflection."""
    if isinstance(policy, Policy):
        return policy
    return Policy(policy, health=health, reflection=reflection)
