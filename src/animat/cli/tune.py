"""`animat tune`: turn a network's background drive, currents and gains until it fires as wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich import box
from rich.table import Table
from rich.text import Text

from animat.brain.adjustments import read_adjustments
from animat.cli.network import console, network_parameters, network_source
from animat.cli.terminal import ProgressLine
from animat.errors import AnimatError
from animat.library import library_names, library_path, load_network
from animat.tuning import Tuning, read_targets, tune, write_tuning
from animat.units import quantity

__all__ = ["tune_network"]

#: The table of targets of a network that ships, in its folder.
TARGETS = "resting_rates.csv"


def tune_network(
    network: Annotated[
        str, typer.Argument(help="A shipped name or a file.", autocompletion=lambda: library_names("networks"))
    ],
    targets: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rates wanted; without: those that ship with the network.")
    ] = None,
    output: Annotated[Path, typer.Option(metavar="FILE", help="The table of adjustments to write.")] = Path(
        "adjustments.csv"
    ),
    mode: Annotated[str | None, typer.Option(help="Short for --set mode=MODE.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a parameter of the network.")
    ] = None,
    engine: Annotated[str, typer.Option(help="What runs it: compact or nest.")] = "compact",
    seed: Annotated[int, typer.Option(help="Seed of wiring, start values and drive; the next one checks.", min=1)] = 1,
    threads: Annotated[int, typer.Option(help="Cores that the engine uses.", min=1)] = 2,
    rounds: Annotated[int, typer.Option(help="Runs of the whole network at most.", min=1)] = 6,
    after: Annotated[str, typer.Option(help="When counting begins.")] = "500 ms",
    duration: Annotated[str, typer.Option(help="How long each run is.")] = "2 s",
    within: Annotated[float, typer.Option(help="Stop when no rate is further from its target than so many times.")] = (
        1.25
    ),
    start: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Begin with these adjustments, as a former tuning wrote them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Turn drives, currents and gains until populations fire as fast as a table wants; write what was changed.

    First every population alone, with the input that the others would send it; then all together. The written table
    is used with `network: {..., adjustments: FILE}` in an experiment or `--set adjustments=FILE`.

    Example: animat tune my/network.yaml --targets rates.csv --output adjustments.csv
    """
    source, parameters = network_source(network), network_parameters(mode, settings or ())
    if "adjustments" in parameters:
        raise AnimatError(
            "begin with a table of adjustments by --start FILE; what is written then holds these and the new ones"
        )
    described = load_network({**source, **parameters})
    if targets is not None:
        wanted = read_targets(targets)
    elif "library" in source and (shipped := library_path("networks", network) / TARGETS).is_file():
        built = {population.name for population in described.populations}
        wanted = [target for target in read_targets(shipped) if target.population in built]
    else:
        raise AnimatError(
            "say which rates are wanted: --targets FILE, a CSV file with the columns population and rate_hz"
        )
    if not output.parent.is_dir() or output.is_dir():
        missing = f"the folder {output.parent} does not exist" if not output.is_dir() else f"{output} is a folder"
        raise AnimatError(f"--output: {missing}; name a file such as adjustments.csv")
    with ProgressLine() as progress:
        found = tune(
            described,
            wanted,
            progress,
            engine=engine,
            seed=seed,
            threads=threads,
            rounds=rounds,
            after_ms=quantity(after, "ms"),
            until_ms=quantity(duration, "ms"),
            within=within,
            start=read_adjustments(start) if start is not None else (),
        )
    write_tuning(found, output, described)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        _show(found, output)


def _show(found: Tuning, output: Path) -> None:
    rounds = f"{found.rounds} round{'' if found.rounds == 1 else 's'}"
    seeds = f"tuned with seed {found.seed} in {rounds}, rates with seed {found.rates_seed}"
    console.print(Text.assemble((found.network, "bold"), f", {found.engine}, {seeds}\n"), soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    regions = any(row.region for row in found.rows)
    for column in ("region", "population", "knob") if regions else ("population", "knob"):
        table.add_column(column, overflow="fold", min_width=8)
    for column in ("old", "new", "Hz before", "Hz after", "wanted", "range"):
        table.add_column(column, justify="right", no_wrap=True)
    region = ""
    missed = {row.population for row in found.missed}
    for row in found.rows:
        first = () if not regions else ("" if row.region == region else row.region,)
        region = row.region
        value = [
            "-" if number is None else f"{number:,.4g}{' ' + row.unit if row.unit else ''}"
            for number in (row.old, row.new)
        ]
        after = f"{row.after_hz:.2f}" + ("*" if row.population in missed else "")
        reach = f"{row.low_hz:g} to {row.high_hz:g}" if row.high_hz > row.low_hz else ""
        texts = (*first, row.population, row.knob, *value, f"{row.before_hz:.2f}", after, f"{row.target_hz:g}", reach)
        table.add_row(*texts)
    console.print(table)
    console.print()
    if missed:
        console.print(f"* further than {found.within:g} times from what is wanted: {len(missed)} of {len(found.rows)}")
    console.print(f"written: {output}", soft_wrap=True)
