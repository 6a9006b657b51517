"""Table, figure and report of docs/large.md: `python docs/figures/large.py`.

Runs the largest networks of the paper with compact, embodied, each in a process of its own; about eight minutes on two
cores and 13 GB. What was measured is kept in docs/figures/large.json; `python docs/figures/large.py draw` uses that.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from tables import fill, table

DOCS = Path(__file__).parents[1]
PAGE, README = DOCS / "large.md", DOCS.parent / "README.md"
FOUND = Path(__file__).with_suffix(".json")

#: Real-time factors of Feldotto et al. 2022 (doi:10.3389/fninf.2022.884180), medians of 8 runs, by number of NEST
#: processes of 36 threads on Piz Daint; and what one process took: seconds to connect, GB.
PAPER = {
    "whole": ({1: 0.0069, 2: 0.0129, 4: 0.0215, 8: 0.0323, 16: 0.0416, 32: 0.0480, 64: 0.0465}, 259, 73.4),
    "m1": ({1: 0.0464, 2: 0.0582, 4: 0.0632, 8: 0.0673, 16: 0.0648, 32: 0.0626, 64: 0.0580}, 63, 22.5),
    "balanced": ({1: 0.0036, 2: 0.0089, 4: 0.0245, 8: 0.0553, 16: 0.0974, 32: 0.1353, 64: 0.1504}, 63, 87.0),
}

RUNS = {
    "as-published": (
        "whole rodent brain, as published",
        "whole",
        "mouse-rodent-brain",
        {"network.size": "1 mm", "network.mode": "as-published"},
    ),
    "clean": ("whole rodent brain, clean", "whole", "mouse-rodent-brain", {"network.size": "1 mm"}),
    "m1": (
        "motor cortex M1, as published",
        "m1",
        "mouse-joystick",
        {"network.size": "1 mm", "network.mode": "as-published"},
    ),
    "balanced": (
        "balanced network with plasticity, scale 20",
        "balanced",
        "balanced-network",
        {"network.scale": 20, "network.indegree_fraction": 1},
    ),
}


def run(name: str, folder: Path) -> dict[str, float]:
    _, _, experiment, settings = RUNS[name]
    out = folder / name
    command = [str(Path(sys.executable).with_name("animat")), "run", experiment, "--out", str(out)]
    command += ["--set", "brain.engine=compact"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    whole_s = time.monotonic() - began
    if done.returncode:
        raise SystemExit(done.stderr)
    summary = json.loads((out / "summary.json").read_text())
    brain = json.loads((out / "manifest.json").read_text())["brains"]["brain"]
    rows = [line.split(",") for line in (out / "profile.csv").read_text().splitlines()]
    kernel, step = (rows[0].index(column) for column in ("brain_kernel", "step_s"))
    return {
        "neurons": summary["neurons"],
        "synapses": summary["synapses"],
        "spikes": summary["spikes"],
        "simulated_s": summary["simulated_ms"] / 1000,
        "build_s": brain["build_s"],
        "memory_gib": summary["peak_memory_mb"]["brain"] * 1e6 / 2**30,
        "rtf": 0.02 / statistics.mean(float(row[step]) for row in rows[2:]),
        "kernel_ms": 1000 * statistics.median(float(row[kernel]) for row in rows[2:]),
        "whole_s": whole_s,
    }


def results(found: dict[str, dict[str, float]]) -> str:
    head = ["network", "neurons", "synapses", "build", "memory", "real-time factor", "the paper's, one process", "best"]
    lines = []
    for name, (title, paper, *_) in RUNS.items():
        one = found[name]
        factors, connect_s, gb = PAPER[paper]
        best = max(factors, key=lambda processes: factors[processes])
        lines.append(
            [
                title,
                f"{one['neurons']:,.0f}",
                f"{one['synapses'] / 1e6:,.0f} million",
                f"{one['build_s']:.1f} s",
                f"{one['memory_gib']:.1f} GiB",
                f"**{one['rtf']:.3f}**",
                f"{factors[1]:.4f} ({connect_s} s, {gb:g} GB)",
                f"{factors[best]:.4f} ({best} processes)",
            ]
        )
    return table(head, lines)


def figure(found: dict[str, dict[str, float]]) -> None:
    colours = {"whole": "#0072b2", "m1": "#009e73", "balanced": "#d55e00"}
    titles = {"whole": "whole rodent brain", "m1": "motor cortex M1", "balanced": "balanced network, scale 20"}
    drawing, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    for paper, colour in colours.items():
        factors = PAPER[paper][0]
        threads, label = [36 * processes for processes in factors], f"{titles[paper]}, 2022"
        axes.plot(threads, list(factors.values()), "o-", color=colour, ms=4, label=label)
    for name, (_, paper, *_) in RUNS.items():
        marker = "D" if name == "clean" else "*"
        axes.plot(2, found[name]["rtf"], marker, color=colours[paper], ms=8 if name == "clean" else 14)
    axes.plot([], [], "*", color="0.3", ms=12, label="compact on two cores")
    axes.plot([], [], "D", color="0.3", ms=7, label="the same, clean wiring")
    axes.axhline(1, color="0.7", lw=0.8, zorder=0)
    axes.annotate("real time", (3000, 1), ha="right", va="bottom", color="0.5", fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="threads", ylabel="real-time factor of the loop")
    axes.set_xticks([2, 36, 288, 2304], ["2", "36", "288", "2,304"])
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    drawing.savefig(DOCS / "images" / "large.png", dpi=130)


def main(names: list[str]) -> None:
    found = json.loads(FOUND.read_text()) if FOUND.exists() else {}
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        for name in [] if names == ["draw"] else names or RUNS:
            found[name] = run(name, Path(folder))
            print(name, found[name], flush=True)
            if name == "as-published":
                (DOCS / "reports").mkdir(exist_ok=True)
                report = (Path(folder) / name / "report.html").read_text(encoding="utf-8")
                (DOCS / "reports" / "whole-rodent-brain.html").write_text(
                    re.sub(re.escape(str(folder)), "runs", report), encoding="utf-8"
                )
            shutil.rmtree(Path(folder) / name)
            FOUND.write_text(json.dumps(found, indent=1) + "\n")
    if all(name in found for name in RUNS):
        fill(PAGE, "table", results(found))
        whole = found["as-published"]
        size = f"{whole['synapses'] / 1e6:,.0f} million synapses in {whole['memory_gib']:.1f} GiB on two cores"
        fill(README, "whole", size)
        figure(found)


if __name__ == "__main__":
    main(sys.argv[1:])
