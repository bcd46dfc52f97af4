"""`make sbom`: the CycloneDX bill of materials of the wheel with all of its extras, as it is when it is installed.

Rules of this file: the components are those of a real environment that holds the wheel and nothing else; no line names
a place on this machine, a registry, or the time, so that two runs write the same file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

TOP = Path(__file__).resolve().parents[2]
NAME = "bearward"


def main() -> int:
    """Write `dist/bearward-<version>.cdx.json` for the wheel in `dist/`; the exit code is 0, or 1 without a wheel."""
    wheels = sorted((TOP / "dist").glob("*.whl"))
    if len(wheels) != 1:
        print("dist/ must hold one wheel: make build", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="bearward-sbom-") as place:
        document = bill_of_materials(installed(wheels[0], Path(place)))
    out = wheels[0].with_name(f"{NAME}-{wheels[0].name.split('-')[1]}.cdx.json")
    out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"{out.relative_to(TOP)}: {len(document['components'])} components")
    return 0


def installed(wheel: Path, place: Path) -> Path:
    """The Python of an environment that holds the wheel with all extras, in the versions of `constraints.txt`."""
    _run(sys.executable, "-m", "venv", "--without-pip", str(place))
    python = place / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check")
    _run(*pip, "install", "-qq", "--no-compile", "--constraint", str(TOP / "constraints.txt"), f"{wheel}[all]")
    return python


def bill_of_materials(python: Path) -> dict[str, Any]:
    """The bill of what this Python has installed; raises `ValueError` if it breaks the schema of CycloneDX 1.6."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--spec-version", "1.6"]
    document: dict[str, Any] = json.loads(_run(*command, "--output-format", "JSON", str(python)))
    components = document["components"]
    for component in components:
        component.pop("externalReferences", None)  # where it was downloaded from, and its home page
    own = next(component for component in components if component["name"] == NAME)
    components.remove(own)
    own["type"] = "library"
    own["purl"] = f"pkg:pypi/{NAME}@{own['version']}"
    document["metadata"]["component"] = own
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))
    if wrong is not None:
        raise ValueError(str(wrong))
    return document


def _run(*command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, cwd=TOP, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
