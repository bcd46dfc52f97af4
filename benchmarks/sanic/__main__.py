"""CPU time per request of a guarded Sanic route, beside the same route unguarded.

    python -m benchmarks.sanic [rounds] [seconds]

One worker on one core, `wrk` on another; the server's utime + stime over the requests it answered, so that what else
the machine does matters little. The cases run in a new random order each round; ratios are of paired medians.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bearward.testing import LocalIssuer
from benchmarks.results import save
from benchmarks.sanic.served import AUDIENCE

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
FRESH = 40_000


@dataclass(frozen=True)
class Case:
    """A variant of the server, and what is asked of it."""

    name: str
    variant: str
    asks: str
    base: str | None = None
    at_most: float | None = None


CASES = [
    Case("plain", "plain", "repeated"),
    Case("plain, no token", "plain", "nothing"),
    Case("guarded, repeated token", "guarded", "repeated", "plain", 1.10),
    Case("guarded, fresh RS256 token", "guarded", "fresh", "plain", 1.60),
    Case("refused, no token", "guarded", "nothing", "plain, no token", 1.20),
    Case("refused, the same bad token again", "guarded", "bad", "plain", 1.20),
    Case("refused, another bad token each time", "guarded", "bad fresh", "plain", 1.20),
    Case("plain + one RSA verification", "floor", "fresh", "plain", None),
    Case("plain + sanic-ext", "plain+ext", "repeated"),
    Case("guarded + sanic-ext, repeated token", "guarded+ext", "repeated", "plain + sanic-ext", None),
]


class Served:
    """A server process on the second core."""

    def __init__(self, variant: str, issuer: str) -> None:
        command = [sys.executable, "-m", "benchmarks.sanic.served", variant, issuer]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        os.sched_setaffinity(self._process.pid, {max(os.sched_getaffinity(0))})
        assert self._process.stdout is not None
        self.port = next(int(line) for line in self._process.stdout if line.strip().isdigit())

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)


def measure(served: Served, script: Path, seconds: int) -> tuple[float, int]:
    """CPU microseconds per request, and how many there were."""
    before = served.cpu()
    command = ["taskset", "-c", str(min(os.sched_getaffinity(0))), "wrk", "-t1", "-c16", f"-d{seconds}s"]
    done = subprocess.run(
        [*command, "-s", str(script), f"http://127.0.0.1:{served.port}/"], capture_output=True, text=True, check=True
    )
    found = re.search(r"(\d+) requests in", done.stdout)
    assert found, done.stdout
    requests = int(found[1])
    return (served.cpu() - before) / requests * 1e6, requests


def scripts(issuer: LocalIssuer, folder: Path) -> dict[str, Path]:
    """What `wrk` sends in each case."""
    token = _token(issuer, 0)
    tokens = [_token(issuer, n) for n in range(FRESH)]
    header = 'wrk.headers["Authorization"] = "Bearer %s"\n'
    written = {
        "repeated": header % token,
        "bad": header % _spoilt(token),
        "nothing": 'wrk.method = "GET"\n',
        "fresh": _each_once(tokens, folder / "tokens"),
        "bad fresh": _each_once([_spoilt(one) for one in tokens], folder / "spoilt"),
    }
    made = {}
    for name, text in written.items():
        made[name] = folder / f"{name.replace(' ', '_')}.lua"
        made[name].write_text(text)
    return made


def _each_once(tokens: list[str], file: Path) -> str:
    """A script that sends each token once."""
    file.write_text("\n".join(tokens))
    return f"""
local tokens, n = {{}}, 0
for line in io.lines("{file}") do tokens[#tokens + 1] = line end
function request()
  n = n + 1
  if n > #tokens then error("out of fresh tokens") end
  return wrk.format(nil, nil, {{["Authorization"] = "Bearer " .. tokens[n]}})
end
"""


def _spoilt(token: str) -> str:
    return token[:-8] + "AAAAAAAA"


def _token(issuer: LocalIssuer, number: int) -> str:
    """About 700 characters."""
    return issuer.mint(expires_in=7200, sub=f"user-{number:06d}")


def main() -> None:
    """Measure, print a table, keep the results."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    seen: dict[str, list[float]] = {case.name: [] for case in CASES}
    with tempfile.TemporaryDirectory() as folder, LocalIssuer(audience=AUDIENCE) as issuer:
        files = scripts(issuer, Path(folder))
        for number in range(rounds):
            for case in random.sample(CASES, len(CASES)):
                served = Served(case.variant, issuer.url)
                measure(served, files["nothing"], 1)  # warm
                cost, _ = measure(served, files[case.asks], seconds)
                served.stop()
                seen[case.name].append(cost)
            print(f"round {number + 1}: " + ", ".join(f"{name} {costs[-1]:.1f}" for name, costs in seen.items()))
        length = len(_token(issuer, 0))
    report(seen, rounds, seconds, length)


def report(seen: dict[str, list[float]], rounds: int, seconds: int, length: int) -> None:
    """The table, printed and kept."""
    results: list[dict[str, Any]] = []
    for case in CASES:
        base = seen[case.base] if case.base else None
        ratio = None if base is None else statistics.median(seen[case.name]) / statistics.median(base)
        paired = None if base is None else statistics.median(a / b for a, b in zip(seen[case.name], base, strict=True))
        least = None if base is None else min(seen[case.name]) / min(base)
        results.append({
            "case": case.name,
            "cpu_us_median": round(statistics.median(seen[case.name]), 1),
            "cpu_us_min": round(min(seen[case.name]), 1),
            "base": case.base,
            "ratio_of_medians": ratio and round(ratio, 3),
            "median_of_paired_ratios": paired and round(paired, 3),
            "ratio_of_minima": least and round(least, 3),
            "at_most": case.at_most,
        })  # fmt: skip
        print(json.dumps(results[-1]))
    save("sanic", results, table(results), rounds=rounds, seconds=seconds, token_length=length, cpus=os.cpu_count())


def table(results: list[dict[str, Any]]) -> list[str]:
    """The results in Markdown: CPU time by request, and beside what it is measured."""
    head = [
        "| case | µs, median | µs, least | beside | ratio, paired | at most |",
        "| --- | ---: | ---: | --- | ---: | ---: |",
    ]
    columns = ("case", "cpu_us_median", "cpu_us_min", "base", "median_of_paired_ratios", "at_most")
    return [*head, *("| " + " | ".join(str(row[name] or "") for name in columns) + " |" for row in results)]


if __name__ == "__main__":
    main()
