"""NEST and compact side by side as a figure: building, memory, a step's time, and rates."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from animat.bench.engines import EngineResult, Engines, Spread

__all__ = ["write_figure"]

_COLOURS = {"nest": "#4477aa", "compact": "#ee6677", "compact double": "#ccbb44"}


def write_figure(found: Engines, path: Path) -> None:
    """Write the figure (medians, and quartiles where there are several); the file's ending says the format."""
    figure, (build, memory, step, rates) = plt.subplots(1, 4, figsize=(12, 3.6), layout="constrained")
    _bars(build, "until it runs (s)", [(one, _ready(one)) for one in found.results], 1.0)
    _bars(memory, "largest memory (MB)", [(one, one.memory_mb) for one in found.results], 1.0)
    _bars(step, f"a step of {found.step_ms:g} ms (ms)", [(one, one.step_s) for one in found.results], 1000.0)
    step.axhline(found.step_ms, ls=":", color="0.4", label="real time")
    places = {one.name: place for place, one in enumerate(found.results)}
    for number, limits in enumerate(found.limits):
        place = places[limits.name]
        label = None if number else "floor"
        step.hlines(1000 * limits.floor_s, place - 0.4, place + 0.4, color="0.1", lw=1.5, label=label)
    floors = [1000 * limits.floor_s for limits in found.limits]
    step.set_ylim(min([step.get_ylim()[0], *(one / 2 for one in floors)]), max(step.get_ylim()[1], 2 * found.step_ms))
    step.legend(fontsize="small", frameon=False)
    _rates(rates, found)
    figure.suptitle(
        f"{found.network}: {found.neurons:,} neurons, {found.synapses / 1e6:.3g} million synapses, "
        f"{found.threads} thread(s)",
        fontsize="medium",
    )
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _ready(one: EngineResult) -> Spread:
    build, first = one.build_s, one.first_step_s
    return Spread(build.median + first.median, build.low + first.low, build.high + first.high)


def _bars(axes: Axes, label: str, values: list[tuple[EngineResult, Spread]], scale: float) -> None:
    names = [one.name.replace(" ", "\n") for one, _ in values]
    middle = [scale * value.median for _, value in values]
    spread = [
        [scale * (value.median - value.low) for _, value in values],
        [scale * (value.high - value.median) for _, value in values],
    ]
    bars = axes.bar(names, middle, yerr=spread, color=[_COLOURS[one.name] for one, _ in values], capsize=3)
    axes.bar_label(bars, [f"{value:.3g}" if value < 100 else f"{value:,.0f}" for value in middle], label_type="center")
    axes.set(yscale="log", ylim=(min(middle) / 4, max(middle) * 3))
    axes.set_title(label, fontsize="medium")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _rates(axes: Axes, found: Engines) -> None:
    """Draw each population's rate in compact over that in NEST, or the rates alone where there is one engine."""
    first, *rest = found.results
    if not rest:
        axes.bar(range(len(first.rates_hz)), first.rates_hz, color=_COLOURS[first.name])
        axes.set(xlabel="population")
        axes.set_title("rate (Hz)", fontsize="medium")
        return
    most = max([1.0, *(rate for one in found.results for rate in one.rates_hz)]) * 1.05
    axes.plot([0, most], [0, most], ":", color="0.6")
    for one in rest:
        axes.plot(first.rates_hz, one.rates_hz, "o", ms=4, color=_COLOURS[one.name], label=one.name)
    axes.set(xlim=(0, most), ylim=(0, most), xlabel=first.name, aspect="equal")
    axes.set_title("rates of populations (Hz)", fontsize="medium")
    axes.legend(fontsize="small", frameon=False)
