"""Figure and tables of docs/scaling.md: `python docs/figures/scaling.py [scaling] [kernel] [http]`.

Takes about ten minutes on two cores and needs the NEST with MPI of `animat engine install nest-mpi`. Other programs on
the machine show in the ranges.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tables import fill, table

from animat.bench.exchange import measure
from animat.bench.exchange.loop import Loop
from animat.bench.kernel import measure_kernel
from animat.bench.layout import Layout, cores, default_layouts, find_engine
from animat.bench.scaling import measure_scaling
from animat.bench.scaling.figure import write_figure
from animat.brain.network import Network
from animat.library import load_network

DOCS = Path(__file__).parents[1]
PAGE = DOCS / "scaling.md"
TWO = Layout(2, 1)


def patch(size: str) -> Network:
    return load_network({"library": "rodent-brain", "regions": "M1", "size": size, "drive": "published"})


def quiet(_what: str, _done: float | None) -> None:
    return None


def scaling() -> None:
    layouts = default_layouts(cores())
    found = measure_scaling(patch("0.2 mm"), layouts, find_engine(layouts), quiet, steps=25, rounds=5)
    if not found.same_spikes:
        raise SystemExit("the layouts did not have the same spikes")
    columns = ["layout", "build s", "memory MB", "first step s", "kernel ms (range)", "loop ms (range)", "beyond ms"]
    columns += ["kernel RTF", "loop RTF", "kernel faster", "loop faster", "eff."]
    rows = [
        [
            str(row.layout),
            f"{row.build_s:.1f}",
            f"{row.memory_mb:,.0f}",
            f"{row.first_step_s:.2f}",
            f"{1000 * row.kernel_s:.0f} ({1000 * row.kernel_s_least:.0f} to {1000 * row.kernel_s_most:.0f})",
            f"{1000 * row.loop_s:.0f} ({1000 * row.loop_s_least:.0f} to {1000 * row.loop_s_most:.0f})",
            f"{row.beyond_kernel_ms:.1f}",
            f"{row.kernel_real_time_factor:.2f}",
            f"{row.loop_real_time_factor:.2f}",
            f"{row.kernel_speed_up:.2f}",
            f"{row.loop_speed_up:.2f}",
            f"{row.loop_efficiency:.0%}",
        ]
        for row in found.layouts
    ]
    said = (
        f"{found.network}, {found.neurons:,} neurons, {found.synapses:,} synapses, {found.virtual_processes} virtual "
        f"processes, medians of {found.rounds} rounds of {found.steps} steps; the same spikes in all layouts.\n"
    )
    fill(PAGE, "scaling", f"{said}\n{table(columns, rows)}")
    write_figure(found, DOCS / "images" / "scaling.png")


def kernel() -> None:
    rows = []
    for layout in (TWO, Layout(1, 2)):
        found = measure_kernel(patch("0.4 mm"), layout, find_engine([TWO]), quiet, steps=2, rounds=120)
        low, high = found.ratio_quartiles
        ours, bare = (sum(getattr(one, name) for one in found.rounds) for name in ("spikes", "bare_spikes"))
        steps = f"{found.step_ms:.0f} ms, {found.bare_step_ms:.0f} ms"
        rows.append([str(layout), steps, f"{found.ratio:.3f}", f"{low:.3f} to {high:.3f}", f"{ours:,}, {bare:,}"])
    said = f"{found.network}, {found.neurons:,} neurons, {found.synapses:,} synapses, {len(found.rounds)} rounds."
    columns = ["layout", "a step's kernel in the loop, in the script", "ratio (median)", "quartiles", "spikes"]
    fill(PAGE, "kernel", f"{said}\n\n{table(columns, rows)}")


def http() -> None:
    rows = []
    for layout in (Layout(1, 1), TWO):
        found = measure(Loop(steps=500, layout=layout, engine=find_engine([layout])), quiet, http=True)
        assert found.http is not None
        for name, requests, cost in (
            ("one exchange", 1, found.beyond_kernel_ms),
            ("one request a device", found.http.requests_per_step, found.http.beyond_kernel_ms),
        ):
            a_device = f"{cost.median / (found.sinks + found.sources):.2f}"
            row = [str(layout), name, str(requests), f"{cost.median:.1f}", f"{cost.p95:.1f}", a_device]
            rows.append([*row, f"{cost.median / found.beyond_kernel_ms.median:.1f}"])
    columns = ["layout", "way", "requests a step", "beyond the kernel, ms", "95 %, ms", "ms a device", "times as much"]
    fill(PAGE, "http", table(columns, rows))


PARTS = {"scaling": scaling, "kernel": kernel, "http": http}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
