"""Strong scaling as a figure: a step's time over cores, and what it costs beyond the brain kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from animat.bench.layout import Layout
from animat.bench.scaling import LayoutResult, Scaling

__all__ = ["kind", "write_figure"]

#: Milliseconds of a step beyond NEST's own time, by NEST processes: primary motor cortex alone, Feldotto et al. 2022
#: (doi:10.3389/fninf.2022.884180), mean of 8 runs, from the measurements published with it (nestserver_benchmarks).
_PUBLISHED = {1: 235.4, 2: 247.7, 4: 265.1, 8: 270.2, 16: 284.7, 32: 297.2, 64: 317.8}

_STYLE = {"processes": ("o", "#4477aa"), "threads": ("s", "#ee6677"), "both": ("^", "#228833")}
_LABEL = {"processes": "processes", "threads": "threads", "both": "processes with threads"}


def kind(layout: Layout) -> str:
    """Return what a layout uses more of: "processes", "threads" or "both"."""
    if layout.threads == 1:
        return "processes"
    return "threads" if layout.processes == 1 else "both"


def write_figure(found: Scaling, path: Path) -> None:
    """Write the figure (medians, and the range over the rounds); the file's ending says the format."""
    figure, (times, beyond) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    first = found.layouts[0]
    most = max(row.layout.cores for row in found.layouts)
    ideal = [first.layout.cores, most]
    times.plot(ideal, [1000 * first.kernel_s * ideal[0] / n for n in ideal], ":", color="0.6", label="ideal")
    for name, (marker, colour) in _STYLE.items():
        rows = _line(found.layouts, name)
        if any(kind(row.layout) == name and row.layout != first.layout for row in rows):
            _draw(times, rows, _loop_ms, marker, "-", colour, f"loop, {_LABEL[name]}")
            _draw(times, rows, _kernel_ms, marker, "--", colour, f"kernel, {_LABEL[name]}")
            _draw(beyond, rows, _beyond_ms, marker, "-", colour, _LABEL[name])
    if most == first.layout.cores:
        _draw(times, [first], _loop_ms, "o", "-", "0.2", "loop")
        _draw(times, [first], _kernel_ms, "o", "--", "0.2", "kernel")
        _draw(beyond, [first], _beyond_ms, "o", "-", "0.2", "loop")
    times.set(xlabel="cores", ylabel=f"a step of {found.step_ms:g} ms takes (ms)", yscale="log")
    published = "one device at a time over HTTP, on\nanother machine (Feldotto et al. 2022)"
    beyond.plot(list(_PUBLISHED), list(_PUBLISHED.values()), ".-", color="0.75", label=published)
    beyond.set(xlabel="cores (published: NEST processes)", ylabel="a step beyond its kernel (ms)", yscale="log")
    _count(times, [row.layout.cores for row in found.layouts])
    _count(beyond, list(_PUBLISHED))
    for axes in (times, beyond):
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.legend(fontsize="small", frameon=False)
    beyond.set_ylim(min(1.0, *(row.beyond_kernel_ms / 1.5 for row in found.layouts)), 1000)
    if most > first.layout.cores:
        _label_few(times, found)
    figure.suptitle(
        f"{found.network}: {found.neurons:,} neurons, {found.synapses / 1e6:.1f} million synapses, {found.cores} cores",
        fontsize="medium",
    )
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _line(layouts: Sequence[LayoutResult], name: str) -> list[LayoutResult]:
    """Return the layouts of a kind by cores, beginning with the first of all."""
    rest = [row for row in layouts[1:] if kind(row.layout) == name]
    return sorted([layouts[0], *rest], key=lambda row: row.layout.cores)


def _draw(
    axes: Axes,
    rows: Sequence[LayoutResult],
    value: Callable[[LayoutResult], tuple[float, float, float]],
    marker: str,
    line: str,
    colour: str,
    label: str,
) -> None:
    middle, least, most = zip(*(value(row) for row in rows), strict=True)
    spread = [[a - b for a, b in zip(middle, least, strict=True)], [b - a for a, b in zip(middle, most, strict=True)]]
    places = [row.layout.cores for row in rows]
    axes.errorbar(places, middle, yerr=spread, marker=marker, ls=line, color=colour, label=label, ms=4, lw=1.2)


def _loop_ms(row: LayoutResult) -> tuple[float, float, float]:
    return 1000 * row.loop_s, 1000 * row.loop_s_least, 1000 * row.loop_s_most


def _kernel_ms(row: LayoutResult) -> tuple[float, float, float]:
    return 1000 * row.kernel_s, 1000 * row.kernel_s_least, 1000 * row.kernel_s_most


def _beyond_ms(row: LayoutResult) -> tuple[float, float, float]:
    return row.beyond_kernel_ms, row.beyond_kernel_ms, row.beyond_kernel_ms


def _count(axes: Axes, numbers: Sequence[int]) -> None:
    """Give the axis of cores one tick a number."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(sorted(set(numbers))))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set_xlim(min(numbers) / 1.15, max(numbers) * 1.15)


def _label_few(axes: Axes, found: Scaling) -> None:
    """Write round numbers along the axis of times, which may span less than a decade."""
    values = [1000 * time for row in found.layouts for time in (row.kernel_s_least, row.loop_s_most)]
    rounds = [base * 10**power for power in range(-1, 6) for base in (1, 1.5, 2, 3, 4, 5, 7)]
    low, high = min(values) / 1.3, max(values) * 1.3
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator([number for number in rounds if low <= number <= high]))
    axes.yaxis.set_minor_locator(NullLocator())
