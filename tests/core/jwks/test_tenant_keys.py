"""Which tenants' keys are remembered: those that had keys, by their last use, and never at the cost of one another's class."""

from __future__ import annotations

from functools import partial
from typing import Any

from bearward.jwks.tenant_keys import TenantKeys


class Keys:
    """What a tenant has: an entry, once keys were held."""

    def __init__(self, name: str, *, held: bool = False) -> None:
        self.name = name
        self.entry = "keys" if held else None


def remembered(tenants: TenantKeys, *names: str, held: bool = False) -> list[Any]:
    """Add these tenants; returns who had to go for them."""
    made: Any = Keys
    return [gone for name in names if (gone := tenants.add(name, partial(made, name, held=held))[1])]


def names(keys: list[Any]) -> list[str]:
    """Of these tenants."""
    return [one.name for one in keys]


def test_proven_tenant_that_was_used_last_stays() -> None:
    """The one whose last use is longest ago goes, however early it came."""
    tenants = TenantKeys(2)
    assert remembered(tenants, "a", "b", held=True) == []
    assert tenants.find("a") is not None
    assert names(remembered(tenants, "c", held=True)) == ["b"]
    assert names(tenants.proven()) == ["c", "a"]


def test_unproven_tenant_that_was_used_last_stays() -> None:
    """Of sixteen, and of a quarter of the proven ones where that is more."""
    tenants = TenantKeys(2)
    assert remembered(tenants, *(str(number) for number in range(16))) == []
    assert tenants.find("0") is not None
    assert names(remembered(tenants, "more")) == ["1"]
    assert remembered(TenantKeys(80), *(str(number) for number in range(20))) == []
    assert names(remembered(TenantKeys(80), *(str(number) for number in range(21)))) == ["0"]


def test_only_tenants_that_hold_keys_are_promoted() -> None:
    """An invented one beside them stays one, and takes nobody's place."""
    tenants = TenantKeys(2)
    remembered(tenants, "proven", held=True)
    remembered(tenants, "real", "invented", "another")
    real: Any = tenants.find("real")
    real.entry = "keys"
    assert tenants.promote() == []
    assert names(tenants.proven()) == ["real", "proven"]
    assert sorted(names(tenants.all())) == ["another", "invented", "proven", "real"]
    late: Any = tenants.find("another")
    late.entry = "keys"
    assert names(tenants.promote()) == ["proven"]


def test_dropped_and_cleared_tenants_are_handed_back() -> None:
    """Of either class, for whoever closes them."""
    tenants = TenantKeys(2)
    remembered(tenants, "proven", held=True)
    remembered(tenants, "unproven")
    for name in ("proven", "unproven"):
        gone: Any = tenants.drop(name)
        assert gone.name == name
    assert (tenants.drop("proven"), len(tenants)) == (None, 0)
    remembered(tenants, "proven", held=True)
    remembered(tenants, "unproven")
    assert names(tenants.clear()) == ["proven", "unproven"]
    assert len(tenants) == 0
