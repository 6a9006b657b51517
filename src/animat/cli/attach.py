"""`animat attach`: join a running simulation, watch and steer it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from animat.cli.terminal import console
from animat.errors import AnimatError, shortened
from animat.simulation.session import Simulation
from animat.simulation.session import attach as join
from animat.simulation.view.live import open_view
from animat.units import format_time
from animat.yaml_lines import parse_yaml

__all__ = ["attach"]

_COMMANDS = (
    "pause, resume, step [N], run TIME, stop, reset, save [NAME], status, get TARGET [NAME ..], set TARGET NAME=VALUE, "
    "edit FILE PATH, quit"
)


def attach(
    run: Annotated[Path, typer.Argument(help="The run folder of a running simulation.")],
    command: Annotated[
        list[str] | None, typer.Argument(help=f"One of: {_COMMANDS}. Without: read them line by line.")
    ] = None,
    view: Annotated[bool, typer.Option("--view", help="Show body and spikes on a local page.")] = False,
) -> None:
    """Join a running simulation; leaving it changes nothing.

    Example: animat attach runs/first pause
    """
    with join(run) as simulation:
        if view:
            console.print(Text.assemble("watch at ", (open_view(run), "bold")), soft_wrap=True)
        if command:
            _do(simulation, command)
            return
        _status(simulation)
        if sys.stdin.isatty():
            console.print(f"commands: {_COMMANDS}", style="dim")
        for line in sys.stdin:
            try:
                words = _words(line)
                if words and words[0] in ("quit", "exit"):
                    break
                if words:
                    _do(simulation, words)
            except Exception as error:
                console.print(str(error), style="red")


def _words(line: str) -> list[str]:
    """Split a line as a shell does, so that quotes keep a value such as "100 pA" together."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise AnimatError(f"cannot read {line.strip()!r}: {error}") from None


def _value(text: str) -> Any:
    """Return what `text` means in a YAML file; what is no YAML is text."""
    try:
        return parse_yaml(text).data
    except AnimatError:
        return text


def _do(simulation: Simulation, words: list[str]) -> None:
    match words:
        case ["pause"]:
            simulation.pause()
        case ["resume"]:
            simulation.start()
        case ["run", *time]:
            simulation.run(" ".join(time) or None)
        case ["step"]:
            simulation.step()
        case ["step", count] if count.isdigit():
            simulation.step(int(count))
        case ["stop"]:
            simulation.stop()
        case ["reset"]:
            simulation.reset()
        case ["save", *name]:
            console.print(simulation.save(" ".join(name) or None), soft_wrap=True)
            return
        case ["status"]:
            pass
        case ["get", target, *names]:
            console.print(simulation.get(target, *names))
            return
        case ["set", target, *values] if values and all("=" in value for value in values):
            pairs = {name: _value(text) for name, _, text in (value.partition("=") for value in values)}
            simulation.set(target, pairs["value"] if set(pairs) == {"value"} else pairs)
            return
        case ["edit", file, path]:
            try:
                simulation.edit(file, Path(path).read_text())
            except OSError as error:
                raise AnimatError(f"cannot read {path}: {error.strerror}") from None
        case _:
            raise AnimatError(f"cannot do {shortened(' '.join(words), 100)!r}; commands: {_COMMANDS}")
    _status(simulation)


def _status(simulation: Simulation) -> None:
    status = simulation.status()
    speed = status.get("real_time_factor")
    console.print(
        f"{status['state']} at {format_time(status['tick'])}" + ("" if not speed else f", {speed:.2f} x real time")
    )
