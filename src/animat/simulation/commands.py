"""What a client can ask of a running simulation: one function per command, carried out at a step boundary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from animat.errors import AnimatError, unknown_name
from animat.experiment.events import neuron_value
from animat.simulation.control import Command
from animat.simulation.edit import replace_source
from animat.simulation.outside import set_value, split_target
from animat.transfer.declare import parse_neurons

if TYPE_CHECKING:
    from animat.simulation.runner import Runner

__all__ = ["COMMANDS"]


def _run(runner: Runner, command: Command) -> None:
    """run(for_ns=None, wait=False): run on, for a stretch or to the end; with `wait`, answer when it is done."""
    stretch = command.arguments.get("for_ns")
    step = runner.experiment.part.step
    if stretch is not None and (int(stretch) <= 0 or int(stretch) % step):
        raise AnimatError(f"the time to run must be a positive multiple of the step ({step / 1e6:g} ms)")
    runner.resume(None if stretch is None else runner.loop.time + int(stretch))
    _answer(runner, command)


def _step(runner: Runner, command: Command) -> None:
    """step(count=1, wait=True): run so many steps, then pause."""
    count = int(command.arguments.get("count", 1))
    if count < 1:
        raise AnimatError("count must be at least 1")
    runner.resume(runner.loop.time + count * runner.experiment.part.step)
    _answer(runner, command)


def _answer(runner: Runner, command: Command) -> None:
    if command.arguments.get("wait"):
        runner.waiting.append(command)
    else:
        command.reply(runner.status())


def _pause(runner: Runner, command: Command) -> None:
    """pause(): hold after the present step."""
    runner.change("pause")
    runner.until = None
    command.reply(runner.status())


def _stop(runner: Runner, command: Command) -> None:
    """stop(reason=""): end after the present step and finish the recording."""
    command.reply(runner.status())


def _reset(runner: Runner, command: Command) -> None:
    """reset(): back to time 0 with the same seed; what was recorded is kept in `episodes/`."""
    runner.reset()
    command.reply(runner.status())


def _edit(runner: Runner, command: Command) -> None:
    """edit(file, source): replace the source of a transfer function file; the old one stays when the new is broken."""
    file, source = str(command.arguments["file"]), str(command.arguments["source"])
    replace_source(runner, file, source)
    command.reply(runner.status())


def _sources(runner: Runner, command: Command) -> None:
    """sources(): the transfer function files in use, their text by name."""
    command.reply(dict(runner.sources))


def _get(runner: Runner, command: Command) -> None:
    """get(target, names=[]): values of neurons, or of a variable, parameter, signal."""
    command.reply(_value(runner, str(command.arguments["target"]), list(command.arguments.get("names", []))))


def _value(runner: Runner, target: str, names: list[str]) -> Any:
    kind, name = split_target(target)
    if kind == "neurons":
        brain, selection = parse_neurons(name)
        link = runner.link(brain)
        return link.get(selection, names)
    if kind == "variable":
        if name not in runner.board.variables:
            raise unknown_name("variable", name, runner.board.variables)
        return runner.board.variables[name]
    if kind == "parameter":
        parameters = runner.experiment.part.parameters
        if name not in parameters:
            raise unknown_name("parameter", name, parameters)
        return parameters[name]
    if kind == "signal":
        found = runner.recording.value(name)
        if found is None:
            raise unknown_name("signal", name, [column.name for column in runner.recording.signals.columns])
        return found
    raise AnimatError(f"{target!r} can only be set; its signals can be read: signal:command/...")


def _set(runner: Runner, command: Command) -> None:
    """set(target, value): neurons:, parameter:, variable: or control: and a name; the run's events keep it."""
    target, value = str(command.arguments["target"]), command.arguments["value"]
    kind, name = split_target(target)
    if kind == "neurons":
        value = {key: neuron_value(key, item) for key, item in dict(value).items()}
    if kind == "control" and name.partition("/")[0] not in runner.bodies:
        name = f"{next(iter(runner.bodies), '')}/{name}"
    target = f"{kind}:{name}"
    set_value(runner, target, value)
    runner.writer.event("set", runner.loop.time, target=target, value=value)
    command.reply(None)


def _info(runner: Runner, command: Command) -> None:
    """info(): populations, bodies' ports and scene, signals: all that can be addressed."""
    command.reply(
        {
            "status": runner.status(),
            "folder": str(Path(runner.folder).resolve()),
            "brains": {name: msgspec.to_builtins(info) for name, info in runner.infos.items()},
            "bodies": {name: msgspec.to_builtins(info) for name, (_, info) in runner.bodies.items()},
            "signals": [column.name for column in runner.recording.signals.columns],
        }
    )


COMMANDS: dict[str, Callable[[Runner, Command], None]] = {
    "edit": _edit,
    "get": _get,
    "info": _info,
    "pause": _pause,
    "reset": _reset,
    "run": _run,
    "set": _set,
    "sources": _sources,
    "step": _step,
    "stop": _stop,
}
