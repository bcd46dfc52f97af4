"""What bearward raises: a refused token or call, a decision that must be awaited, invalid configuration, and wrong use.

Rules of this file: every error can be pickled and copied. A refusal's reason is a row of the catalogue (`refusals.py`),
and no text of an error comes from a token.
"""

from __future__ import annotations

from typing import Any, Self

from bearward.refusals import Fault, OwnRefusal, Refusal

__all__ = [
    "AuthError",
    "AwaitNeededError",
    "BearwardError",
    "CheckNeededError",
    "ConfigurationError",
    "KeysNeededError",
    "SeveralMistakesError",
    "UsageError",
]


class BearwardError(Exception):
    """The base of every error of bearward and its adapters. Each can be pickled and copied, with its attributes.

    >>> import pickle
    >>> pickle.loads(pickle.dumps(ConfigurationError("leeway", "must be a number"))).setting
    'leeway'
    """

    def __reduce__(self) -> tuple[Any, ...]:
        # `Exception` would call the class with `args`, which are not what every constructor here takes.
        return _restored, (type(self), self.args, dict(vars(self)))


def _restored(kind: type[BearwardError], args: tuple[Any, ...], attributes: dict[str, Any]) -> BearwardError:
    error = kind.__new__(kind, *args)
    vars(error).update(attributes)
    return error


class AuthError(BearwardError):
    """A token, or what it was used for, was refused.

    Attributes: `refusal` (the catalogue row), `claim` (the name of the claim concerned: a registered name or one
    from the policy, never text of the token), `scopes` (what would be needed, for the challenge), `retry_after`
    (seconds, only where the fault is ours), `acr_values` and `max_age` in seconds (RFC 9470), `own` (the code and text
    of a check of the service's own).

    >>> str(AuthError(Refusal.CLAIM_MISSING, claim="sub"))
    'the token lacks a required claim: sub'
    """

    claim: str | None = None
    scopes: tuple[str, ...] = ()
    retry_after: float | None = None
    acr_values: tuple[str, ...] = ()
    max_age: int | None = None
    own: OwnRefusal | None = None
    explanation: Any = None
    """The `Explanation` of a refusal, where the verifier was asked for such (`explain=True`); set by a gate."""
    scheme: str | None = None
    """The authentication scheme under which the token came, where it was another than `Bearer`; set by a gate."""
    issuer: str | None = None
    """The issuer that the token is from, for events: a configured one, or a tenant whose keys are held."""
    kid: str | None = None
    """The key that the token names, for events, if the issuer publishes one of that name."""
    reported: bool = False
    """Whether observers were called with it."""

    def __init__(
        self,
        refusal: Refusal,
        *,
        claim: str | None = None,
        scopes: tuple[str, ...] = (),
        retry_after: float | None = None,
        acr_values: tuple[str, ...] = (),
        max_age: int | None = None,
        own: OwnRefusal | None = None,
    ) -> None:
        self.refusal = refusal
        # Only what differs from the class is written: most refusals have no details, and floods of them come cheaper.
        if claim is not None:
            self.claim = claim
        if scopes:
            self.scopes = scopes
        if retry_after is not None:
            self.retry_after = retry_after
        if acr_values:
            self.acr_values = acr_values
        if max_age is not None:
            self.max_age = max_age
        if own is not None:
            self.own = own

    def __copy__(self) -> Self:
        """An equal one for this request: whoever keeps an error and gives it out again and again marks the copy only."""
        copied = type(self).__new__(type(self), *self.args)
        vars(copied).update(vars(self))
        return copied

    @property
    def code(self) -> str:
        """The stable code, the same over HTTP and gRPC: `token_expired`."""
        return self.refusal.code if self.own is None else self.own.code

    @property
    def message(self) -> str:
        """The fixed text of the code."""
        return self.refusal.message if self.own is None else self.own.message

    @property
    def fault(self) -> Fault:
        """Whose fault it is."""
        return self.refusal.fault

    def __str__(self) -> str:
        return self.message if self.claim is None else f"{self.message}: {self.claim}"

    def __repr__(self) -> str:
        return f"AuthError({self.code!r})"


class AwaitNeededError(BearwardError):
    """What is held does not suffice to decide at once: something must be awaited."""

    is_verified: bool = False
    """Whether the caller is verified already, so that no stranger causes such waits."""
    principal: Any = None
    """The caller, where it is verified already."""


class KeysNeededError(AwaitNeededError):
    """`Verifier.verify_now` cannot decide with the keys that it holds: await `Verifier.verify` instead.

    `generation` is that of the key set that was searched, and `refused` the refusal that this set alone would lead to;
    both are None while no keys are held.
    """

    def __init__(self, generation: int | None = None, refused: AuthError | None = None) -> None:
        super().__init__("keys must be fetched before this token can be verified")
        self.generation = generation
        self.refused = refused


class RecordNeededError(KeysNeededError):
    """A caller is verified, and what it proved must be recorded in a store that a fleet shares."""

    is_verified = True

    def __init__(self, principal: Any) -> None:
        super().__init__()
        self.principal = principal


class CheckNeededError(AwaitNeededError):
    """A rule cannot decide before a check of the service's own was awaited: await `Access.refusal_awaiting` instead.

    `check` is the check, and `principal` the verified caller whom it is about.
    """

    is_verified = True

    def __init__(self, check: Any, principal: Any) -> None:
        super().__init__("a check must be awaited before the rule can decide")
        self.check = check
        self.principal = principal


class ConfigurationError(BearwardError, ValueError):
    """An invalid setting, policy or rule: `setting` names it and `requirement` says what it must be.

    >>> str(ConfigurationError("audience", "must name at least one audience"))
    'audience: must name at least one audience'
    """

    def __init__(self, setting: str, requirement: str) -> None:
        super().__init__(f"{setting}: {requirement}")
        self.setting = setting
        self.requirement = requirement

    @property
    def mistakes(self) -> tuple[ConfigurationError, ...]:
        """Each mistake by itself: this one, or all of a `SeveralMistakesError`."""
        return (self,)


class SeveralMistakesError(ConfigurationError):
    """Several invalid settings at once; the text has a line for each, and `setting` and `requirement` are the first's.

    >>> wrong = ConfigurationError("audience", "must be a string"), ConfigurationError("leeway", "must be a number")
    >>> print(SeveralMistakesError(wrong))
    audience: must be a string
    leeway: must be a number
    """

    def __init__(self, mistakes: tuple[ConfigurationError, ...]) -> None:
        super().__init__(mistakes[0].setting, mistakes[0].requirement)
        self.args: tuple[str, ...] = ("\n".join(map(str, mistakes)),)
        self._pairs = tuple((one.setting, one.requirement) for one in mistakes)

    @property
    def mistakes(self) -> tuple[ConfigurationError, ...]:
        """Each mistake by itself."""
        return tuple(ConfigurationError(*pair) for pair in self._pairs)


class UsageError(BearwardError, RuntimeError):
    """Something was called where it has no meaning: `reauthenticate` outside a guarded stream, for example.

    This is a mistake of the program, never of the caller, and the text contains nothing from a token.
    """
