"""`python -m benchmarks.plots`: a bar chart (SVG) of each suite, from the results that are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "bearward"  # the same figures give the same file

from matplotlib import pyplot as plt  # noqa: E402  (the backend is chosen first)

from benchmarks.results import RESULTS  # noqa: E402


def plot(path: Path) -> Path:
    """Draw the ratios of one results file: a bar each, its quartiles as a line, shorter is better."""
    figures: dict[str, Any] = json.loads(path.read_text())["figures"]
    rows = [(name, figure) for name, figure in figures.items() if "quartiles" in figure][::-1]
    chart, axes = plt.subplots(figsize=(9, 0.32 * len(rows) + 1.2), layout="constrained")
    ratios = [figure["ratio"] for _, figure in rows]
    spread = [[f["ratio"] - f["quartiles"][0] for _, f in rows], [f["quartiles"][1] - f["ratio"] for _, f in rows]]
    colours = ["#b5502b" if "bearward" in name or "seen" in name or "cache" in name else "#9aa5b1" for name, _ in rows]
    axes.barh([name for name, _ in rows], ratios, xerr=spread, color=colours, ecolor="#333333", height=0.7)
    for position, ratio in enumerate(ratios):
        axes.annotate(f" {ratio:.2f}", (ratio, position), va="center", fontsize=8)
    axes.set_xlabel("ratio to the reference of the same run (shorter is better)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", labelsize=8)
    drawn = path.with_suffix(".svg")
    chart.savefig(drawn, metadata={"Date": None})
    plt.close(chart)
    return drawn


def main() -> None:
    """Draw the suites whose figures are ratios with quartiles."""
    for suite in ("http", "library"):
        print(plot(RESULTS / f"{suite}.json").name)


if __name__ == "__main__":
    main()
