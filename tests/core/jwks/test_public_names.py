"""The public names of `bearward.jwks`: a change here is a change for users."""

from __future__ import annotations

import subprocess
import sys

import bearward.jwks

JWKS = """
    JWKSURI ChangeAwareSource Discovery FetchError FetchFailure File Freshness HTTPClient HTTPResponse IssuerHealth
    JWKSOptions JWKSStore JWKSet KeyRejection Loaded MetadataKind Source StartError StartMode Static Validators
"""


def test_names_of_the_jwks_facade() -> None:
    """What a source of your own, an annotation or a health page needs by name."""
    assert sorted(bearward.jwks.__all__) == sorted(JWKS.split())
    assert all(hasattr(bearward.jwks, name) for name in bearward.jwks.__all__)


def test_importing_bearward_loads_neither_the_transport_nor_aiocache() -> None:
    """Both take longer to import than all of bearward; they are imported at the first fetch."""
    code = "import sys, bearward, bearward.jwks; print([n for n in ('httpcore2', 'aiocache', 'redis') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert done.stdout == "[]\n"
