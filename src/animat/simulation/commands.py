"""What a client can ask of a running simulation: one function per command, carried out at a step boundary."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from animat.errors import AnimatError
from animat.experiment.events import neuron_value
from animat.simulation.control import Command
from animat.simulation.edit import replace_source
from animat.simulation.outside import get_value, set_value, split_target

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
    """step(count=1, wait=False): run so many steps, then pause; with `wait`, answer when it is done."""
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


def _save(runner: Runner, command: Command) -> None:
    """save(called=None): take a checkpoint, by default after the present time; answers with its folder."""
    name = command.arguments.get("called")
    command.reply(str(runner.save(None if name is None else str(name)).resolve()))


def _sources(runner: Runner, command: Command) -> None:
    """sources(): the transfer function files in use, their text by name."""
    command.reply(dict(runner.sources))


def _get(runner: Runner, command: Command) -> None:
    """get(target, names=[]): values of neurons, or of a variable, parameter, control or signal."""
    command.reply(get_value(runner, str(command.arguments["target"]), list(command.arguments.get("names", []))))


def _set(runner: Runner, command: Command) -> None:
    """set(target, value): neurons:, parameter:, variable: or control: and a name; the run's events keep it."""
    kind, name = split_target(str(command.arguments["target"]))
    value = command.arguments["value"]
    if kind == "neurons":
        value = {key: neuron_value(key, item) for key, item in dict(value).items()}
    set_value(runner, f"{kind}:{name}", value)
    if kind == "parameter":
        runner.settings[name] = value
    runner.writer.event("set", runner.loop.time, target=f"{kind}:{name}", value=value)
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
    "save": _save,
    "set": _set,
    "sources": _sources,
    "step": _step,
    "stop": _stop,
}
