"""The trusted issuers of a verifier: which settings and which keys belong to an `iss`.

Rule of this file: an issuer is trusted because it is listed, matches a tenant template, or is confirmed by a resolver;
the token itself never says where its keys are (RFC 8725 section 3.8).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bearward.clock import Clock
from bearward.credential_place import CredentialPlace
from bearward.errors import AuthError, ConfigurationError, KeysNeededError
from bearward.issuers.resolvers import Resolvers
from bearward.issuers.tenants import IssuerResolver, TenantIssuers
from bearward.issuers.told_apart import Presented, check_told_apart, policy_for
from bearward.jose.compact import UnverifiedToken
from bearward.jwks.issuer_settings import OneKey, has_safe_name
from bearward.jwks.replacement import Replacement
from bearward.jwks.store import IssuerKeys, JWKSStore
from bearward.refusals import Refusal
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["Issuers"]

Trusted = tuple[TrustedIssuer, IssuerKeys]
"""An issuer's settings and its keys."""


class Issuers:
    """All trusted issuers, with their keys."""

    def __init__(
        self,
        issuers: Sequence[TrustedIssuer | TenantIssuers | IssuerResolver],
        store: JWKSStore,
        clock: Clock,
        replacement: Replacement | None = None,
    ) -> None:
        if not issuers:
            raise ConfigurationError("issuers", "must name at least one trusted issuer")
        self._store = store
        self._era = store.era
        self._keys_of = store.add if replacement is None else replacement.add
        self.explicit: tuple[TrustedIssuer, ...] = tuple(i for i in issuers if isinstance(i, TrustedIssuer))
        self._tenants = tuple(i for i in issuers if isinstance(i, TenantIssuers))
        self.configured: tuple[TrustedIssuer | TenantIssuers, ...] = (*self.explicit, *self._tenants)
        """All that needs no resolver to be known."""
        self._asked = _resolvers_of(issuers)
        self._resolvers = Resolvers(self._asked, clock, store.forget)
        self._known: dict[str, Trusted] = {}
        self._one_by_one: dict[str, Trusted] = {}
        self._several: dict[str, tuple[TrustedIssuer, ...]] = {}
        self._placed: dict[str, Trusted] = {}
        for issuer, policies in _by_issuer(self.explicit).items():
            self._add(issuer, policies)
        placed = {policy.place for policy in self.explicit} | {tenants.place for tenants in self._tenants}
        self.places: frozenset[CredentialPlace] = frozenset(place for place in placed if place is not None)
        """Where tokens are found beside `Authorization`."""
        _check_one_scheme(self.places)

    def _add(self, issuer: str, policies: list[TrustedIssuer]) -> None:
        first = policies[0]
        if first.publishes_keys_one_by_one:
            if len(policies) > 1:
                raise ConfigurationError("issuers", "must not name the same issuer twice, where pem_uri has {kid}")
            self._one_by_one[issuer] = first, self._store.without_keys(first)
            return
        trusted = first, self._keys_of(first)
        if len(policies) > 1:
            check_told_apart(policies)
            self._several[issuer] = tuple(policies)
        elif first.place is None:
            self._known[issuer] = trusted
            return
        self._placed[issuer] = trusted

    @property
    def with_one_set(self) -> tuple[TrustedIssuer, ...]:
        """Those of `explicit` whose keys can be fetched before a token names one."""
        return tuple(one for one in self.explicit if not one.publishes_keys_one_by_one)

    def check_places(self, before: Issuers) -> None:
        """Raise `ConfigurationError` if the tokens of these are elsewhere than those of the issuers they replace."""
        if self.places != before.places:
            raise ConfigurationError("place", "must stay as it was until a restart: adapters look there")

    def take_over(self, before: Issuers) -> bool:
        """Before these are put in the place of others: whether the tenants are the same; what is known of them is kept."""
        one_by_one = {issuer: policy for issuer, (policy, _) in self._one_by_one.items()}
        before_that = {issuer: policy for issuer, (policy, _) in before._one_by_one.items()}
        if (self._tenants, self._asked, one_by_one) != (before._tenants, before._asked, before_that):
            self._era += 1
            return False
        self._tenants, self._resolvers = before._tenants, before._resolvers
        return True

    def known(
        self, issuer: str, token: Presented | UnverifiedToken | None = None, place: CredentialPlace | None = None
    ) -> Trusted:
        """Settings and keys of `iss`, without awaiting, for a token that was found in `place`.

        `token` says which policy is meant, where the issuer has several.

        Raises:
            AuthError: ISSUER_UNTRUSTED, also where the issuer's tokens have another place.
            KeysNeededError: a resolver must be asked: await `find`.
        """
        trusted = self._known.get(issuer)
        if trusted is None:
            trusted = self._dynamic(issuer, token)
        if trusted[0].place is not place and trusted[0].place != place:
            raise AuthError(Refusal.ISSUER_UNTRUSTED)
        return trusted

    async def find(
        self, issuer: str, token: Presented | UnverifiedToken | None = None, place: CredentialPlace | None = None
    ) -> Trusted:
        """Settings and keys of `iss`, asking the resolvers.

        Raises:
            AuthError: ISSUER_UNTRUSTED, KEYS_UNAVAILABLE.
            KeysNeededError: others are in force by now: ask those.
        """
        try:
            return self.known(issuer, token, place)
        except KeysNeededError:
            if self._is_replaced:  # the caller asks those that are in force
                raise
            trusted = await self._resolvers.find(issuer)
        return self._with_keys(trusted)

    def standing(self, issuer: str, token: Presented | None = None, place: CredentialPlace | None = None) -> Trusted:
        """Settings and keys of an `iss` by which a call was admitted, as they are now, without awaiting.

        What is out of date is requested in the background, so that a long call is affected by a resolver's negative
        result and by the withdrawal of a key even if nothing else asks for them. Raises `AuthError`: ISSUER_UNTRUSTED;
        KEYS_UNAVAILABLE if nothing is known about it any more.
        """
        try:
            trusted, keys = self.known(issuer, token, place)
        except KeysNeededError:
            if self._is_replaced:
                raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=1.0) from None
            self._resolvers.refresh(issuer)
            trusted, keys = self._last_known(issuer)
        if keys.current() is None:
            keys.fetch_soon()
        return trusted, keys

    @property
    def _is_replaced(self) -> bool:
        """Whether others are in force by now: what these know of keys says nothing."""
        return self._era != self._store.era

    def _last_known(self, issuer: str) -> Trusted:
        try:
            return self._with_keys(self._resolvers.last_known(issuer))
        except KeysNeededError:  # others were put in the place of these just now, and are asked next
            raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=1.0) from None

    def _dynamic(self, issuer: str, token: Presented | UnverifiedToken | None) -> Trusted:
        if issuer in self._one_by_one:
            return self._by_kid(*self._one_by_one[issuer], token)
        trusted = self._placed.get(issuer)
        if trusted is not None:
            several = self._several.get(issuer)
            return trusted if several is None or token is None else (policy_for(several, token), trusted[1])
        return self._tenant(issuer) or self._with_keys(self._resolvers.known(issuer))

    def _by_kid(self, policy: TrustedIssuer, none: IssuerKeys, token: Presented | UnverifiedToken | None) -> Trusted:
        kid = None if token is None else token.header.kid
        if kid is None or not has_safe_name(kid):
            return policy, none
        return policy, self._store.keys_of(OneKey(policy, kid), era=self._era)

    def _tenant(self, issuer: str) -> Trusted | None:
        for tenants in self._tenants:
            trusted = tenants.issuer_for(issuer)
            if trusted is not None:
                keys = self._store.keys_of(trusted, era=self._era)
                if keys.current() is not None:  # the provider publishes keys for it: it is no invention
                    tenants.keep(issuer)
                return trusted, keys
        return None

    def _with_keys(self, trusted: TrustedIssuer) -> Trusted:
        """Of a tenant that a resolver vouches for: it is not invented."""
        return trusted, self._store.keys_of(trusted, vouched=True, era=self._era)

    def __repr__(self) -> str:
        return f"{len(self.explicit)} issuers, {len(self._tenants)} templates, {len(self._resolvers)} resolvers"


def _resolvers_of(issuers: Sequence[TrustedIssuer | TenantIssuers | IssuerResolver]) -> tuple[IssuerResolver, ...]:
    resolvers = tuple(i for i in issuers if not isinstance(i, TrustedIssuer | TenantIssuers))
    for resolver in resolvers:
        _check_resolver(resolver)
    return resolvers


def _check_one_scheme(places: Collection[CredentialPlace]) -> None:
    """A header is read in one way: with or without a scheme, whichever issuer's token it holds."""
    headers = [place.header for place in places if place.header is not None]
    for header in headers:
        if headers.count(header) > 1:
            raise ConfigurationError("place", f"must have one scheme for the header {header}, or none, for all issuers")


def _check_resolver(resolver: object) -> None:
    if not callable(resolver):
        hint = "; an issuer is TrustedIssuer(issuer, audience=…)" if isinstance(resolver, str) else ""
        hint = "; give several as separate arguments" if isinstance(resolver, list | tuple | set) else hint
        raise ConfigurationError("issuers", f"must be TrustedIssuer, TenantIssuers or async resolvers{hint}")
    if resolver in (TrustedIssuer, TenantIssuers):
        raise ConfigurationError("issuers", "must be an object, not the class: TrustedIssuer(issuer, audience=…)")


def _by_issuer(policies: Sequence[TrustedIssuer]) -> dict[str, list[TrustedIssuer]]:
    grouped: dict[str, list[TrustedIssuer]] = {}
    for policy in policies:
        grouped.setdefault(policy.issuer, []).append(policy)
    return grouped
