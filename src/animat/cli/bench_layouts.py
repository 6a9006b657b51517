"""`animat bench exchange`, `kernel`, `scaling`: what the loop costs on one or many processes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.table import Table
from rich.text import Text

from animat.bench.exchange import Exchange, measure
from animat.bench.exchange.http import HttpExchange
from animat.bench.exchange.loop import Loop
from animat.bench.kernel import KernelComparison, measure_kernel
from animat.bench.layout import Layout, cores, default_layouts, find_engine, parse_layouts
from animat.bench.scaling import Scaling, measure_scaling
from animat.brain.network import Network
from animat.cli.network import network_parameters, network_source
from animat.cli.terminal import ProgressLine, console
from animat.errors import AnimatError
from animat.library import library_names, load_network

__all__ = ["check_figure", "described_network", "exchange", "kernel", "scaling"]

#: What is measured when no network is named: a patch of M1 whose 20 ms take 0.1 to 0.3 s on one core.
_DEFAULT = {"regions": "M1"}

_Network = Annotated[
    str, typer.Argument(help="A shipped name or a file.", autocompletion=lambda: library_names("networks"))
]
_Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a parameter of the network.")
]
_Processes = Annotated[int, typer.Option(help="MPI processes of the brain.", min=1)]
_Threads = Annotated[int, typer.Option(help="Cores that each process uses.", min=1)]
_Virtual = Annotated[
    int | None, typer.Option("--virtual-processes", help="Of all layouts, so that all have the same spikes.", min=1)
]
_Seed = Annotated[int, typer.Option(help="Seed of wiring, start values and drive.", min=1)]
_Launch = Annotated[
    str | None,
    typer.Option(
        metavar="COMMAND", help='What starts the processes, such as "srun -n {processes}"; mpirun if not said.'
    ),
]
_Python = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The interpreter with NEST; the installed one with MPI if not said.")
]
_Address = Annotated[
    str | None, typer.Option(help="Where processes on other machines reach this one, such as 10.1.2.3.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def exchange(
    steps: Annotated[int, typer.Option(help="Exchange steps of 20 ms.")] = 500,
    processes: _Processes = 1,
    threads: _Threads = 1,
    launch: _Launch = None,
    python: _Python = None,
    http: Annotated[
        bool, typer.Option("--http", help="Also drive the devices over HTTP, one at a time, and compare.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Measure what one exchange costs beyond the longer of brain kernel and body.

    Example: animat bench exchange --processes 2
    """
    if http and (launch or python):
        raise AnimatError(
            "--http starts its server here, with the NEST that is installed: leave out --launch and --python"
        )
    layout = Layout(processes, threads)
    loop = Loop(steps=steps, layout=layout, engine=find_engine([layout], python, launch))
    with ProgressLine() as progress:
        found = measure(loop, progress, http=http)
    if as_json:
        _print_json(found)
    else:
        _show_exchange(found)


def _show_exchange(found: Exchange) -> None:
    overhead, beyond = found.overhead_ms, found.beyond_kernel_ms
    where = "" if found.layout == Layout(1, 1) else f" ({found.layout}: processes x threads)"
    shares = ""
    if found.layout.cores >= cores():
        shares = (
            f". The brain takes all {cores()} cores, so the body shares one of them: "
            f"its {found.split_ms['body']:.2f} ms are part of that"
        )
    console.print(
        f"a step costs {overhead.median:.2f} ms (median; 95 %: {overhead.p95:.2f} ms) beyond the longer of brain "
        f"kernel and body, with {found.sinks} sinks and {found.sources} sources written every step{where}; "
        f"{beyond.median:.2f} ms (95 %: {beyond.p95:.2f} ms) beyond the kernel alone; "
        f"an empty round trip costs {found.round_trip_ms:.2f} ms{shares}"
    )
    table = Table(title="where a step's time goes", title_justify="left")
    table.add_column("part")
    table.add_column("median ms", justify="right")
    for part, value in found.split_ms.items():
        table.add_row(part, f"{value:.3f}")
    console.print(table)
    if found.http is not None:
        _show_http(found, found.http)


def _show_http(found: Exchange, http: HttpExchange) -> None:
    devices = found.sinks + found.sources
    ours, theirs = found.beyond_kernel_ms, http.beyond_kernel_ms
    title = f"{found.sinks} sinks and {found.sources} sources: a step beyond the kernel"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in ("requests", "median ms", "95 % ms", "ms a device"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, requests, cost in (
        ("one exchange a step", 1, ours),
        ("HTTP, one request a device", http.requests_per_step, theirs),
    ):
        per_device = f"{cost.median / devices:.3f}"
        table.add_row(name, str(requests), f"{cost.median:.2f}", f"{cost.p95:.2f}", per_device)
    console.print(table)
    console.print(
        f"over HTTP a step costs {theirs.median / ours.median:.1f} times as much: {http.read_ms:.2f} ms a read-out, "
        f"{http.write_ms:.2f} ms a write, {http.simulate_ms:.2f} ms for Simulate beyond its kernel. The exchange's "
        "step holds a body, a transfer function and the recording of all spikes and signals; the one over HTTP only "
        "the requests, to `animat brain serve` over one open connection"
    )


def kernel(
    network: _Network = "rodent-brain",
    mode: Annotated[str | None, typer.Option(help="Short for --set mode=MODE.")] = None,
    settings: _Settings = None,
    processes: _Processes = 1,
    threads: _Threads = 1,
    virtual_processes: _Virtual = None,
    steps: Annotated[int, typer.Option(help="Steps of 20 ms in a round.", min=1)] = 2,
    rounds: Annotated[int, typer.Option(help="How often both simulate, in turns.", min=1)] = 100,
    seed: _Seed = 1,
    launch: _Launch = None,
    python: _Python = None,
    address: _Address = None,
    as_json: _Json = False,
) -> None:
    """Compare the brain kernel in the loop's steps with a bare PyNEST script that simulates the same in one call.

    Without a network: M1 of the rodent brain, a patch of 0.4 mm.

    Example: animat bench kernel --processes 2
    """
    layout = Layout(processes, threads)
    described = described_network(network, mode, settings, "0.4 mm")
    with ProgressLine() as progress:
        found = measure_kernel(
            described,
            layout,
            find_engine([layout], python, launch, address),
            progress,
            steps=steps,
            rounds=rounds,
            seed=seed,
            virtual_processes=virtual_processes,
        )
    if as_json:
        _print_json(found)
    else:
        _show_kernel(found)


def _show_kernel(found: KernelComparison) -> None:
    console.print(
        Text.assemble(
            (found.network, "bold"),
            f": {found.neurons:,} neurons, {found.synapses:,} synapses, {found.layout} (processes x threads), "
            f"{found.virtual_processes} virtual processes",
        )
    )
    low, high = found.ratio_quartiles
    console.print(
        f"the kernel in the loop's steps takes {found.ratio:.3f} times as long as in one call of a bare script (median "
        f"of {len(found.rounds)} rounds of {found.steps} steps; quartiles {low:.3f} and {high:.3f}); "
        f"a step takes {found.step_ms:.0f} ms, the script's {found.bare_step_ms:.0f} ms"
    )
    ours, bare = (sum(getattr(one, name) for one in found.rounds) for name in ("spikes", "bare_spikes"))
    if found.same_spikes:
        console.print(f"both had the same {ours:,} spikes")
    elif found.steps_cut_delays:
        console.print(
            f"{ours:,} spikes, and {bare:,} in the script: where a step is no multiple of the smallest delay "
            f"({found.min_delay_ms:g} ms), NEST draws its drives' numbers in another order in steps than in one call"
        )
    else:
        console.print(f"{ours:,} spikes, and {bare:,} in the script: they did not simulate the same", style="bold red")


def scaling(
    network: _Network = "rodent-brain",
    mode: Annotated[str | None, typer.Option(help="Short for --set mode=MODE.")] = None,
    settings: _Settings = None,
    layouts: Annotated[
        str | None,
        typer.Option(metavar="PxT,...", help="Processes x threads; the first is what the others are held against."),
    ] = None,
    virtual_processes: _Virtual = None,
    steps: Annotated[int, typer.Option(help="Steps of 20 ms in a run, of which the first is measured apart.")] = 25,
    rounds: Annotated[int, typer.Option(help="How often every layout runs, in turns.", min=1)] = 3,
    seed: _Seed = 1,
    launch: _Launch = None,
    python: _Python = None,
    address: _Address = None,
    figure: Annotated[Path | None, typer.Option(metavar="FILE", help="Also draw it (.png, .svg, .pdf).")] = None,
    as_json: _Json = False,
) -> None:
    """Measure how brain kernel and loop get faster with more processes and threads.

    Without a network: M1 of the rodent brain, a patch of 0.2 mm. Without layouts: 1x1 and what this machine has.

    Example: animat bench scaling --layouts 1x1,1x2,2x1 --figure scaling.png
    """
    wanted = default_layouts(cores()) if layouts is None else parse_layouts(layouts)
    described = described_network(network, mode, settings, "0.2 mm")
    if figure is not None:
        check_figure(figure)
    with ProgressLine() as progress:
        found = measure_scaling(
            described,
            wanted,
            find_engine(wanted, python, launch, address),
            progress,
            steps=steps,
            rounds=rounds,
            seed=seed,
            virtual_processes=virtual_processes,
        )
    if as_json:
        _print_json(found)
    else:
        _show_scaling(found)
    if figure is not None:
        from animat.bench.scaling.figure import write_figure

        write_figure(found, figure)


def check_figure(figure: Path) -> None:
    """Refuse, before anything is measured, a figure that cannot be written."""
    if figure.suffix not in (".png", ".svg", ".pdf"):
        raise AnimatError(f"--figure takes a .png, .svg or .pdf file; {figure.name!r} is none", file=figure)
    if not figure.absolute().parent.is_dir():
        raise AnimatError("there is no such folder for the figure", file=figure)


def _show_scaling(found: Scaling) -> None:
    console.print(
        Text.assemble(
            (found.network, "bold"), f": {found.neurons:,} neurons, {found.synapses:,} synapses, {found.engine}"
        )
    )
    console.print(
        f"{found.cores} cores, {found.virtual_processes} virtual processes in every layout, medians of "
        f"{found.rounds} round(s) of {found.steps} steps of {found.step_ms:g} ms\n"
    )
    costs = _layout_table("build s", "memory MB", "first step s", "kernel ms", "loop ms", "beyond ms")
    gains = _layout_table("kernel RTF", "loop RTF", "kernel faster", "loop faster", "kernel eff.", "loop eff.")
    for row in found.layouts:
        costs.add_row(
            str(row.layout),
            f"{row.build_s:.1f}",
            f"{row.memory_mb:,.0f}",
            f"{row.first_step_s:.2f}",
            f"{1000 * row.kernel_s:,.1f}",
            f"{1000 * row.loop_s:,.1f}",
            f"{row.beyond_kernel_ms:.2f}",
        )
        gains.add_row(
            str(row.layout),
            f"{row.kernel_real_time_factor:.3g}",
            f"{row.loop_real_time_factor:.3g}",
            f"{row.kernel_speed_up:.2f}",
            f"{row.loop_speed_up:.2f}",
            f"{row.kernel_efficiency:.0%}",
            f"{row.loop_efficiency:.0%}",
        )
    console.print(costs)
    console.print()
    console.print(gains)
    console.print(
        "\nlayout: processes x threads; kernel, loop: one step; beyond: a step without its kernel; RTF: simulated over "
        f"real time; faster: times as fast as {found.layouts[0].layout}; eff.: that over the times more cores"
    )
    if not found.same_spikes:
        console.print(
            "The layouts did not have the same spikes: they did not simulate the same, and their times cannot be "
            "compared.",
            style="bold red",
        )


def _layout_table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("layout", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def described_network(network: str, mode: str | None, settings: list[str] | None, size: str) -> Network:
    """Return the network that is asked for; of the rodent brain a patch of M1 of `size`, unless settings say others."""
    parameters = network_parameters(mode, settings or ())
    if network == "rodent-brain":
        parameters = {**_DEFAULT, "size": size, **parameters}
    return load_network({**network_source(network), **parameters})


def _print_json(found: Any) -> None:
    print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
