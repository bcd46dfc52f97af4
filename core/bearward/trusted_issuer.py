"""What is trusted: an issuer, and what its tokens must look like.

Rules of this file: settings that could let everything in raise `ConfigurationError`. What weakens a check is called
`unsafe_…`. A `TrustedIssuer` is immutable and compiled once, so that a verification only looks things up; it can be
copied, pickled and sent to a worker process.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from functools import partial
from typing import Any, Literal

from bearward import issuer_checks as check
from bearward.claim_names import ClaimNames, claim_names
from bearward.credential_place import CredentialPlace
from bearward.errors import ConfigurationError
from bearward.frozen import frozen
from bearward.jose.algorithms import ASYMMETRIC
from bearward.jose.jwk import SymmetricKey, VerificationKey
from bearward.jose.jwk_set import JWKSet
from bearward.jwks.issuer_settings import PER_KID
from bearward.jwks.options import JWKSOptions
from bearward.spiffe import is_trust_domain
from bearward.typed_claims import check_claims_type

__all__ = ["TrustedIssuer"]

_MAX_LEEWAY = 300.0
_MAX_AGE = 1e15
_NO_AUDIENCE = "must name at least one audience (or give client_ids, or keys_are_ours)"


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """An issuer whose tokens are accepted, and on what terms. Raises `ConfigurationError` naming the setting.

    Keys come from `jwks_uri`, `pem_uri` or `metadata_uri`, or by discovery from `issuer` where it is unset, or from a static `jwks`, or are
    `symmetric_keys`; `jwks_options` says how keys are fetched and kept, and may name a file or sources of your own. The
    identifier need not be an address: only where keys are discovered from it, it must be an https URL. Times are in
    seconds.

    >>> TrustedIssuer("https://login.example/", audience="https://api.example").algorithms >= {"RS256", "ES256"}
    True
    >>> TrustedIssuer("https://login.example/")
    Traceback (most recent call last):
        ...
    bearward.errors.ConfigurationError: audience: must name at least one audience (or give client_ids, or keys_are_ours)
    """

    issuer: str
    """The exact `iss` (RFC 7519 section 4.1.1); or `spiffe://` and a trust domain, whose JWT-SVIDs have none."""
    _: KW_ONLY
    audience: Collection[str] = frozenset()
    """Accepted audiences: one string or several."""
    client_ids: Collection[str] = frozenset()
    """Accepted `client_id` (or `azp`), for issuers that send no `aud`, such as Cognito."""
    jwks_uri: str | None = None
    metadata_uri: str | None = None
    """Where the issuer's metadata is, if not below `issuer`; it must name this `issuer`, and says where the keys are."""
    pem_uri: str | None = None
    """Where the keys are, if they are in PEM: a URL with `{kid}`, of one key each, or that of a JSON object from `kid`."""
    jwks: Mapping[str, Any] | None = field(default=None, repr=False, hash=False)
    symmetric_keys: Collection[SymmetricKey] = field(default=(), repr=False)
    algorithms: Collection[str] = frozenset()
    """Allow-list; empty: every asymmetric one but ES256K and ML-DSA, or those of the symmetric keys."""
    leeway: float = 0.0
    """For clocks that differ: 0 to 300 seconds, for `exp`, `nbf`, `iat` and `max_token_age` alike."""
    future_leeway: float = 5.0
    """For issuers whose clock is ahead of ours: 0 to 300 seconds, for `nbf` and `iat`; where `leeway` is more, that.

    Not 0, since tokens that come straight from an issuer are met whose `iat` is 0.2 to 1 second ahead, and to refuse
    them gains nothing: they become valid a moment later. `exp` needs none, for a token that is refused a moment early
    is renewed. Beside it, what others grant by default to all times alike: PyJWT, jose (JavaScript), java-jwt and
    golang-jwt 0, express-oauth2-jwt-bearer 5, Nimbus, Spring Security and Envoy 60, Microsoft.IdentityModel 300."""
    max_token_age: float | None = None
    """Refuse tokens older than this, counted from `iat`, whatever their `exp`."""
    required_claims: Collection[str] = ()
    """Beyond `iss` and `exp`."""
    expected_claims: Mapping[str, Any] = field(default_factory=dict)
    """Claims that must have one of the given values, such as `{"token_use": "access"}`."""
    token_types: Collection[str | None] = (None, "JWT", "at+jwt")
    """Accepted `typ` headers (RFC 9068 section 2.1); None means an absent one."""
    sender: Literal["any", "bearer", "constrained"] = "any"
    """`"constrained"`: only tokens that are bound to a key, which their sender proves; `"bearer"`: only tokens that are
    not; `"any"`: both."""
    refused_claims: Collection[str] = ()
    """Claims that must not be there, such as `nonce`, which only an ID token has."""
    authorized_parties: Collection[str] = ()
    """Accepted `azp`, which a token for several audiences must have (OpenID Connect Core section 3.1.3.7)."""
    keys_are_ours: bool = False
    """The keys sign for this application alone, so tokens need no `aud`; they must be in `jwks_uri` or `jwks`."""
    single_use: bool = False
    """Each token counts once, known by its `jti` until it has expired, within a day (RFC 7523 section 3); such are bearer
    tokens."""
    subject_claim: Collection[str] = ()
    """Claims of which the first that is a non-empty string names the caller; `sub` where none is given."""
    client_claim: str | None = None
    """The claim that names the client; None: `client_id`, else `azp`."""
    rights: Collection[Any] = ()
    """Where `Principal.rights` come from: claims by name, paths as tuples, or `RightsFrom`; none: the scopes."""
    claims_type: type[Any] | None = None
    """A dataclass or `msgspec.Struct` that the claims must fit; `Principal.claims_as` makes one of it."""
    place: CredentialPlace | None = None
    """Where the tokens are found; None: in `Authorization`."""
    jwks_options: JWKSOptions = field(default_factory=JWKSOptions, repr=False, hash=False)
    unsafe_allow_http: bool = False
    """Fetch keys over plain http from anywhere; without it only from loopback."""
    unsafe_allow_no_expiry: bool = False
    """Accept tokens without `exp`."""
    unsafe_any_audience: bool = False
    """Accept tokens that were issued for others."""
    static_keys: JWKSet | None = field(default=None, init=False, repr=False, compare=False)
    """The key set, where it is configured and never fetched."""
    claim_names: ClaimNames | None = field(default=None, init=False, repr=False, compare=False)
    """How to read the claims, where their names are not the usual ones."""
    has_further_rules: bool = field(default=False, init=False, repr=False, compare=False)
    """Whether there is more to check of the claims than most issuers need."""
    max_clock_lead: float = field(default=0.0, init=False, repr=False, compare=False)
    """How far `nbf` and `iat` may lie ahead: the greater of `leeway` and `future_leeway`."""

    def __post_init__(self) -> None:
        """Check and compile every field; the order of the checks is the order of the fields."""
        for flag in (
            "unsafe_allow_http",
            "unsafe_allow_no_expiry",
            "unsafe_any_audience",
            "keys_are_ours",
            "single_use",
        ):
            check.flag(flag, getattr(self, flag))
        if self.sender not in ("any", "bearer", "constrained"):
            raise ConfigurationError("sender", "must be any, bearer or constrained")
        if self.single_use and (self.sender != "bearer" or self.unsafe_allow_no_expiry):
            raise ConfigurationError("single_use", 'must come with sender="bearer", and with tokens that expire')
        if not isinstance(self.jwks_options, JWKSOptions):
            raise ConfigurationError("jwks_options", "must be a JWKSOptions")
        self._set("symmetric_keys", check.symmetric_keys(self.symmetric_keys))
        check.identifier(self.issuer)
        if not self._has_other_keys():
            check.discovery_address(self.issuer, allow_http=self.unsafe_allow_http)
        self._set("audience", check.names("audience", self.audience))
        self._set("client_ids", check.names("client_ids", self.client_ids))
        if not (self.audience or self.client_ids or self.unsafe_any_audience or self.keys_are_ours):
            raise ConfigurationError("audience", _NO_AUDIENCE)
        self._set("algorithms", self._compiled_algorithms())
        self._set("static_keys", self._static_keys())
        self._check_times()
        self._set("required_claims", self._required_claims())
        self._set("expected_claims", check.expected_claims(self.expected_claims))
        self._set("token_types", check.token_types(self.token_types))
        self._compile_further_rules()

    @property
    def publishes_keys_one_by_one(self) -> bool:
        """Whether each key has a URL of its own, and so is fetched when a token names it."""
        return self.pem_uri is not None and PER_KID in self.pem_uri

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        """By what was given: what was compiled from it is compiled again, by the version that reads it."""
        given = {item.name: getattr(self, item.name) for item in fields(self) if item.init}
        return partial(type(self), given.pop("issuer"), **given), ()

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _has_other_keys(self) -> bool:
        """Whether keys come from elsewhere than the issuer's own metadata."""
        options = self.jwks_options
        given = (self.jwks_uri, self.pem_uri, self.metadata_uri, self.jwks)
        configured = any(source is not None for source in given) or bool(self.symmetric_keys)
        return configured or options.jwks_file is not None or bool(options.sources)

    def _check_times(self) -> None:
        check.seconds("leeway", self.leeway, _MAX_LEEWAY)
        check.seconds("future_leeway", self.future_leeway, _MAX_LEEWAY)
        self._set("max_clock_lead", max(self.leeway, self.future_leeway))
        if self.max_token_age is not None:
            check.seconds("max_token_age", self.max_token_age, _MAX_AGE, above=0.0)

    def _compile_further_rules(self) -> None:
        refused = check.names("refused_claims", self.refused_claims)
        if refused & {"iss", "exp", *self.required_claims, *self.expected_claims}:
            raise ConfigurationError("refused_claims", "must not hold a claim that is required")
        self._set("refused_claims", refused)
        self._set("authorized_parties", check.names("authorized_parties", self.authorized_parties))
        if self.keys_are_ours and (self.audience or not self._has_other_keys()):
            raise ConfigurationError(
                "keys_are_ours", "must come with jwks_uri, pem_uri, metadata_uri or jwks, and without an audience"
            )
        check_claims_type(self.claims_type)
        if self.place is not None and not isinstance(self.place, CredentialPlace):
            raise ConfigurationError("place", "must be a CredentialPlace")
        domain = self.issuer if self.issuer.startswith("spiffe:") else None
        if domain is not None and not is_trust_domain(domain):
            raise ConfigurationError("issuer", "must be a trust domain, such as spiffe://example.org, without a path")
        names = claim_names(domain, self.subject_claim, self.client_claim, self.rights)
        self._check_header_claims()
        self._set("claim_names", names)
        self._set("subject_claim", names.subject if names else ())
        self._set("rights", names.rights if names else ())
        asked = (self.client_ids, self.expected_claims, domain, self.subject_claim, self.claims_type)
        further = (*asked, refused, self.authorized_parties)
        self._set("has_further_rules", any(further))

    def _check_header_claims(self) -> None:
        """What a proxy says of itself in the JOSE header has to be judged: whoever else has its keys says otherwise."""
        judged = {"iss", "sub", "aud", "exp", "nbf", "iat", "jti", self.client_claim, *self.expected_claims}
        for name in () if self.place is None else self.place.header_claims:
            if name not in judged:
                raise ConfigurationError(
                    "place.header_claims", f"must have {name} in expected_claims, or as client_claim"
                )

    def _compiled_algorithms(self) -> frozenset[str]:
        return check.algorithms(self.algorithms, self._default_algorithms(), symmetric=bool(self.symmetric_keys))

    def _default_algorithms(self) -> frozenset[str]:
        if self.symmetric_keys:
            return frozenset(key.algorithm for key in self.symmetric_keys)
        return frozenset(ASYMMETRIC)

    def _required_claims(self) -> tuple[str, ...]:
        asked = check.names("required_claims", self.required_claims)
        always = () if self.unsafe_allow_no_expiry else ("exp",)
        by_age = ("iat",) if self.max_token_age is not None else ()
        by_name = ("jti",) if self.single_use else ()
        return tuple(dict.fromkeys((*always, *by_age, *by_name, *sorted(asked - {"iss"}))))

    def _static_keys(self) -> JWKSet | None:
        sources = (self.jwks_uri, self.pem_uri, self.metadata_uri, self.jwks, self.symmetric_keys or None)
        if sum(source is not None for source in sources) > 1:
            raise ConfigurationError(
                "jwks_uri",
                "must be the only source of keys: give one of jwks_uri, pem_uri, metadata_uri, jwks and symmetric_keys",
            )
        if self.metadata_uri is not None:
            check.url("metadata_uri", self.metadata_uri, allow_http=self.unsafe_allow_http)
        if self.pem_uri is not None:
            check.pem_uri(self.pem_uri, allow_http=self.unsafe_allow_http)
        if self.jwks_uri is not None:
            check.url("jwks_uri", self.jwks_uri, allow_http=self.unsafe_allow_http)
        if self.symmetric_keys:
            return JWKSet(VerificationKey.symmetric(key) for key in self.symmetric_keys)
        if self.jwks is None:
            return None
        keys = check.jwk_set(self.jwks)
        self._set("jwks", frozen(self.jwks))
        return keys
