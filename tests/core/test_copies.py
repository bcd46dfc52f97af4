"""Errors and configuration go to other processes: each can be pickled, copied and deep-copied, and stays what it was."""

from __future__ import annotations

import copy
import importlib
import pickle
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any

import pytest

import bearward
from bearward import (
    AuthError,
    AwaitNeededError,
    BearwardError,
    CheckNeededError,
    ConfigurationError,
    CredentialPlace,
    JWKSOptions,
    KeysNeededError,
    Principal,
    Refusal,
    RevocationNotSharedError,
    RightsFrom,
    Settings,
    SymmetricKey,
    TenantIssuers,
    TrustedIssuer,
    UsageError,
    Verifier,
    authenticated,
    claim,
    deny,
    optional,
    public,
    recent_authentication,
    requires,
    scope,
)
from bearward.cache.client import CacheError
from bearward.cache.sealed import NotAuthenticError
from bearward.client_certificates import ForwardedCertificate, from_networks
from bearward.client_credentials.grant import TokenUnavailableError
from bearward.dpop import DPoP
from bearward.dpop.proof import Proof
from bearward.errors import RecordNeededError, SeveralMistakesError
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.jose.jwk import KeyRejection, RejectedKeyError
from bearward.jose.jwk_set import JWKSetError
from bearward.jwks.entry import Entry, StaleEntryError
from bearward.jwks.start import StartError
from bearward.jwks.stored_entry import StoredDocumentError
from bearward.profiles import keycloak
from bearward.single_use import UseNeededError
from bearward.testing import SigningKey
from bearward.verification import KeyNotHeldError
from tests.core.tokens import key_set

WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
CALLER = Principal({"iss": "https://login.example"}, key_thumbprint="k1")
FAILED = FetchError(FetchFailure.STATUS, 503)
ERRORS: dict[type[BearwardError], BearwardError] = {
    type(error): error
    for error in (
        BearwardError("text"),
        AuthError(
            Refusal.AUTHENTICATION_INSUFFICIENT,
            claim="acr", scopes=("a", "b"), retry_after=1.5, acr_values=("gold",), max_age=60,
        ),
        AwaitNeededError("text"),
        KeysNeededError(3),
        CheckNeededError("a check", "a caller"),
        RecordNeededError(CALLER),
        UseNeededError(CALLER, Proof("thumbprint", "jti", 1.0, 2.0)),
        ConfigurationError("leeway", "must be a number"),
        SeveralMistakesError((ConfigurationError("a", "b"), ConfigurationError("c", "d"))),
        UsageError("text"),
        RevocationNotSharedError(),
        CacheError("text"),
        NotAuthenticError(),
        FAILED,
        RejectedKeyError(KeyRejection.WEAK),
        JWKSetError("text"),
        StartError("https://login.example"),
        StoredDocumentError("text"),
        KeyNotHeldError(Refusal.KEY_UNKNOWN),
        TokenUnavailableError("invalid_client"),
    )
}  # fmt: skip
NOT_COPIED = {StaleEntryError}
"""Holds keys of OpenSSL, and never leaves the store."""


def names(kinds: Iterable[type[BearwardError]]) -> set[str]:
    """By name: a test that imports the core anew leaves another class of each behind."""
    return {f"{kind.__module__}.{kind.__qualname__}" for kind in kinds}


def own_errors() -> set[type[BearwardError]]:
    """Every error that a module of the core defines."""
    for module in pkgutil.walk_packages(bearward.__path__, "bearward."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: set[type[BearwardError]] = set()
    todo: list[type[BearwardError]] = [BearwardError]
    while todo:
        todo += (kind := todo.pop()).__subclasses__()
        if kind.__module__.partition(".")[0] == "bearward":
            found.add(kind)
    return found


def test_every_error_has_one_base_and_says_that_it_is_one() -> None:
    """`except BearwardError` catches all; each name ends in `Error`; each is in the table of this file."""
    assert names(own_errors()) == names(ERRORS.keys() | NOT_COPIED)
    assert all(kind.__name__.endswith("Error") for kind in own_errors())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_error_is_copied_with_its_attributes(kind: type[BearwardError], way: str) -> None:
    """Type, text, arguments and attributes arrive; so does a note that was added."""
    error = ERRORS[kind]
    again = WAYS[way](error)
    assert type(again) is kind
    assert (str(again), repr(again), again.args) == (str(error), repr(error), error.args)
    assert vars(again) == vars(error)
    assert again is not error


KEY = SigningKey.generate("ES256", kid="k")
VALUES: dict[str, object] = {
    "principal": Principal({"iss": "i", "sub": "ada", "aud": ["a"], "act": {"sub": "b"}}, key_thumbprint="k1"),
    "issuer": TrustedIssuer(
        "https://login.example", audience="api", expected_claims={"token_use": "access"}, required_claims=["sub"]
    ),
    "issuer with keys": TrustedIssuer("https://login.example", audience="api", jwks={"keys": [KEY.public_jwk()]}),
    "issuer with a secret": TrustedIssuer("i", audience="api", symmetric_keys=[SymmetricKey(bytes(range(32)))]),
    "options": JWKSOptions(headers={"x": "y"}, max_age=60),
    "settings": Settings.from_environment(
        {"BEARWARD_ISSUER": "https://login.example/", "BEARWARD_AUDIENCE": "api", "BEARWARD_NOTES": "a"},
        extra_names=["notes"],
    ),
    "settings of a fleet": Settings(
        issuers=(TrustedIssuer("i", audience="a", jwks_uri="https://login.example/jwks"),),
        dpop={"origins": ["https://api.example"]},
        revocations={"on_failure": "refuse"},
    ),
    "tenants": TenantIssuers("https://login.example/{tenant}", audience="api", tenants=frozenset({"blue"})),
    "profile": keycloak(host="keycloak.example", realm="demo", audience="api"),
    "place": CredentialPlace(header="x-assertion"),
    "rights": RightsFrom("groups"),
    "proofs": DPoP(required=True, origins=["https://api.example"]),
    "proxy": ForwardedCertificate("xfcc", only_from=from_networks("10.0.0.0/8")),
    "requirement": scope("a") & (claim("b", "c", 1, True) | recent_authentication(max_age=60, acr_values=("gold",))),
    **{str(rule): rule for rule in (public, optional, authenticated, deny, requires(scope("a")))},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", VALUES)
def test_frozen_value_is_copied_and_hashed(name: str, way: str) -> None:
    """What arrives is equal, of the same type, and hashes alike."""
    value = VALUES[name]
    again = WAYS[way](value)
    assert type(again) is type(value)
    assert again == value
    assert hash(again) == hash(value)


def test_pickled_issuer_keeps_its_static_keys() -> None:
    """Keys are compiled again from what was given."""
    again = pickle.loads(pickle.dumps(VALUES["issuer with keys"]))
    assert again.static_keys.thumbprint == key_set(KEY.public_jwk()).thumbprint


def test_configuration_cannot_be_changed_through_what_it_was_made_from() -> None:
    """Nor through what it shows: mappings are read-only all the way down."""
    given = {"keys": [KEY.public_jwk()]}
    policy = TrustedIssuer("https://login.example", audience="api", jwks=given)
    given["keys"].clear()
    assert policy.jwks is not None
    assert len(policy.jwks["keys"]) == 1
    with pytest.raises(TypeError):
        policy.jwks["keys"] = []  # type: ignore[index]
    assert StaleEntryError(FAILED, Entry(key_set(KEY.public_jwk()), b"", 0.0, 1.0)).status == 503


@pytest.mark.parametrize("way", WAYS)
def test_pickling_a_verifier_is_a_usage_error(way: str) -> None:
    """And what is sent instead; a lock that cannot be pickled would say nothing."""
    with pytest.raises(TypeError, match="send its Settings"):
        WAYS[way](Verifier(TrustedIssuer("i", audience="a", jwks_uri="https://login.example/jwks")))
