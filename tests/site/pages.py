"""The pages of `docs/how-to`: their blocks by name, and a Sanic application of a page as a server."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
SERVE = (
    '\n\n@app.after_server_start\nasync def _started(_):\n    print("serving", flush=True)\n\n\napp.run({arguments})\n'
)


def blocks(page: str, language: str = "python") -> dict[str, str]:
    """The blocks of one language on `docs/<page>`, by the word after it; those without one by their number."""
    text = (TOP / "docs" / page).read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}(?: (\S+))?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return {name or str(number): code for number, (name, code) in enumerate(found)}


@contextmanager
def serving(code: str, folder: Path) -> Iterator[str]:
    """The address of a server for the application that `code` makes, as its own process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = f'"127.0.0.1", {port}, single_process=True, motd=False, access_log=False'
    program = folder / "page_service.py"
    program.write_text(code + SERVE.format(arguments=arguments))
    command = [sys.executable, str(program)]
    with (
        (folder / "log.txt").open("w") as log,
        subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            if process.stdout is None or not any(line == "serving\n" for line in process.stdout):
                raise AssertionError((folder / "log.txt").read_text())
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
