"""`animat bench`: measure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from animat.bench.build import WAYS, BuildComparison, measure_build
from animat.bench.rates import Rates, measure_rates, references
from animat.cli.bench_engines import engines
from animat.cli.bench_layouts import exchange, kernel, scaling
from animat.cli.network import network_parameters, network_source
from animat.cli.terminal import ProgressLine, console
from animat.library import library_names, load_network
from animat.units import quantity

__all__ = ["app"]

app = typer.Typer(help="Measure.\n\nExample: animat bench exchange", no_args_is_help=True)

_Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a parameter of the network.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


for command in (exchange, kernel, scaling, engines):
    app.command()(command)


@app.command()
def rates(
    network: Annotated[
        str, typer.Argument(help="A shipped name or a file.", autocompletion=lambda: library_names("networks"))
    ],
    mode: Annotated[str | None, typer.Option(help="Short for --set mode=MODE.")] = None,
    settings: _Settings = None,
    duration: Annotated[str, typer.Option(help="How long it runs.")] = "1 s",
    after: Annotated[str, typer.Option(help="When counting begins.")] = "0 ms",
    seed: Annotated[int, typer.Option(help="Seed of wiring, start values and drive.", min=1)] = 1,
    threads: Annotated[int, typer.Option(help="Cores that the engine uses.", min=1)] = 2,
    engine: Annotated[str, typer.Option(help="What runs it: nest or compact.")] = "nest",
    as_json: _Json = False,
) -> None:
    """Let a network run alone and print how fast its populations fire, beside references, and why some are silent.

    Example: animat bench rates rodent-brain --mode as-published --set regions=BG
    """
    parameters = network_parameters(mode, settings or ())
    source = network_source(network)
    with ProgressLine() as progress:
        found = measure_rates(
            load_network({**source, **parameters}),
            progress,
            until_ms=quantity(duration, "ms"),
            after_ms=quantity(after, "ms"),
            seed=seed,
            threads=threads,
            engine=engine,
            held_against=references(network, parameters) if "library" in source else {},
        )
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        _show_rates(found)


def _show_rates(found: Rates) -> None:
    console.print(
        Text.assemble(
            (found.network, "bold"),
            f", {found.engine}, seed {found.seed}, {found.after_ms:g} to {found.until_ms:g} ms",
        )
    )
    console.print(
        f"{found.synapses:,} connections built in {found.build_s:.1f} s, {found.until_ms / 1000:g} s simulated in "
        f"{found.kernel_s:.1f} s, {found.memory_mb:,.0f} MB at most\n"
    )
    table = Table()
    for column in ("region", "population"):
        table.add_column(column, no_wrap=True)
    for column in ("neurons", "rate Hz", "reference Hz"):
        table.add_column(column, justify="right", no_wrap=True)
    region = ""
    for row in found.rows:
        known = row.reference
        reference = "" if known is None else f"{known.low_hz:g}"
        if known is not None and known.high_hz != known.low_hz:
            reference += f" to {known.high_hz:g}"
        first, region = "" if row.region == region else row.region, row.region
        table.add_row(first, row.population, f"{row.size:,}", f"{row.rate_hz:.2f}", reference)
    console.print(table)
    for row in found.rows:
        if row.silent:
            console.print(f"silent: {row.population}: {row.silent}")
    for text in dict.fromkeys(row.reference.source for row in found.rows if row.reference is not None):
        console.print(f"reference: {text}")


@app.command()
def build(
    network: Annotated[
        str, typer.Argument(help="A shipped name or a file.", autocompletion=lambda: library_names("networks"))
    ] = "rodent-brain",
    mode: Annotated[str | None, typer.Option(help="Short for --set mode=MODE.")] = None,
    settings: _Settings = None,
    rounds: Annotated[int, typer.Option(help="How often each builds it, in turns.", min=1)] = 1,
    threads: Annotated[int, typer.Option(help="Cores that NEST uses.", min=1)] = 2,
    figure: Annotated[Path | None, typer.Option(metavar="FILE", help="Also draw it (.png, .svg, .pdf).")] = None,
    as_json: _Json = False,
) -> None:
    """Build a network with animat and with plain PyNEST calls, and compare time and memory.

    Without a network: all regions of the rodent brain, a patch of 0.3 mm (29 million synapses; plain calls take 7 GB).

    Example: animat bench build rodent-brain --set regions=M1 --set size="0.5 mm"
    """
    parameters = network_parameters(mode, settings or ())
    if network == "rodent-brain":
        parameters = {"size": "0.3 mm", **parameters}
    described = load_network({**network_source(network), **parameters})
    with ProgressLine() as progress:
        found = measure_build(described, progress, rounds=rounds, threads=threads)
    if figure is not None:
        from animat.bench.build.figure import write_figure

        write_figure(found, figure)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        _show_build(found)


def _show_build(found: BuildComparison) -> None:
    console.print(
        Text.assemble((found.network, "bold"), f", {found.threads} threads, each build in a process of its own")
    )
    console.print(
        f"expected: {found.neurons:,} neurons, {found.synapses:,.0f} synapses (sd {found.synapses_sd:,.0f}); "
        "both with drive and a recorder of all spikes\n"
    )
    table = Table()
    table.add_column("median" if len(found.runs) > len(WAYS) else "")
    for column in (*WAYS, "pynest / animat"):
        table.add_column(column, justify="right", no_wrap=True)
    for field, what, digits in (
        ("create_s", "populations, s", 1),
        ("connect_s", "projections, s", 1),
        ("total_s", "build, s", 1),
        ("cpu_s", "build, s of processor time", 1),
        ("start_s", "first 20 ms, s", 1),
        ("peak_mb", "largest memory, MB", 0),
        ("synapse_bytes", "bytes per synapse", 1),
        ("synapses", "synapses", 0),
    ):
        ours, plain = (found.of(way, field) for way in WAYS)
        table.add_row(what, f"{ours:,.{digits}f}", f"{plain:,.{digits}f}", f"{plain / ours:.2f}")
    console.print(table)
