"""Measure what a guard costs a grpc.aio server, in its own CPU time per call, by ratios within one run.

    python -m benchmarks.grpc [--repetitions 60] [--calls 400] [--write]

Rules of this file: all servers stand in one process on one core and wait, the load comes from the other; each
repetition visits every row once, in an order drawn again, so that a noisy neighbour meets all alike. What counts is the
CPU time that the process was charged for (`/proc/PID/task/*/schedstat`), never the wall clock. Each row's answers are
looked at before anything is measured. h2load sends the same headers with each call, so rows with a token that was
never seen before are loaded by `load.py`, and compared with an unguarded row loaded by it with the same tokens.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import grpc

from bearward.testing import LocalIssuer
from benchmarks.grpc.server import AUDIENCE, MESSAGES, SERVICE
from benchmarks.results import save

HERE = Path(__file__).parent
BODY = b"hello, world"
SERVER_CORE, CLIENT_CORE = "0", "1"


class Row(NamedTuple):
    """One thing that is measured: which server, which method, by what tokens, and the status that must be answered."""

    name: str
    variant: str
    method: str
    token: Literal["none", "repeated", "fresh"]
    status: int = 0


ROWS = (
    Row("unguarded", "bare", "Unary", "repeated"),
    Row("unguarded, again", "bare again", "Unary", "repeated"),
    Row("no-op interceptor", "no-op", "Unary", "repeated"),
    Row("interceptor alone, repeated token", "interceptor", "Unary", "repeated"),
    Row("guarded, repeated token", "guarded", "Unary", "repeated"),
    Row("denied, no token", "guarded", "Unary", "none", 16),
    Row("unguarded, fresh tokens", "bare", "Unary", "fresh"),
    Row("signature alone, fresh tokens", "signature", "Unary", "fresh"),
    Row("guarded, fresh RS256 token", "guarded", "Unary", "fresh"),
    Row("streaming, unguarded", "bare", "Stream", "repeated"),
    Row("streaming, guarded", "guarded", "Stream", "repeated"),
)
BASES = {
    "signature alone, fresh tokens": "unguarded, fresh tokens",
    "guarded, fresh RS256 token": "signature alone, fresh tokens",
    "streaming, guarded": "streaming, unguarded",
}
TARGETS = {
    "guarded, repeated token": 1.05,
    "denied, no token": 1.00,
    "guarded, fresh RS256 token": 1.12,
    "streaming, guarded": 1.03,
}


class Servers(NamedTuple):
    """The process that waits for load, and where each server listens."""

    process: subprocess.Popen[str]
    ports: dict[str, int]

    def cpu(self) -> float:
        """Microseconds of CPU that all its threads were charged for so far."""
        tasks = Path(f"/proc/{self.process.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1000


def main() -> None:
    """Measure, print, and with `--write` keep the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=60)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), action="append")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    if shutil.which("h2load") is None:
        sys.exit("h2load is needed: apt-get install nghttp2-client")
    results = {loop: measured(loop, given.repetitions, given.calls) for loop in given.loop or ("asyncio", "uvloop")}
    print(table(results))
    if given.write:
        unit = "microseconds of server CPU per call (streaming: per message)"
        save("grpc", results, [table(results)], repetitions=given.repetitions, calls=given.calls, unit=unit)


def measured(loop: str, repetitions: int, calls: int) -> dict[str, dict[str, float]]:
    """What each row costs, over the repetitions, and what that is in terms of its base."""
    samples: dict[str, list[float]] = {row.name: [] for row in ROWS}
    with LocalIssuer(audience=AUDIENCE) as issuer, tempfile.TemporaryDirectory() as place, serving(issuer, loop) as to:
        body = Path(place, "body")
        body.write_bytes(b"\0" + struct.pack(">I", len(BODY)) + BODY)
        load = Load(to, issuer, body, calls)
        for row in ROWS:
            load.check(row)
            load.cost(row)
        for _ in range(repetitions):
            load.mint()
            for row in random.sample(ROWS, len(ROWS)):
                samples[row.name].append(load.cost(row))
    return {name: summary(name, samples) for name in samples}


def summary(name: str, samples: dict[str, list[float]]) -> dict[str, float]:
    """What one row's samples say; the quiet ones are the cheapest quarter."""
    own, base = samples[name], samples[BASES.get(name, "unguarded")]
    told = {"quiet": round(quiet(own), 2), "median": round(statistics.median(own), 2)}
    if name not in BASES and name in BASES.values():
        return told
    paired = statistics.median(one / other for one, other in zip(own, base, strict=True))
    return told | {"median of ratios": round(paired, 3), "ratio of quiet": round(quiet(own) / quiet(base), 3)}


def quiet(samples: list[float]) -> float:
    """The mean of the cheapest quarter: what it costs when the machine has little else to do."""
    return statistics.mean(sorted(samples)[: max(1, len(samples) // 4)])


@contextlib.contextmanager
def serving(issuer: LocalIssuer, loop: str) -> Iterator[Servers]:
    """The servers, in their own process, on the server's core."""
    command = [sys.executable, "-m", "benchmarks.grpc.server", "--issuer", issuer.url, "--loop", loop]
    process = subprocess.Popen(
        ["taskset", "-c", SERVER_CORE, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"GRPC_VERBOSITY": "ERROR"},
    )
    try:
        assert process.stdout is not None
        yield Servers(process, json.loads(process.stdout.readline()))
    finally:
        process.communicate("", timeout=30)


class Load:
    """What asks the servers, from the other core."""

    def __init__(self, servers: Servers, issuer: LocalIssuer, body: Path, calls: int) -> None:
        self._servers = servers
        self._issuer = issuer
        self._body = body
        self._calls = calls
        self._token = issuer.mint(scope="echo", expires_in=3600)
        self.mint()

    def mint(self) -> None:
        """Tokens that were not seen before."""
        self._fresh = [self._issuer.mint(scope="echo", expires_in=3600) for _ in range(self._calls)]

    def check(self, row: Row) -> None:
        """h2load counts every HTTP 200 as a success, so the gRPC status is looked at here, once."""
        metadata = () if row.token == "none" else (("authorization", f"Bearer {self._token}"),)
        with grpc.insecure_channel(f"127.0.0.1:{self._servers.ports[row.variant]}") as channel:
            make: Any = channel.unary_unary if row.method == "Unary" else channel.unary_stream
            stub = make(f"/{SERVICE}/{row.method}")
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

    def cost(self, row: Row) -> float:
        """Microseconds of the servers' CPU per call, or per message of a stream."""
        count = self._calls if row.method == "Unary" else 16
        before = self._servers.cpu()
        done = self._varied(row) if row.token == "fresh" else self._repeated(row, count)
        spent = self._servers.cpu() - before
        if done != count:
            raise RuntimeError(f"{row.name}: lost {count - done} calls")
        return spent / (count if row.method == "Unary" else count * MESSAGES)

    def _repeated(self, row: Row, count: int) -> int:
        headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        if row.token == "repeated":
            headers += ["-H", f"authorization: Bearer {self._token}"]
        address = f"http://127.0.0.1:{self._servers.ports[row.variant]}/{SERVICE}/{row.method}"
        told = on_client_core("h2load", "-t1", "-c1", "-m16", f"-n{count}", "-d", str(self._body), *headers, address)
        succeeded = re.search(r"(\d+) succeeded", told)
        return int(succeeded[1]) if succeeded else 0

    def _varied(self, row: Row) -> int:
        port, path = str(self._servers.ports[row.variant]), f"/{SERVICE}/{row.method}"
        command = [sys.executable, "-m", "benchmarks.grpc.load", "--port", port, "--path", path]
        return int(on_client_core(*command, "--body", str(self._body), given="\n".join(self._fresh)))


def on_client_core(*command: str, given: str = "") -> str:
    """What a command prints, run on the core where no server is."""
    done = subprocess.run(
        ["taskset", "-c", CLIENT_CORE, *command], input=given, capture_output=True, text=True, check=True, timeout=300
    )
    return done.stdout


def table(results: dict[str, dict[str, dict[str, float]]]) -> str:
    """The results in Markdown."""
    lines = [
        "| loop | row | µs, quiet | µs, median | ratio, paired | ratio, quiet | at most |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for loop, rows in results.items():
        for name, told in rows.items():
            paired, still = told.get("median of ratios", ""), told.get("ratio of quiet", "")
            target = TARGETS.get(name, "")
            lines.append(f"| {loop} | {name} | {told['quiet']} | {told['median']} | {paired} | {still} | {target} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
