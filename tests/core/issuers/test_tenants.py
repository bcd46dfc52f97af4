"""Tenants by template: matched whole, one label, remembered within bounds."""

from __future__ import annotations

from typing import Any

import pytest

from bearward.errors import ConfigurationError
from bearward.issuers.tenants import TenantIssuers
from bearward.trusted_issuer import TrustedIssuer

TEMPLATE = "https://login.example/{tenant}/v2.0"

MATCHES = {
    "https://login.example/blue/v2.0": True,
    "https://login.example/0a1b-2c_3d.4e/v2.0": True,
    "https://login.example/" + "a" * 128 + "/v2.0": True,
    "https://login.example/" + "a" * 129 + "/v2.0": False,
    "https://login.example//v2.0": False,
    "https://login.example/../v2.0": False,
    "https://login.example/a..b/v2.0": False,
    "https://login.example/a/b/v2.0": False,
    "https://login.example/a%2Fb/v2.0": False,
    "https://login.example/a?b/v2.0": False,
    "https://login.example/a#b/v2.0": False,
    "https://login.example/a@b/v2.0": False,
    "https://login.example/é/v2.0": False,
    "https://login.example/a /v2.0": False,
    "https://login.example/a/v2.0\n": False,
    "https://login.example/a/v2.0/": False,
    "https://login.example/a/v2x0": False,
    "https://loginxexample/a/v2.0": False,
    "xhttps://login.example/a/v2.0": False,
    "https://evil.example/?https://login.example/a/v2.0": False,
    "https://login.example/{tenant}/v2.0": False,
}


@pytest.mark.parametrize("issuer", MATCHES)
def test_template_is_matched_whole(issuer: str) -> None:
    """A tenant is letters, digits, hyphens, underscores and single dots; around it every character counts."""
    policy = TenantIssuers(TEMPLATE, audience="api").issuer_for(issuer)
    assert (policy is not None) is MATCHES[issuer]
    assert policy is None or policy.issuer == issuer


def test_tenant_name_is_substituted_in_settings() -> None:
    """`jwks_uri` and `audience` may name it; other settings stay."""
    tenants = TenantIssuers(
        TEMPLATE, audience="api://{tenant}", jwks_uri="https://login.example/{tenant}/keys", leeway=5.0
    )
    policy = tenants.issuer_for("https://login.example/blue/v2.0")
    assert policy is not None
    assert (policy.audience, policy.jwks_uri, policy.leeway) == ({"api://blue"}, "https://login.example/blue/keys", 5.0)


@pytest.mark.parametrize(("name", "is_tenant"), [("blue.example", True), ("Blue.example", False), ("x" * 127, True)])
def test_name_that_no_tenant_can_have_is_untrusted(name: str, is_tenant: bool) -> None:
    """A trust domain has no upper case: whoever invents one is refused, and meets no error of the settings."""
    domains = TenantIssuers("spiffe://{tenant}", audience="a", jwks_uri="https://bundles.example/{tenant}")
    assert (domains.issuer_for(f"spiffe://{name}") is not None) is is_tenant


def test_unlisted_tenants_are_untrusted() -> None:
    """Then no other is trusted."""
    tenants = TenantIssuers(TEMPLATE, audience="api", tenants=frozenset({"blue"}))
    assert tenants.issuer_for("https://login.example/blue/v2.0") is not None
    assert tenants.issuer_for("https://login.example/red/v2.0") is None


def test_invented_tenants_do_not_evict_a_proven_one() -> None:
    """A tenant that has had keys is dropped for its like alone, the least recently used first."""
    tenants = TenantIssuers(TEMPLATE, audience="api", max_tenants=3)
    real = [f"https://login.example/real{number}/v2.0" for number in range(4)]
    for issuer in real[:3]:
        tenants.issuer_for(issuer)
        tenants.keep(issuer)
    kept = [tenants.issuer_for(issuer) for issuer in real[:3]]
    for number in range(1000):
        tenants.issuer_for(f"https://login.example/invented{number}/v2.0")
    assert repr(tenants) == f"<TenantIssuers {TEMPLATE}: {3 + 16} kept>"
    assert all(tenants.issuer_for(issuer) is known for issuer, known in zip(real[:3], kept, strict=True))
    tenants.issuer_for(real[0])
    tenants.issuer_for(real[3])
    tenants.keep(real[3])
    assert tenants.issuer_for(real[0]) is kept[0]
    assert tenants.issuer_for(real[1]) is not kept[1]


def test_tenants_that_never_had_keys_are_bounded_too() -> None:
    """The least recently used is dropped first; one that is dropped cannot be kept afterwards."""
    tenants = TenantIssuers(TEMPLATE, audience="api", max_tenants=1)
    used = tenants.issuer_for("https://login.example/used/v2.0")
    for number in range(100):
        tenants.issuer_for(f"https://login.example/{number}/v2.0")
        assert tenants.issuer_for("https://login.example/used/v2.0") is used
    tenants.keep("https://login.example/0/v2.0")
    assert repr(tenants) == f"<TenantIssuers {TEMPLATE}: 16 kept>"


def test_tenant_is_substituted_in_every_string() -> None:
    """Also in one of several, and in expected values: a placeholder that stays would never match."""
    tenants = TenantIssuers(
        TEMPLATE, audience=["api://{tenant}", "api"], expected_claims={"tid": "{tenant}", "roles": ["{tenant}.read"]}
    )
    trusted = tenants.issuer_for("https://login.example/blue/v2.0")
    assert trusted is not None
    assert trusted.audience == {"api://blue", "api"}
    assert trusted.expected_claims == {"tid": ("blue",), "roles": ("blue.read",)}


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "no place": ("https://login.example", {"audience": "api"}),
    "two places": ("https://{tenant}.example/{tenant}", {"audience": "api"}),
    "no tenants": (TEMPLATE, {"audience": "api", "tenants": frozenset()}),
    "no audience": (TEMPLATE, {}),
    "http": ("http://login.example/{tenant}", {"audience": "api"}),
    "a setting out of bounds": (TEMPLATE, {"audience": "api", "leeway": -1}),
    "another placeholder": (TEMPLATE, {"audience": "api://{tenantid}"}),
    "tenants as one string": (TEMPLATE, {"audience": "api", "tenants": "blue"}),
    "a tenant that no issuer could name": (TEMPLATE, {"audience": "api", "tenants": {"a/b"}}),
    "no room": (TEMPLATE, {"audience": "api", "max_tenants": 0}),
    "a template of another type": (None, {"audience": "api"}),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("name", REFUSED)
def test_invalid_templates_raise_configuration_error(name: str) -> None:
    """A template is tried when it is made, not when the first token comes."""
    template, settings = REFUSED[name]
    with pytest.raises(ConfigurationError):
        TenantIssuers(template, **settings)


def test_tenant_issuer_has_at_most_1024_characters() -> None:
    """The last that is looked at, and the first that is not."""
    template = "https://login.example/" + "a" * (1024 - len("https://login.example/") - 2) + "/{tenant}"
    tenants = TenantIssuers(template, audience="api")
    assert tenants.issuer_for(template.replace("{tenant}", "x")) is not None
    assert tenants.issuer_for(template.replace("{tenant}", "xy")) is None


def test_least_recently_used_tenant_is_evicted() -> None:
    """Of those that proved themselves: what is remembered is bounded, and what is in use stays."""
    tenants = TenantIssuers("https://login.example/{tenant}", audience="api", max_tenants=2)

    def proven(tenant: str) -> TrustedIssuer | None:
        issuer = f"https://login.example/{tenant}"
        trusted = tenants.issuer_for(issuer)
        tenants.keep(issuer)
        return trusted

    first, second = proven("one"), proven("two")
    assert tenants.issuer_for("https://login.example/one") is first
    proven("three")
    assert tenants.issuer_for("https://login.example/one") is first
    assert tenants.issuer_for("https://login.example/two") is not second
