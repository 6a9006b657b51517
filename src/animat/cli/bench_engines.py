"""`animat bench engines`: one network in NEST and in compact, side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich import box
from rich.table import Table
from rich.text import Text

from animat.bench.engines import EngineResult, Engines, Spread, measure_engines
from animat.bench.engines.limits import Limits
from animat.cli.bench_layouts import check_figure, described_network
from animat.cli.terminal import ProgressLine, console
from animat.library import library_names

__all__ = ["engines"]


def engines(
    network: Annotated[
        str, typer.Argument(help="A shipped name or a file.", autocompletion=lambda: library_names("networks"))
    ] = "rodent-brain",
    mode: Annotated[str | None, typer.Option(help="Short for --set mode=MODE.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a parameter of the network.")
    ] = None,
    threads: Annotated[int, typer.Option(help="Cores that each engine uses, one at a time.", min=1)] = 2,
    steps: Annotated[int, typer.Option(help="Steps of 20 ms in a turn.", min=1)] = 10,
    rounds: Annotated[int, typer.Option(help="How often each engine has its turn.", min=1)] = 10,
    builds: Annotated[int, typer.Option(help="How often each builds it, in turns.", min=1)] = 3,
    seed: Annotated[int, typer.Option(help="Seed of wiring, start values and drive.", min=1)] = 1,
    only: Annotated[str | None, typer.Option(metavar="ENGINE", help="Measure one engine alone: nest, compact.")] = None,
    precision: Annotated[str, typer.Option(help="double: also compact in double precision.")] = "single",
    figure: Annotated[Path | None, typer.Option(metavar="FILE", help="Also draw it (.png, .svg, .pdf).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the brain engines on one network: building, memory, speed, rates, and what limits compact.

    Without a network: M1 of the rodent brain, a patch of 0.4 mm. Where NEST does not fit, compact runs alone.

    Example: animat bench engines balanced-network --set scale=0.1 --precision double
    """
    described = described_network(network, mode, settings, "0.4 mm")
    if figure is not None:
        check_figure(figure)
    with ProgressLine() as progress:
        found = measure_engines(
            described,
            progress,
            threads=threads,
            steps=steps,
            rounds=rounds,
            builds=builds,
            seed=seed,
            only=only,
            precision=precision,
        )
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        _show(found)
    if figure is not None:
        from animat.bench.engines.figure import write_figure

        write_figure(found, figure)


def _show(found: Engines) -> None:
    console.print(Text.assemble((found.network, "bold"), f": {found.neurons:,} neurons, {found.synapses:,} synapses"))
    console.print(
        f"{found.threads} thread(s), each engine in a process of its own and one at a time; medians of {found.builds} "
        f"build(s) and {found.rounds} round(s) of {found.steps} steps of {found.step_ms:g} ms, and quartiles"
    )
    for name, reason in found.left_out.items():
        console.print(Text.assemble((f"{name} is left out", "bold"), f": {reason}"))
    console.print()
    console.print(_costs(found))
    for ratio in found.ratios:
        console.print(Text.assemble("\nnest takes, in times of ", (ratio.than, "bold"), ":"))
        table = _table("", "median", "quartiles")
        for what, spread in (
            ("building", ratio.build),
            ("building and first step", ratio.ready),
            ("a step", ratio.step),
            ("memory", ratio.memory),
            ("memory beyond an empty worker", ratio.beyond_empty),
        ):
            table.add_row(what, _short(spread.median), _quartiles(spread))
        console.print(table)
    console.print()
    console.print(_rates(found))
    for limits in found.limits:
        _show_limits(limits, found)


def _costs(found: Engines) -> Table:
    table = _table("", *(one.name for one in found.results))
    spreads: tuple[tuple[str, Callable[[EngineResult], Spread], float], ...] = (
        ("build, s", lambda one: one.build_s, 1),
        ("first step, s", lambda one: one.first_step_s, 1),
        ("a step's kernel, ms", lambda one: one.step_s, 1000),
    )
    for what, spread, scale in spreads:
        values = [spread(one) for one in found.results]
        table.add_row(what, *(_short(scale * value.median) for value in values))
        if any(value.low < value.high for value in values):
            table.add_row("", *(_quartiles(value, scale) for value in values), style="dim")
    numbers: tuple[tuple[str, Callable[[EngineResult], str]], ...] = (
        ("real-time factor", lambda one: _short(one.real_time_factor)),
        ("ns per neuron and 0.1 ms", lambda one: _short(one.neuron_step_ns)),
        ("largest memory, MB", lambda one: f"{one.memory_mb.median:,.0f}"),
        ("beyond an empty worker, MB", lambda one: f"{one.beyond_empty_mb:,.1f}"),
        ("that per synapse, bytes", lambda one: f"{one.synapse_bytes:,.1f}"),
        ("memory after all rounds, MB", lambda one: f"{one.peak_mb:,.0f}"),
        ("mean rate, Hz", lambda one: f"{one.mean_rate_hz:.2f}"),
    )
    for what, value in numbers:
        table.add_row(what, *map(value, found.results))
    return table


def _rates(found: Engines) -> Table:
    table = _table("population", "neurons", *(f"{one.name} Hz" for one in found.results))
    for place, population in enumerate(found.populations):
        rates = (f"{one.rates_hz[place]:.2f}" for one in found.results)
        table.add_row(population.name, f"{population.size:,}", *rates)
    return table


def _show_limits(limits: Limits, found: Engines) -> None:
    counted, must, machine = limits.counted, limits.needed, limits.machine
    console.print(Text.assemble("\nwhat limits ", (limits.name, "bold"), f", per step of {found.step_ms:g} ms:"))
    table = _table("", "number", "at least", "rate measured here", "floor ms")
    table.add_row(
        "updates of neurons",
        f"{counted.updates:,.0f}",
        f"{must.neuron_bytes / 1e6:,.2f} MB",
        f"{machine.neuron_bytes_per_s / 1e9:,.1f} GB/s",
        f"{1000 * limits.neurons_s:.3f}",
    )
    table.add_row(
        "spikes at synapses",
        f"{counted.deliveries:,.0f}",
        f"{must.synapse_bytes / 1e6:,.2f} MB",
        f"{machine.all_bytes_per_s / 1e9:,.1f} GB/s",
        f"{1000 * limits.synapses_s:.3f}",
    )
    table.add_row("  and from drives", f"{counted.drive_spikes:,.0f}", "", "", "")
    table.add_row(
        "operations",
        f"{must.operations:,.0f}",
        "",
        f"{machine.operations_per_s / 1e9:,.0f} G/s",
        f"{1000 * limits.computing_s:.3f}",
    )
    console.print(table)
    moving = limits.neurons_s + limits.synapses_s
    bound = "moving" if moving >= limits.computing_s else "computing"
    console.print(
        f"floor: {1000 * limits.floor_s:.3f} ms ({bound}); the kernel takes {1000 * limits.kernel_s:.3f} ms, "
        f"{_short(limits.gap)} times as long. {limits.resting:.0%} of all updates were saved by neurons at rest"
    )


def _table(first: str, *columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _quartiles(value: Spread, scale: float = 1.0) -> str:
    return f"{_short(scale * value.low)} to {_short(scale * value.high)}"


def _short(value: float) -> str:
    """Return a number with about three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
