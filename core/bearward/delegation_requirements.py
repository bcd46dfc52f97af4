"""Requirements about who acts for the caller, and about what was agreed in detail.

Rules of this file: as in `token_requirements`; a malformed claim is refused, whatever is required of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bearward.claim_paths import json_equal
from bearward.errors import AuthError, ConfigurationError
from bearward.principal import Principal
from bearward.refusals import Refusal
from bearward.requirements import Requirement

__all__ = ["actor_is", "authorization_detail", "not_delegated"]

Value = str | float | bool


def actor_is(*subjects: str, issuer: str | None = None) -> Requirement:
    """The party that acts for the caller now is one of these: `sub` of the token's `act` (RFC 8693 section 4.1).

    `issuer` is the `iss` that `act` must have beside it; None: it is not asked for. Actors before the current one count
    for nothing, as the RFC says. A token without `act` is refused. Raises `ConfigurationError`.

    >>> actor_is("orders-service")
    actor_is('orders-service')
    """
    if not subjects or any(not isinstance(subject, str) or not subject for subject in subjects):
        raise ConfigurationError("actor_is", "must name at least one subject, each a non-empty string")
    if issuer is not None and (not isinstance(issuer, str) or not issuer):
        raise ConfigurationError("actor_is", "issuer must be a non-empty string")
    return _ActorIs(tuple(dict.fromkeys(subjects)), issuer)


def not_delegated() -> Requirement:
    """The caller acts itself: its token has no `act` (RFC 8693 section 4.1).

    >>> not_delegated()
    not_delegated()
    """
    return _NotDelegated()


def authorization_detail(detail_type: str, /, **members: Value | tuple[Value, ...]) -> Requirement:
    """One object of `authorization_details` has this type and grants all of this (RFC 9396 section 2).

    A member that is given as a tuple must hold all its values; one that is given as a value must be it, or hold it. A
    member that the token leaves out grants nothing. Raises `ConfigurationError`.

    >>> authorization_detail("payment_initiation", actions=("initiate", "status"))
    authorization_detail('payment_initiation', actions=('initiate', 'status'))
    """
    if not isinstance(detail_type, str) or not detail_type:
        raise ConfigurationError("authorization_detail", "must name a type, as a non-empty string")
    asked = {name: value if isinstance(value, tuple) else (value,) for name, value in members.items()}
    for name, values in asked.items():
        if not values or any(not isinstance(value, str | int | float | bool) for value in values):
            raise ConfigurationError(
                "authorization_detail", f"{name} must be strings, numbers or booleans, one or more"
            )
    return _AuthorizationDetail(detail_type, tuple(asked.items()))


@dataclass(frozen=True, slots=True, repr=False)
class _ActorIs(Requirement):
    subjects: tuple[str, ...]
    issuer: str | None

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        try:
            actors = principal.actors
        except AuthError as malformed:
            return malformed
        if actors and actors[0].subject in self.subjects and self.issuer in (None, actors[0].issuer):
            return None
        return AuthError(Refusal.CLAIM_INSUFFICIENT, claim="act")

    def __repr__(self) -> str:
        issuer = () if self.issuer is None else (f"issuer={self.issuer!r}",)
        return f"actor_is({', '.join((*map(repr, self.subjects), *issuer))})"


@dataclass(frozen=True, slots=True, repr=False)
class _NotDelegated(Requirement):
    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        return AuthError(Refusal.CLAIM_INSUFFICIENT, claim="act") if "act" in principal.claims else None

    def __repr__(self) -> str:
        return "not_delegated()"


@dataclass(frozen=True, slots=True, repr=False)
class _AuthorizationDetail(Requirement):
    detail_type: str
    members: tuple[tuple[str, tuple[Value, ...]], ...]

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        try:
            details = principal.authorization_details
        except AuthError as malformed:
            return malformed
        if any(self._is_granted_by(one) for one in details):
            return None
        return AuthError(Refusal.CLAIM_INSUFFICIENT, claim="authorization_details")

    def _is_granted_by(self, detail: Mapping[str, Any]) -> bool:
        return detail["type"] == self.detail_type and all(
            name in detail and all(_holds(detail[name], value) for value in values) for name, values in self.members
        )

    def __repr__(self) -> str:
        members = (f"{name}={values if len(values) > 1 else values[0]!r}" for name, values in self.members)
        return f"authorization_detail({', '.join((repr(self.detail_type), *members))})"


def _holds(held: Any, value: Value) -> bool:
    return any(json_equal(one, value) for one in held) if isinstance(held, list | tuple) else json_equal(held, value)
