"""Measure what a guard costs a grpc.aio server, in its own CPU time per call, by ratios within one run.

    python -m benchmarks.grpc [--repetitions 9] [--calls 3000] [--write]

Rules of this file: all servers run at once on one core and wait, h2load runs on the other; each repetition visits
every row once, in an order drawn anew, so that a noisy neighbour meets all alike. What counts is the CPU time that the
server's process was charged for (`/proc/PID/task/*/schedstat`), never the wall clock. Each row's answers are looked at
before anything is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from bearward.testing import LocalIssuer
from benchmarks.grpc.server import AUDIENCE, MESSAGES, SERVICE

HERE = Path(__file__).parent
BODY = b"hello, world"
SERVER_CORE, CLIENT_CORE = "0", "1"


class Row(NamedTuple):
    """One thing that is measured: which server, which method, with a token or not, and what must be answered."""

    name: str
    variant: str
    method: str
    token: bool
    status: int


ROWS = (
    Row("unguarded", "bare", "Unary", True, 0),
    Row("no-op interceptor", "no-op", "Unary", True, 0),
    Row("guarded, repeated token", "guarded", "Unary", True, 0),
    Row("guarded, fresh RS256 token", "fresh", "Unary", True, 0),
    Row("denied, no token", "guarded", "Unary", False, 16),
    Row("streaming, unguarded", "bare", "Stream", True, 0),
    Row("streaming, guarded", "guarded", "Stream", True, 0),
)
TARGETS = {
    "guarded, repeated token": ("unguarded", 1.05),
    "guarded, fresh RS256 token": ("unguarded", 1.20),
    "denied, no token": ("unguarded", 1.00),
    "streaming, guarded": ("streaming, unguarded", 1.03),
}


class Server(NamedTuple):
    """A server that waits for load."""

    process: subprocess.Popen[str]
    port: int

    def cpu(self) -> float:
        """Microseconds of CPU that all its threads were charged for so far."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1000


def main() -> None:
    """Measure, print, and with `--write` keep the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), action="append")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    if shutil.which("h2load") is None:
        sys.exit("h2load is needed: apt-get install nghttp2-client")
    results = {loop: measured(loop, given.repetitions, given.calls) for loop in given.loop or ("asyncio", "uvloop")}
    print(table(results))
    if given.write:
        about = {
            "python": platform.python_version(),
            "grpcio": grpc.__version__,
            "repetitions": given.repetitions,
            "calls": given.calls,
            "unit": "microseconds of server CPU per call (streaming: per message)",
        }
        (HERE / "results.json").write_text(json.dumps({"about": about, "loops": results}, indent=1) + "\n")
        (HERE / "results.md").write_text(table(results) + "\n")


def measured(loop: str, repetitions: int, calls: int) -> dict[str, dict[str, float]]:
    """CPU per call of each row: minimum and median over the repetitions, and both as ratios to the row's base."""
    samples: dict[str, list[float]] = {row.name: [] for row in ROWS}
    with (
        LocalIssuer(audience=AUDIENCE) as issuer,
        contextlib.ExitStack() as stack,
        tempfile.TemporaryDirectory() as place,
    ):
        body = Path(place, "body")
        body.write_bytes(b"\0" + struct.pack(">I", len(BODY)) + BODY)
        token = issuer.mint(scope="echo", lifetime=3600)
        servers = {v: stack.enter_context(serving(v, issuer.url, loop)) for v in {row.variant for row in ROWS}}
        for row in ROWS:
            check(row, servers[row.variant], token)
            load(row, servers[row.variant], token, body, calls)
        for _ in range(repetitions):
            for row in random.sample(ROWS, len(ROWS)):
                samples[row.name].append(load(row, servers[row.variant], token, body, calls))
    return {name: summary(name, samples) for name in samples}


def summary(name: str, samples: dict[str, list[float]]) -> dict[str, float]:
    """What one row's samples say."""
    low, middle = min(samples[name]), statistics.median(samples[name])
    told = {"min": round(low, 2), "median": round(middle, 2)}
    base = samples[TARGETS[name][0] if name in TARGETS else "unguarded"]
    if name.startswith("streaming, un"):
        return told
    paired = statistics.median(own / other for own, other in zip(samples[name], base, strict=True))
    return told | {
        "ratio of minima": round(low / min(base), 3),
        "ratio of medians": round(middle / statistics.median(base), 3),
        "median of ratios": round(paired, 3),
    }


@contextlib.contextmanager
def serving(variant: str, issuer: str, loop: str) -> Iterator[Server]:
    """One server in a process of its own, on the server's core."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "benchmarks.grpc.server",
        variant,
        "--issuer",
        issuer,
        "--port",
        str(port),
        "--loop",
        loop,
    ]
    process = subprocess.Popen(
        ["taskset", "-c", SERVER_CORE, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"GRPC_VERBOSITY": "ERROR"},
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the server {variant} did not start")
        yield Server(process, port)
    finally:
        process.communicate("", timeout=30)


def check(row: Row, server: Server, token: str) -> None:
    """h2load counts every HTTP 200 as a success, so the gRPC status is looked at here, once."""
    metadata = (("authorization", f"Bearer {token}"),) if row.token else ()
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub: Any = (channel.unary_unary if row.method == "Unary" else channel.unary_stream)(f"/{SERVICE}/{row.method}")
        try:
            answer = stub(BODY, metadata=metadata)
            messages = [answer] if row.method == "Unary" else list(answer)
            status = 0
        except grpc.RpcError as error:
            told: Any = error
            status, messages = told.code().value[0], []
    expected = 0 if row.status else (1 if row.method == "Unary" else MESSAGES)
    if (status, len(messages)) != (row.status, expected):
        raise RuntimeError(f"{row.name}: answered {status} with {len(messages)} messages")


def load(row: Row, server: Server, token: str, body: Path, calls: int) -> float:
    """Microseconds of server CPU per call, or per message of a stream."""
    count = calls if row.method == "Unary" else max(16, calls // 50)
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    if row.token:
        headers += ["-H", f"authorization: Bearer {token}"]
    address = f"http://127.0.0.1:{server.port}/{SERVICE}/{row.method}"
    command = ["h2load", "-t1", "-c1", "-m16", f"-n{count}", "-d", str(body), *headers, address]
    before = server.cpu()
    done = subprocess.run(
        ["taskset", "-c", CLIENT_CORE, *command], capture_output=True, text=True, check=True, timeout=300
    )
    spent = server.cpu() - before
    succeeded = re.search(r"(\d+) succeeded", done.stdout)
    if succeeded is None or int(succeeded[1]) != count:
        raise RuntimeError(f"{row.name}: h2load lost calls")
    return spent / (count if row.method == "Unary" else count * MESSAGES)


def table(results: dict[str, dict[str, dict[str, float]]]) -> str:
    """The results in Markdown."""
    lines = [
        "| loop | row | µs, least | µs, median | ratio, paired | ratio of least | at most |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for loop, rows in results.items():
        for name, told in rows.items():
            paired, least = told.get("median of ratios", ""), told.get("ratio of minima", "")
            target = TARGETS[name][1] if name in TARGETS else ""
            lines.append(f"| {loop} | {name} | {told['min']} | {told['median']} | {paired} | {least} | {target} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
