"""What importing bearward does not load."""

from __future__ import annotations

import subprocess
import sys


def test_importing_bearward_loads_neither_the_transport_nor_aiocache() -> None:
    """Both take longer to import than all of bearward; they are imported at the first fetch."""
    code = "import sys, bearward, bearward.jwks; print([n for n in ('httpcore2', 'aiocache', 'redis') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert done.stdout == "[]\n"
