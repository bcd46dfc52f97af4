"""Generate what the wheel ships of the `.proto` files, with the oldest grpcio-tools that we support.

Rules of this file: generated code refuses to run under an older protobuf than its generator's, so the generator is
pinned to the floor of the extra `grpc`, in an environment of its own. `--check` compares instead of writing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
PLACE = TOP / ".cache" / "proto"
PINS = ("grpcio-tools==1.66.0", "grpcio==1.66.0", "protobuf==5.27.2", "setuptools<81")
ROOT = TOP / "protos" / "bearward"
PROTO = Path("bearward_grpc/v1/annotations.proto")
OUT = TOP / "grpc_adapter"


def main() -> int:
    """Generate, or compare with what is there."""
    with tempfile.TemporaryDirectory(prefix="bearward-proto-") as place:
        generate(Path(place))
        made = sorted(path for path in Path(place).rglob("*") if path.is_file())
        if "--check" in sys.argv[1:]:
            stale = [path for path in made if differs(path, OUT / path.relative_to(place))]
            for path in stale:
                print(f"{path.relative_to(place)} is not what `make proto` makes of the .proto")
            return 1 if stale else 0
        for path in made:
            target = OUT / path.relative_to(place)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            print(f"wrote {target.relative_to(TOP)}")
    return 0


def generate(into: Path) -> None:
    """The Python module, its types, and the `.proto` itself, which users import in theirs."""
    outputs = (f"--python_out={into}", f"--pyi_out={into}")
    subprocess.run([tools(), "-m", "grpc_tools.protoc", f"-I{ROOT}", *outputs, str(PROTO)], cwd=TOP, check=True)
    shutil.copyfile(ROOT / PROTO, into / PROTO)
    stub = (into / PROTO).with_name("annotations_pb2.pyi")
    # The old generator leaves Mapping bare, which strict type checkers of our users would call unknown.
    stub.write_text(stub.read_text().replace(", _Mapping]", ", _Mapping[str, object]]"))


def differs(made: Path, there: Path) -> bool:
    """Whether the file in the tree is another one, or none."""
    return not there.is_file() or made.read_bytes() != there.read_bytes()


def tools() -> Path:
    """The Python that has the pinned tools."""
    python = PLACE / "bin" / "python"
    if not (PLACE / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", PLACE], cwd=TOP, check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PINS], check=True)
        (PLACE / "ready").write_text("\n".join(PINS))
    return python


if __name__ == "__main__":
    raise SystemExit(main())
