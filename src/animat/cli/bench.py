"""`animat bench`: measure."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from animat.bench.exchange import measure
from animat.cli.terminal import ProgressLine, console

__all__ = ["bench"]


class _Benchmark(StrEnum):
    EXCHANGE = "exchange"


def bench(
    name: Annotated[_Benchmark, typer.Argument(help="What to measure.")],
    steps: Annotated[int, typer.Option(help="Exchange steps of 20 ms.")] = 500,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure what one exchange costs beyond the longer of brain kernel and body.

    Example: animat bench exchange --json
    """
    with ProgressLine() as progress:
        found = measure(steps, progress)
    if as_json:
        print(json.dumps(found))
        return
    overhead = found["overhead_ms"]
    console.print(
        f"a step costs {overhead['median']:.2f} ms (median; 95 %: {overhead['p95']:.2f} ms) beyond the longer of brain "
        f"kernel and body, with {found['sinks']} sinks and {found['sources']} sources written every step; "
        f"an empty round trip costs {found['round_trip_ms']:.2f} ms"
    )
    table = Table(title="where a step's time goes", title_justify="left")
    table.add_column("part")
    table.add_column("median ms", justify="right")
    for part, value in found["split_ms"].items():
        table.add_row(part, f"{value:.3f}")
    console.print(table)
