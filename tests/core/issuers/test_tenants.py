"""Tenants by template: matched whole, one label, remembered within bounds."""

from __future__ import annotations

from typing import Any

import pytest

from bearward.errors import ConfigurationError
from bearward.issuers.tenants import TenantIssuers

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


def test_unlisted_tenants_are_untrusted() -> None:
    """Then no other is trusted."""
    tenants = TenantIssuers(TEMPLATE, audience="api", tenants=frozenset({"blue"}))
    assert tenants.issuer_for("https://login.example/blue/v2.0") is not None
    assert tenants.issuer_for("https://login.example/red/v2.0") is None


def test_least_recently_used_tenant_is_evicted() -> None:
    """The longest unused goes first, so that strangers who invent tenants do not push out who is used."""
    tenants = TenantIssuers(TEMPLATE, audience="api", max_tenants=3)
    used = tenants.issuer_for("https://login.example/used/v2.0")
    for number in range(10):
        tenants.issuer_for(f"https://login.example/{number}/v2.0")
        assert tenants.issuer_for("https://login.example/used/v2.0") is used
        assert repr(tenants) == f"<TenantIssuers {TEMPLATE}: {min(number + 2, 3)} kept>"


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "no place": ("https://login.example", {"audience": "api"}),
    "two places": ("https://{tenant}.example/{tenant}", {"audience": "api"}),
    "no tenants": (TEMPLATE, {"audience": "api", "tenants": frozenset()}),
    "no audience": (TEMPLATE, {}),
    "http": ("http://login.example/{tenant}", {"audience": "api"}),
    "a setting out of bounds": (TEMPLATE, {"audience": "api", "leeway": -1}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_meant(name: str) -> None:
    """A template is tried when it is made, not when the first token comes."""
    template, settings = REFUSED[name]
    with pytest.raises(ConfigurationError):
        TenantIssuers(template, **settings)
