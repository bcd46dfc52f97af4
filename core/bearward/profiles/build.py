"""From a row, the user's arguments and the user's options to a policy.

Rule of this file: pure. An option may make a profile stricter, or say where its keys are and how they are fetched; it
can never loosen what the row says. Who needs something looser writes a `TrustedIssuer`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypedDict

from bearward.errors import ConfigurationError
from bearward.jwks.options import JWKSOptions
from bearward.profiles.profile import Profile
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["Options", "policy", "settings_of"]


class Options(TypedDict, total=False):
    """What every profile takes beside its own arguments; each is a field of `TrustedIssuer`, in seconds where it is time."""

    algorithms: Collection[str]
    """Fewer than the profile allows."""
    required_claims: Collection[str]
    """Beside those of the profile."""
    expected_claims: Mapping[str, Any]
    """Beside those of the profile."""
    jwks: Mapping[str, Any]
    jwks_uri: str
    """Where the keys are, if not where the issuer publishes them: a mirror, a proxy."""
    pem_uri: str
    """The same, for keys in PEM."""
    jwks_options: JWKSOptions
    rights: Collection[Any]
    """Where `Principal.rights` come from, in place of what the profile knows."""
    subject_claim: str | Collection[str]
    """The claim that names the caller, in place of what the profile knows."""
    leeway: float
    max_token_age: float | None
    unsafe_allow_http: bool


def policy(profile: Profile, parts: Mapping[str, str], options: Options, **decided: Any) -> TrustedIssuer:
    """The policy of one issuer: `parts` fill the row's templates, `decided` is what the arguments come to."""
    return TrustedIssuer(_filled(profile.issuer, parts), **settings_of(profile, parts, options, decided))


def settings_of(
    profile: Profile, parts: Mapping[str, str], options: Options, decided: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings of a `TrustedIssuer`, or of `TenantIssuers`; raises `ConfigurationError` for what would loosen them."""
    given: dict[str, Any] = dict(options)
    expected = {**profile.expected_claims, **decided.get("expected_claims", {})}
    for name in given.get("expected_claims", {}):
        if name in expected:
            raise ConfigurationError(f"expected_claims.{name}", f"is decided by the profile {profile.name}")
    settings = {
        **given,
        **decided,
        "algorithms": _algorithms(profile, given.get("algorithms", ())),
        "token_types": profile.token_types,
        "required_claims": {*profile.required_claims, *_names(given.get("required_claims", ()))},
        "expected_claims": {**expected, **given.get("expected_claims", {})},
        "refused_claims": profile.refused_claims,
        "client_claim": profile.client_claim,
        "keys_are_ours": profile.keys_are_ours,
        "place": profile.place,
        **({"single_use": True, "sender": "bearer"} if profile.single_use else {}),
    }
    settings.setdefault("subject_claim", profile.subject_claim)
    settings.setdefault("rights", profile.granted)
    for name, template in (("jwks_uri", profile.jwks_uri), ("pem_uri", profile.pem_uri)):
        if template is not None and not given.keys() & {"jwks", "jwks_uri", "pem_uri"}:
            settings[name] = _filled(template, parts)
    return settings


def _algorithms(profile: Profile, asked: object) -> Collection[str]:
    if not asked:
        return profile.algorithms
    names = _names(asked)
    if not names <= frozenset(profile.algorithms):
        raise ConfigurationError("algorithms", f"must be among those of the profile: {', '.join(profile.algorithms)}")
    return names


def _names(given: object) -> frozenset[str]:
    several = (given,) if isinstance(given, str) else given
    if not isinstance(several, Collection) or not all(isinstance(name, str) and name for name in several):
        raise ConfigurationError("options", "must name algorithms and claims by non-empty strings")
    return frozenset(several)


def _filled(template: str, parts: Mapping[str, str]) -> str:
    for name, value in parts.items():
        template = template.replace(f"{{{name}}}", value)
    return template
