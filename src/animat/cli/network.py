"""`animat network`: what a network holds, without building it, and its export to SONATA."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import msgspec
import psutil
import typer
from rich import box
from rich.table import Table
from rich.text import Text

from animat.brain.network import Network
from animat.brain.remote import BrainLink
from animat.brain.summary import NetworkSummary, describe_network
from animat.cli.terminal import ProgressLine, plain_console
from animat.cli.terminal import console as terminal
from animat.errors import AnimatError, unknown_name
from animat.library import is_network, library_names, load_network, network_builder, network_error, network_file
from animat.missing import beside
from animat.yaml_lines import parse_yaml

__all__ = ["network", "network_parameters", "network_source"]

#: Lines are wrapped for a terminal only; a pipe gets every row of a table as one line.
console = terminal if terminal.is_terminal else plain_console(width=1000)


def network(
    network: Annotated[
        str | None,
        typer.Argument(
            help="A shipped name, a network.yaml, network.py, circuit_config.json or their folder; without: all names.",
            autocompletion=lambda: library_names("networks"),
        ),
    ] = None,
    mode: Annotated[str | None, typer.Option(help="Short for --set mode=MODE.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a parameter of the network.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, numbers as numbers.")] = False,
    projections: Annotated[bool, typer.Option("--projections", help="Also show every projection.")] = False,
    sonata: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Draw the synapses and write the network as SONATA files.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of what --sonata draws.", min=1)] = 1,
    processes: Annotated[
        int, typer.Option("--virtual-processes", help="NEST's threads in all, for the memory.", min=1)
    ] = 2,
    check: Annotated[bool, typer.Option("--check", help="Also ask NEST whether it has all models and names.")] = False,
) -> None:
    """Print what a network holds without building it: neurons, synapses, in-degrees, memory.

    Example: animat network rodent-brain --set regions=M1 --set size="0.4 mm"
    """
    if network is None:
        _list_networks()
        return
    source = network_source(network)
    found = load_network({**source, **network_parameters(mode, settings or ())})
    if check:
        with closing(BrainLink("nest")) as link:
            for fault in link.check(found):
                raise network_error(fault, network_file(source))
    summary = describe_network(found, processes)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
    else:
        _show(summary, projections, processes)
    if sonata is not None:
        _write_sonata(found, sonata, seed, quiet=as_json)


def network_source(name: str) -> dict[str, str]:
    """Return how `load_network` is told of a file, a folder or a shipped name."""
    path = Path(name)
    if path.is_file() or (path.is_dir() and is_network(path)):
        return {"file": name}
    shipped = library_names("networks")
    if name in shipped:
        return {"library": name}
    if "/" in name or path.suffix or path.exists():
        return {"file": name}
    raise unknown_name("network", name, [*shipped, *beside(path, is_network)])


def network_parameters(mode: str | None, settings: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of the network; `network.size=1 mm`, as experiments spell it, is `size=1 mm`."""
    found: dict[str, Any] = {} if mode is None else {"mode": mode}
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip().removeprefix("network.")
        if not equals or not key:
            raise AnimatError(f'--set {setting!r} must look like size="0.4 mm"')
        if key == "mode" and mode is not None and _value(text) != mode:
            raise AnimatError(f"--mode {mode} and --set mode={text} contradict each other")
        found[key] = _value(text)
    return found


def _value(text: str) -> Any:
    """Return what `text` means in YAML; what is no YAML is text."""
    try:
        return parse_yaml(text).data if text.strip() else text
    except AnimatError:
        return text


def _list_networks() -> None:
    for name in library_names("networks"):
        build = network_builder(name)
        said = (inspect.getdoc(build) or "").partition("\n")[0] if build else "a network.yaml, without parameters"
        console.print(Text.assemble((name, "bold"), f": {said}"))
        for parameter in inspect.signature(build).parameters.values() if build else ():
            if parameter.default is parameter.empty:
                console.print(f"  --set {parameter.name}=...")
            else:
                console.print(f"  --set {parameter.name}={_as_yaml(parameter.default)}")
        for line in _explained(build) if build else ():
            console.print(f"    {line}")


def _explained(build: Any) -> list[str]:
    """Return the lines of the section Parameters of a builder's docstring."""
    lines = (inspect.getdoc(build) or "").splitlines()
    if "Parameters" not in lines:
        return []
    begin = lines.index("Parameters") + 2
    ends = [place - 1 for place in range(begin, len(lines)) if lines[place].startswith("----")]
    return [line for line in lines[begin : min(ends, default=len(lines))] if line.strip()]


def _as_yaml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f"'{value}'" if " " in value else value
        case list() | tuple():
            return f"[{', '.join(map(str, value))}]"
        case None:
            return "null"
    return str(value)


def _show_table(title: str, table: Table) -> None:
    console.print(f"\n{title}", style="bold")
    console.print(table)


def _show(summary: NetworkSummary, projections: bool, processes: int) -> None:
    console.print(summary.name, style="bold")
    relays = f" and {summary.relays:,} relays" if summary.relays else ""
    synapses = _spread(summary.synapses, summary.synapses_sd)
    console.print(f"{summary.neurons:,} neurons{relays}, {synapses} synapses expected")
    if any(summary.regions):
        _show_table("regions", _regions(summary))
    _show_table("populations", _populations(summary))
    if projections:
        _show_table("projections", _projections(summary))
    if summary.notes:
        console.print("\nwhat to know", style="bold")
    for note in summary.notes:
        console.print(f"- {note}")
    console.print()
    free = psutil.virtual_memory().available
    for engine, needed in summary.memory_bytes.items():
        fits = "" if needed <= free else "; it does not fit"
        where = f"{engine} in {processes} virtual processes"
        console.print(f"memory with {where}: {_bytes(needed)}, of {_bytes(free)} free on this machine{fits}")


def _regions(summary: NetworkSummary) -> Table:
    table = _table(("region",), ("neurons", "relays", "synapses onto it", "± sd"))
    for name, region in summary.regions.items():
        counts = (region.neurons, region.relays, region.synapses, region.synapses_sd)
        table.add_row(name or "none", *(f"{count:,.0f}" for count in counts))
    if len(summary.regions) == 1:
        return table
    totals = (summary.neurons, summary.relays, summary.synapses, summary.synapses_sd)
    table.add_section()
    table.add_row("all", *(f"{count:,.0f}" for count in totals))
    return table


def _populations(summary: NetworkSummary) -> Table:
    regions = any(row.region for row in summary.populations)
    names = ("region", "population", "model") if regions else ("population", "model")
    table = _table(names, ("neurons", "of full", "in-degree", "± sd", "drive Hz"))
    before = None
    for row in summary.populations:
        region = () if not regions else ("" if row.region == before else row.region,)
        before = row.region
        table.add_row(
            *region,
            row.name,
            row.model,
            f"{row.size:,}",
            f"{row.full_size:,}",
            f"{row.indegree:,.1f}",
            f"{row.indegree_sd:,.1f}",
            f"{row.drive_hz:,g}" if row.drive_hz else "-",
        )
    return table


def _projections(summary: NetworkSummary) -> Table:
    table = _table(("from", "to"), ())
    for column in ("rule", "synapse", "weight"):
        table.add_column(column, min_width=8)
    for column in ("delay ms", "synapses", "± sd"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in summary.projections:
        receptor = "" if row.receptor is None else f", receptor {row.receptor}"
        counts = (f"{row.synapses:,.0f}", f"{row.synapses_sd:,.0f}")
        texts = (row.pre, row.post, row.rule, row.synapse + receptor, row.weight, row.delay)
        table.add_row(*texts, *counts)
    return table


def _table(texts: Iterable[str], numbers: Iterable[str]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column in texts:
        table.add_column(column, overflow="fold", min_width=8)
    for column in numbers:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _spread(mean: float, sd: float) -> str:
    return f"{mean:,.0f} ± {sd:,.0f}" if sd else f"{mean:,.0f}"


def _bytes(size: float) -> str:
    return f"{size / 1e9:,.2f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"


def _write_sonata(network: Network, folder: Path, seed: int, quiet: bool) -> None:
    from animat.brain.sonata import expected_file_bytes, write_sonata

    with ProgressLine() as progress:
        progress(f"message: SONATA files in {folder}: about {_bytes(expected_file_bytes(network))}", None)
        written = write_sonata(network, folder, seed, progress)
    if not quiet:
        console.print(f"written: {written}")
