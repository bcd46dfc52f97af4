"""A policy that would check less than it seems to is not built."""

from __future__ import annotations

from typing import Any

import pytest

from bearward import ConfigurationError
from bearward.dpop import DPOP_ALGORITHMS, DPoP, PublicOrigins

ORIGIN = "https://api.example"


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"origins": []}, "origins"),
        ({"origins": None}, "origins"),
        ({"origins": 7}, "origins"),
        ({"origins": "https://api.example/x"}, "origins"),
        ({"required": "yes"}, "dpop.required"),
        ({"required": 1}, "dpop.required"),
        ({"window": 0}, "dpop.window"),
        ({"window": 0.5}, "dpop.window"),
        ({"window": -60}, "dpop.window"),
        ({"window": 601}, "dpop.window"),
        ({"window": float("nan")}, "dpop.window"),
        ({"window": float("inf")}, "dpop.window"),
        ({"window": True}, "dpop.window"),
        ({"window": "60"}, "dpop.window"),
        ({"algorithms": []}, "dpop.algorithms"),
        ({"algorithms": "ES256"}, "dpop.algorithms"),
        ({"algorithms": None}, "dpop.algorithms"),
        ({"algorithms": ["none"]}, "dpop.algorithms"),
        ({"algorithms": ["ES256", "HS256"]}, "dpop.algorithms"),
        ({"algorithms": ["ES256K"]}, "dpop.algorithms"),
        ({"algorithms": ["Ed448"]}, "dpop.algorithms"),
        ({"algorithms": ["es256"]}, "dpop.algorithms"),
        ({"algorithms": [["ES256"]]}, "dpop.algorithms"),
        ({"nonces": True}, "dpop.nonces"),
        ({"nonces": "secret"}, "dpop.nonces"),
    ],
    ids=repr,
)
def test_invalid_policies_are_refused(options: dict[str, Any], setting: str) -> None:
    """Each raises `ConfigurationError`, and names the setting."""
    with pytest.raises(ConfigurationError) as caught:
        DPoP(**{"origins": ORIGIN, **options})
    assert caught.value.setting == setting


def test_settings_are_normalized() -> None:
    """Origins become `PublicOrigins`, algorithms a tuple without repeats, the window a float."""
    policy = DPoP(origins=ORIGIN, algorithms=["ES256", "EdDSA", "ES256"], window=30)
    assert isinstance(policy.origins, PublicOrigins)
    assert policy.algorithms == ("ES256", "EdDSA")
    assert isinstance(policy.window, float)
    assert DPoP(origins=ORIGIN).algorithms == DPOP_ALGORITHMS
    assert not DPoP(origins=ORIGIN).required
