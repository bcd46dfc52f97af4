"""What happens in a verifier and its adapters, as one typed stream: `Verifier(..., observers=[function])`.

Rules of this file: pure data. Every field comes from the configuration, from an issuer that is trusted, or from a fixed
list: never a token, a claim's value, or text that a caller chose. So whatever an observer writes down, it can write down
no secret. Observers are called where the event happens, in whatever thread that is, and must return at once.

>>> from bearward import AuthError, Refusal
>>> Refused(Refusal.TOKEN_EXPIRED, issuer="https://login.example", transport="http", operation="/notes").code
'token_expired'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from bearward.refusals import Fault, OwnRefusal, Refusal

__all__ = [
    "UNKNOWN",
    "Event",
    "KeySetChanged",
    "KeysRefreshed",
    "KeysStateChanged",
    "Observer",
    "RefreshFailed",
    "Refused",
    "RevocationStoreDown",
    "RevocationStoreUp",
    "RulesDecided",
    "StreamEnded",
    "Transport",
    "Verified",
    "only",
]

UNKNOWN: Final = "unknown"
"""The issuer of an event where none can be named: not configured, not proven to exist, or not known yet."""

Transport: TypeAlias = Literal["http", "grpc"]
"""How the credentials came; None for a verifier that is used without an adapter."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A token was accepted, and its caller may do what was asked. Once per request, call, or call of `Verifier.verify`."""

    issuer: str
    transport: Transport | None = None
    operation: str | None = None
    """The template of the route (`/notes/<id:int>`), or the full name of a gRPC method; None if neither is known."""
    kid: str | None = None
    """The name of the key that the issuer gave it."""
    correlation_id: str | None = None
    duration: float | None = None
    """Seconds from the start of the decision to its end, waiting for keys included; None for a remembered token."""
    proof: str = "bearer"
    """How it was proven that the caller owns the token: `bearer`, `dpop`, `certificate`, or `dpop+certificate`."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A request, a call, or a token was refused. Once for each, however deep inside it was decided."""

    refusal: Refusal
    issuer: str = UNKNOWN
    """A configured issuer, or a tenant whose keys are held; otherwise `unknown`."""
    transport: Transport | None = None
    operation: str | None = None
    kid: str | None = None
    """The key that the token names, if the issuer publishes one of that name."""
    correlation_id: str | None = None
    duration: float | None = None
    own: OwnRefusal | None = None
    """The code and text of a check of the service's own."""

    @property
    def code(self) -> str:
        """The stable code of the refusal: `token_expired`."""
        return self.refusal.code if self.own is None else self.own.code

    @property
    def message(self) -> str:
        """The fixed text of the code."""
        return self.refusal.message if self.own is None else self.own.message

    @property
    def fault(self) -> Fault:
        """Whose fault it is."""
        return self.refusal.fault


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """A stream, websocket or upload that had been admitted was ended, because its token ended."""

    refusal: Refusal
    issuer: str = UNKNOWN
    transport: Transport | None = None
    operation: str | None = None

    @property
    def code(self) -> str:
        """The stable code of the reason: `token_revoked`."""
        return self.refusal.code

    @property
    def message(self) -> str:
        """The fixed text of the code."""
        return self.refusal.message


@dataclass(frozen=True, slots=True)
class KeysRefreshed:
    """An attempt to fetch an issuer's keys succeeded, whether they changed or not."""

    issuer: str
    trigger: str
    """Why there was an attempt: `lookup` (they were due) or `unknown_kid`."""
    generation: int
    """How many different key sets this process has held."""
    keys: int
    rejected: int
    """Published keys that are not used: weak, malformed, of an unknown type."""
    duration: float
    """Seconds."""
    recovered: bool = False
    """Whether the attempt before failed."""
    summary: str = ""
    """The state of the keys on one line, for a person."""


@dataclass(frozen=True, slots=True)
class RefreshFailed:
    """An attempt to fetch an issuer's keys failed."""

    issuer: str
    trigger: str
    cause: str
    """The class of the failure: the name of a `FetchFailure` in lower case."""
    duration: float
    """Seconds."""
    is_new: bool = True
    """Whether the attempt before did not fail, or failed in another way."""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class KeySetChanged:
    """The keys that are held for an issuer are others than before, whichever process fetched them."""

    issuer: str
    generation: int
    added: int
    """How many keys are new."""
    removed: int
    """How many keys are gone."""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class KeysStateChanged:
    """The keys of an issuer became fresh, expired, stale or unavailable."""

    issuer: str
    state: str
    """The value of a `bearward.jwks.Freshness`."""
    is_problem: bool
    """Whether a person should look: `stale` or `unavailable`."""
    recovered: bool = False
    """Whether the state before was such a problem, and keys had been held before."""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class RevocationStoreDown:
    """The store through which a fleet shares revocations does not respond as it should."""

    cause: str
    consequence: str
    """What becomes of tokens meanwhile: `refusing all tokens`, or what was configured instead."""


@dataclass(frozen=True, slots=True)
class RevocationStoreUp:
    """That store responds again."""


@dataclass(frozen=True, slots=True)
class RulesDecided:
    """An adapter decided who may call what: at its start, or when its routes changed."""

    transport: Transport
    rules: Mapping[str, str]
    """Each rule as it reads in Python, by the method and template of a route (`GET /notes`), or by what a policy names."""


Event: TypeAlias = (
    Verified
    | Refused
    | StreamEnded
    | KeysRefreshed
    | RefreshFailed
    | KeySetChanged
    | KeysStateChanged
    | RevocationStoreDown
    | RevocationStoreUp
    | RulesDecided
)
"""Anything that an observer is called with. More may be added: ignore what you do not know."""

Observer: TypeAlias = Callable[[Event], None]
"""Called with each event. What it raises is logged and goes no further."""


class _Only:
    """An observer that asks for some events only; `kinds` says which."""

    def __init__(self, observer: Observer, kinds: frozenset[type]) -> None:
        self._observer = observer
        self.kinds: frozenset[type] = kinds

    def __call__(self, event: Event) -> None:
        self._observer(event)

    def __repr__(self) -> str:
        return f"only({self._observer!r}, {', '.join(sorted(kind.__name__ for kind in self.kinds))})"


def only(observer: Observer, *kinds: type) -> Observer:
    """`observer`, called with events of these classes alone.

    Without an observer of `Verified`, requests that pass cost nothing more than with no observer at all.

    >>> seen = []
    >>> only(seen.append, Refused, RefreshFailed)  # doctest: +ELLIPSIS
    only(<built-in method append of list object at ...>, RefreshFailed, Refused)
    """
    return _Only(observer, frozenset(kinds))
