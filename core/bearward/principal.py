"""The principal: who a verified token speaks for.

Trust is in the type: bearward makes a `Principal` only of a token whose signature and claims were verified.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Never, Self, TypeVar, final

from bearward.claim_names import ClaimNames
from bearward.claim_values import frozen_claims, printable_name, scopes_of, to_plain
from bearward.delegation import Actor, actors_of, authorization_details_of
from bearward.sender import BEARER, SenderProof
from bearward.typed_claims import claims_as, may_be_shared

__all__ = ["Principal", "parsed_claims", "same_caller"]

T = TypeVar("T")


@final
class Principal:
    """The caller that a verified token speaks for; immutable, hashable, compared by value.

    Everything but the key is derived from the claims (RFC 7519 section 4.1, RFC 9068 section 2.2), so that making
    one costs next to nothing on the hot path. `repr` names claims and never shows their values.

    >>> claims = {"iss": "https://login.example", "sub": "ada", "scope": "notes:read", "exp": 2e9}
    >>> who = Principal(claims, key_thumbprint="k1")
    >>> who.subject, sorted(who.scopes)
    ('ada', ['notes:read'])
    >>> who
    <Principal of https://login.example: claims exp, iss, scope, sub>
    """

    __slots__ = ("_basis", "_claims", "_frozen", "_key", "_names", "_proof", "_rights", "_scopes", "_typed")

    _basis: object
    _claims: Mapping[str, Any]
    _frozen: Mapping[str, Any]
    _key: str
    _names: ClaimNames | None
    _proof: SenderProof
    _rights: frozenset[str]
    _scopes: frozenset[str]
    _typed: object

    def __init__(
        self, claims: Mapping[str, Any], *, key_thumbprint: str, claim_names: ClaimNames | None = None
    ) -> None:
        _put_claims(self, frozen_claims(claims))
        _put_key(self, key_thumbprint)
        _put_basis(self, None)
        _put_names(self, claim_names)

    @classmethod
    def from_verified_claims(
        cls,
        claims: Mapping[str, Any],
        key_thumbprint: str,
        basis: object = None,
        claim_names: ClaimNames | None = None,
    ) -> Self:
        """The same without the cost of freezing: for the one caller that has just parsed `claims` and lets go of it.

        `basis` is what the verification rested on, for `bearward.basis`.
        """
        principal = _new(cls)
        _put_claims(principal, claims)
        _put_key(principal, key_thumbprint)
        _put_basis(principal, basis)
        _put_names(principal, claim_names)
        return principal

    def proven_by(self, proof: SenderProof) -> Principal:
        """The same caller, with how it was proven to be who sent the token: for gates that have checked it."""
        proven = Principal.from_verified_claims(self._claims, self._key, self._basis, self._names)
        _put_proof(proven, proof)
        return proven

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"a Principal is immutable: cannot set {name}")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"a Principal is immutable: cannot delete {name}")

    @property
    def claims(self) -> Mapping[str, Any]:
        """All claims, deeply immutable: objects are read-only mappings, arrays are tuples."""
        try:
            return self._frozen
        except AttributeError:
            frozen = frozen_claims(self._claims)
            _put_frozen(self, frozen)
            return frozen

    @property
    def issuer(self) -> str:
        """`iss`: the trusted issuer that vouches for this caller; a trust domain where its tokens have none (SPIFFE)."""
        names = self._names
        issuer: str = self._claims["iss"] if names is None or names.issuer is None else names.issuer
        return issuer

    @property
    def subject(self) -> str | None:
        """`sub`, or what `subject_claim` names: unique within the issuer; None where the issuer sends none."""
        return self._claims.get("sub") if self._names is None else self._names.subject_of(self._claims)

    @property
    def audience(self) -> tuple[str, ...]:
        """`aud`, always a tuple; empty where the issuer sends none."""
        audience = self._claims.get("aud", ())
        return (audience,) if isinstance(audience, str) else tuple(audience)

    @property
    def client_id(self) -> str | None:
        """The client that the token was issued to: `client_id` (RFC 8693), else `azp` (OpenID Connect), or `client_claim`."""
        if self._names is not None:
            return self._names.client_of(self._claims)
        client = self._claims.get("client_id", self._claims.get("azp"))
        return client if isinstance(client, str) else None

    @property
    def token_id(self) -> str | None:
        """`jti`, where it is a string."""
        token_id = self._claims.get("jti")
        return token_id if isinstance(token_id, str) else None

    @property
    def expires_at(self) -> float:
        """`exp`, seconds since the epoch; infinity where a policy lets tokens live forever (`unsafe_…`)."""
        return float(self._claims.get("exp", "inf"))

    @property
    def issued_at(self) -> float | None:
        """`iat`, seconds since the epoch."""
        return self._claims.get("iat")

    @property
    def scopes(self) -> frozenset[str]:
        """Granted scopes: `scope` (RFC 8693 section 4.2, space separated) or, as some issuers send it, `scp`."""
        try:
            scopes = self._scopes
        except AttributeError:
            scopes = scopes_of(self._claims)
            _put_scopes(self, scopes)
        return scopes

    @property
    def rights(self) -> frozenset[str]:
        """What `rights` of the issuer's settings makes of its claims; where it says nothing, the scopes."""
        names = self._names
        if names is None or not names.rights:
            return self.scopes
        try:
            rights = self._rights
        except AttributeError:
            rights = names.rights_of(self._claims)
            _put_rights(self, rights)
        return rights

    @property
    def actors(self) -> tuple[Actor, ...]:
        """Who acts for this caller (`act`, RFC 8693 section 4.1): the current actor first; empty if it acts itself.

        Raises `AuthError` (CLAIM_MALFORMED).
        """
        return actors_of(self._claims)

    @property
    def authorization_details(self) -> tuple[Mapping[str, Any], ...]:
        """What was agreed in detail (RFC 9396 section 2), deeply immutable. Raises `AuthError` (CLAIM_MALFORMED)."""
        return authorization_details_of(self.claims)

    def claims_as(self, kind: type[T]) -> T:
        """The claims as an object of `kind`, a dataclass or a `msgspec.Struct`.

        If the type is frozen, and holds nothing that can be changed, it is made once, and shared by all requests that bring
        the same token.

        Raises `AuthError` (CLAIM_MISSING, CLAIM_MALFORMED) if they do not fit. With `claims_type=` of the issuer's
        settings no such token is accepted.

        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Claims:
        ...     sub: str
        >>> Principal({"iss": "https://login.example", "sub": "ada"}, key_thumbprint="k1").claims_as(Claims)
        Claims(sub='ada')
        """
        held = getattr(self, "_typed", None)
        if type(held) is kind:
            return held
        made = claims_as(self.to_dict(), kind)
        if may_be_shared(made):
            _put_typed(self, made)
        return made

    @property
    def key_thumbprint(self) -> str:
        """The RFC 7638 thumbprint of the key that signed the token.

        Of a shared secret it is a name that means something in this process only (RFC 7638 section 7).
        """
        return self._key

    @property
    def proof(self) -> SenderProof:
        """How it was proven that the token came from whom it was issued to; `BEARER` where nothing was."""
        try:
            return self._proof
        except AttributeError:
            return BEARER

    def to_dict(self) -> dict[str, Any]:
        """The claims as plain JSON values, for a response such as that of `whoami`."""
        return {name: to_plain(value) for name, value in self._claims.items()}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Principal):
            return NotImplemented
        return self._key == other._key and self.proof == other.proof and self.claims == other.claims

    def __hash__(self) -> int:
        return hash(tuple(map(self._claims.get, ("iss", "sub", "jti", "exp"))))

    def __repr__(self) -> str:
        return (
            f"<Principal of {self._claims.get('iss')}: claims {', '.join(map(printable_name, sorted(self._claims)))}>"
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # For a worker that trusts whoever sent it: a pickle proves no more than the constructor does.
        return _from_pickle, (self.to_dict(), self._key, self._names)


def same_caller(before: Principal, after: Principal) -> bool:
    """Whether two tokens speak for the same caller: one issuer, one subject, one client (`client_id` and `azp`).

    A subject that is absent or empty is nobody's, and equals no other; so a token without one is never the same caller.
    For authentication that is renewed within a call: another caller must not take it over.

    >>> ada, eve = ({"iss": "https://login.example", "sub": name, "client_id": "app"} for name in ("ada", "eve"))
    >>> same_caller(Principal(ada, key_thumbprint="k1"), Principal(ada, key_thumbprint="k2"))
    True
    >>> same_caller(Principal(ada, key_thumbprint="k1"), Principal(eve, key_thumbprint="k1"))
    False
    """
    subject = before.subject
    if not isinstance(subject, str) or not subject or before.issuer != after.issuer or subject != after.subject:
        return False
    one, other = before.claims, after.claims
    same_client = all(_same_value(one.get(name), other.get(name)) for name in ("client_id", "azp"))
    return same_client and before.client_id == after.client_id


def parsed_claims(principal: Principal) -> dict[str, Any]:
    """The claims as they were parsed, arrays as lists: to be read, never to be changed."""
    claims = principal._claims  # noqa: SLF001
    return claims if isinstance(claims, dict) else principal.to_dict()


def _same_value(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other  # `True == 1` in Python; in JSON they differ


def _from_pickle(claims: dict[str, Any], key_thumbprint: str, names: ClaimNames | None) -> Principal:
    return Principal(claims, key_thumbprint=key_thumbprint, claim_names=names)


_new = object.__new__
# The slots' own setters: past `__setattr__`, and at half the cost of `object.__setattr__`.
_put_basis = Principal.__dict__["_basis"].__set__
_put_claims = Principal.__dict__["_claims"].__set__
_put_frozen = Principal.__dict__["_frozen"].__set__
_put_key = Principal.__dict__["_key"].__set__
_put_names = Principal.__dict__["_names"].__set__
_put_proof = Principal.__dict__["_proof"].__set__
_put_rights = Principal.__dict__["_rights"].__set__
_put_scopes = Principal.__dict__["_scopes"].__set__
_put_typed = Principal.__dict__["_typed"].__set__
