"""`python -m benchmarks.cost`: the cost of each worst shape, highest first; the exit code is 1 beyond the bound."""

from __future__ import annotations

import sys

from benchmarks.cost.measure import cpu_seconds, judge, peak_octets
from benchmarks.cost.shapes import shapes
from benchmarks.results import save

CPU = 0.001
MEMORY = 1 << 20


def main() -> int:
    """Measure and print."""
    rows = [(cpu_seconds(value, times=25), peak_octets(value), name, judge(value)) for name, value in shapes().items()]
    rows.sort(reverse=True)
    lines = ["| CPU, ms | memory, KiB | shape | refused as |", "| ---: | ---: | --- | --- |"]
    lines += [
        f"| {seconds * 1000:.3f} | {octets / 1024:.0f} | {name} | {code} |" for seconds, octets, name, code in rows
    ]
    most = max(octets for _, octets, _, _ in rows)
    lines += ["", f"most: {rows[0][0] * 1000:.3f} ms of CPU, {most / 1024:.0f} KiB of memory, of {len(rows)} shapes"]
    print("\n".join(lines))
    if "--write" in sys.argv:
        figures = [dict(zip(("seconds", "octets", "shape", "code"), row, strict=True)) for row in rows]
        save("cost", figures, lines)
    return 1 if rows[0][0] > CPU or most > MEMORY else 0


if __name__ == "__main__":
    sys.exit(main())
