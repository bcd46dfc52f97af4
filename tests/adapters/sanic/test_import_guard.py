"""Without Sanic the package says what to install; with it, sanic-ext is not touched."""

from __future__ import annotations

import subprocess
import sys

MESSAGE = "bearward_sanic needs sanic: pip install 'bearward[sanic]'"


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_import_error_names_the_extra() -> None:
    """`import bearward_sanic` without Sanic is an ImportError that says how to get it."""
    hide = "import sys\nsys.modules['sanic'] = None\n"
    done = _python(hide + "try:\n  import bearward_sanic\nexcept ImportError as e:\n  print(e)")
    assert done.stdout.strip() == MESSAGE


def test_sanic_ext_is_not_imported() -> None:
    """Importing the package imports nothing of sanic-ext."""
    done = _python("import sys, bearward_sanic; print([m for m in sys.modules if m.startswith('sanic_ext')])")
    assert done.stdout.strip() == "[]"
