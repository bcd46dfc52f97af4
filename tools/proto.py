"""Generate the code of the `.proto` files, with the oldest grpcio-tools that we support.

Rules of this file: generated code refuses to run under an older protobuf than its generator's, so the generator is
pinned to the floor of the extra `grpc`, in its own environment. `--check` compares instead of writing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
PLACE = TOP / ".cache" / "proto"
PINS = ("grpcio-tools==1.66.0", "grpcio==1.66.0", "mypy-protobuf==3.6.0", "protobuf==5.27.2", "setuptools<81")
PROTOS = TOP / "protos" / "bearward"
SHIPPED, SHIPPED_IN = "bearward_grpc/v1/annotations.proto", "grpc_adapter"
SAMPLE, SAMPLE_FROM = "samples/v1/sample.proto", f"-Isamples/v1={PROTOS / 'sample' / 'v1'}"


def main() -> int:
    """Generate, or compare with what is there."""
    with tempfile.TemporaryDirectory(prefix="bearward-proto-") as place:
        generate(Path(place))
        made = sorted(path for path in Path(place).rglob("*") if path.is_file())
        if "--check" in sys.argv[1:]:
            stale = [path for path in made if differs(path, TOP / path.relative_to(place))]
            for path in stale:
                print(f"{path.relative_to(place)} is not what `make proto` makes of the .proto")
            return 1 if stale else 0
        for path in made:
            target = TOP / path.relative_to(place)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            print(f"wrote {target.relative_to(TOP)}")
    return 0


def generate(into: Path) -> None:
    """What is shipped: the module, its types, and the `.proto` itself for users' own. What the sample uses: its code."""
    shipped = into / SHIPPED_IN
    shipped.mkdir()
    protoc(f"-I{PROTOS}", f"--python_out={shipped}", f"--pyi_out={shipped}", SHIPPED)
    shutil.copyfile(PROTOS / SHIPPED, shipped / SHIPPED)
    stub = (shipped / SHIPPED).with_name("annotations_pb2.pyi")
    # The old generator leaves Mapping bare, which strict type checkers of our users would call unknown.
    stub.write_text(stub.read_text().replace(", _Mapping]", ", _Mapping[str, object]]"))
    types = (f"--mypy_out=quiet:{into}", f"--mypy_grpc_out=quiet:{into}")
    protoc(SAMPLE_FROM, f"--python_out={into}", f"--grpc_python_out={into}", *types, SAMPLE)


def protoc(*arguments: str) -> None:
    """Run the pinned protoc; its plugins lie beside the Python that runs it."""
    python = tools()
    environment = {"PATH": f"{python.parent}:/usr/bin:/bin"}
    subprocess.run([python, "-m", "grpc_tools.protoc", *arguments], cwd=TOP, env=environment, check=True)


def differs(made: Path, there: Path) -> bool:
    """Whether the file in the tree is another one, or none."""
    return not there.is_file() or made.read_bytes() != there.read_bytes()


def tools() -> Path:
    """The Python that has the pinned tools."""
    python, ready, wanted = PLACE / "bin" / "python", PLACE / "ready", "\n".join(PINS)
    if not (ready.exists() and ready.read_text() == wanted):
        subprocess.run([sys.executable, "-m", "venv", "--clear", PLACE], cwd=TOP, check=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", *PINS], check=True)
        ready.write_text(wanted)
    return python


if __name__ == "__main__":
    raise SystemExit(main())
