"""A profile by its name, as settings have it: `profile = "keycloak"` and the arguments beside it.

Rule of this file: pure. The arguments of a function are the settings of its profile; an unknown or a missing one is a
`ConfigurationError` that names the nearest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from bearward.errors import ConfigurationError
from bearward.issuers.tenants import TenantIssuers
from bearward.mistakes import hint
from bearward.profiles.asserters import aws_alb, aws_verified_access, cloudflare_access, iap
from bearward.profiles.build import Options
from bearward.profiles.customers import apple, clerk, cognito, descope, firebase, supabase, workos
from bearward.profiles.enterprise import auth0, entra, entra_multi_tenant, okta
from bearward.profiles.self_hosted import authentik, hydra, keycloak, zitadel
from bearward.profiles.standards import client_assertion, oidc_id_token, rfc9068
from bearward.profiles.workloads import github_actions, gitlab, google_id_token, kubernetes, spiffe, zuplo
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["FUNCTIONS", "Trusted", "arguments_of", "flags_of", "trusted_by_profile"]

Trusted = TrustedIssuer | TenantIssuers
_Function = Callable[..., Trusted | tuple[Trusted, ...]]

FUNCTIONS: Mapping[str, _Function] = {
    function.__name__: function
    for function in (
        apple,
        auth0,
        authentik,
        aws_alb,
        aws_verified_access,
        clerk,
        client_assertion,
        cloudflare_access,
        cognito,
        descope,
        entra,
        entra_multi_tenant,
        firebase,
        github_actions,
        gitlab,
        google_id_token,
        hydra,
        iap,
        keycloak,
        kubernetes,
        oidc_id_token,
        okta,
        rfc9068,
        spiffe,
        supabase,
        workos,
        zitadel,
        zuplo,
    )
}
"""Every profile's function by its name."""

_OPTIONS = frozenset(Options.__annotations__)


def trusted_by_profile(profile: str, arguments: Mapping[str, Any]) -> tuple[Trusted, ...]:
    """What the profile of this name comes to; one policy or several. Raises `ConfigurationError`.

    >>> trusted_by_profile("keycloak", {"host": "keycloak.example", "realm": "demo", "audience": "api"})[0].issuer
    'https://keycloak.example/realms/demo'
    >>> trusted_by_profile("keyclock", {})
    Traceback (most recent call last):
        ...
    bearward.errors.ConfigurationError: profile: is not a profile; did you mean 'keycloak'?
    """
    function = FUNCTIONS.get(profile) if isinstance(profile, str) else None
    if function is None:
        raise ConfigurationError("profile", f"is not a profile; {hint(str(profile), FUNCTIONS)}")
    needed, optional = arguments_of(profile)
    known = {*needed, *optional, *_OPTIONS}
    for name in arguments:
        if name not in known:
            raise ConfigurationError(name, f"is not a setting of the profile {profile}; {hint(name, known)}")
    for name in needed:
        if name not in arguments:
            raise ConfigurationError(name, f"must be given: the profile {profile} needs {', '.join(needed)}")
    trusted = function(**arguments)
    return trusted if isinstance(trusted, tuple) else (trusted,)


def arguments_of(profile: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The arguments that a profile needs, and those that it takes, beside the options that all take."""
    own = [p for p in signature(FUNCTIONS[profile]).parameters.values() if p.kind is Parameter.KEYWORD_ONLY]
    needed = tuple(p.name for p in own if p.default is Parameter.empty)
    return needed, tuple(p.name for p in own if p.default is not Parameter.empty)


def flags_of(profile: str) -> frozenset[str]:
    """The arguments of a profile that are yes or no; none where there is no such profile."""
    parameters = signature(FUNCTIONS[profile]).parameters if profile in FUNCTIONS else {}
    return frozenset(name for name, each in parameters.items() if isinstance(each.default, bool))
