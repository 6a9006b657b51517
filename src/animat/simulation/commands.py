"""What a client can ask of a running simulation: one function per command, carried out at a step boundary."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from animat.errors import AnimatError, told, unknown_name
from animat.experiment.events import neuron_value
from animat.link.errors import WorkerDied, WorkerHung
from animat.simulation.control import Command
from animat.simulation.course import change, fail, status
from animat.simulation.edit import ask_for_edit
from animat.simulation.oversight import ask_to_stop
from animat.simulation.reset import reset
from animat.simulation.running import Running
from animat.simulation.state import save_checkpoint
from animat.simulation.targets import get_value, set_value, split_target

__all__ = ["COMMANDS", "carry_out_command", "immediate", "note_internal_error", "save"]


def carry_out_command(sim: Running, command: Command) -> None:
    """Do what a client asks for and answer; a mistake is answered, too, and only a dead brain ends the simulation."""
    try:
        COMMANDS[command.name](sim, command)
    except (WorkerDied, WorkerHung) as error:
        command.refuse(str(error))
        fail(sim, str(error))
    except AnimatError as error:
        command.refuse(str(error))
    except Exception as error:
        note_internal_error(sim)
        command.refuse(f"{command.name}: {told(error)}")


def immediate(sim: Running, name: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    """Answer what need not wait for a step boundary; None for the rest. Called from the control endpoint's thread."""
    if name == "status":
        return {"ok": status(sim)}
    if name == "stop":
        ask_to_stop(sim, str(arguments.get("reason") or "stopped by a client")[:_REASON])
    elif name not in COMMANDS:
        return {"error": str(unknown_name("command", name, ("status", *COMMANDS)))}
    return None


#: Characters of a client's reason that are kept.
_REASON = 1000


def note_internal_error(sim: Running) -> None:
    """Keep the traceback of the exception at hand in the run's events."""
    with suppress(AnimatError):
        sim.writer.event("internal_error", sim.loop.time, text=traceback.format_exc()[-10_000:])


def save(sim: Running, name: str | None = None) -> Path:
    """Take a checkpoint, called after the present time unless `name` says otherwise, and return its folder."""
    sim.progress("saving", None)
    began = time.perf_counter()
    place = save_checkpoint(sim, name)
    sim.writer.event("checkpoint", sim.loop.time, name=place.name, seconds=time.perf_counter() - began)
    return place


def _run(sim: Running, command: Command) -> None:
    """run(for_ns=None, wait=False): run on, for a stretch or to the end; with `wait`, answer when it is done."""
    stretch = command.arguments.get("for_ns")
    step = sim.experiment.part.step
    if stretch is not None and (int(stretch) <= 0 or int(stretch) % step):
        raise AnimatError(f"the time to run must be a positive multiple of the step ({step / 1e6:g} ms)")
    _resume(sim, command, None if stretch is None else sim.loop.time + int(stretch))


def _step(sim: Running, command: Command) -> None:
    """step(count=1, wait=False): run so many steps, then pause; with `wait`, answer when it is done."""
    count = int(command.arguments.get("count", 1))
    if count < 1:
        raise AnimatError("count must be at least 1")
    _resume(sim, command, sim.loop.time + count * sim.experiment.part.step)


def _resume(sim: Running, command: Command, until: int | None) -> None:
    change(sim, "run")
    sim.asked.until = until
    if command.arguments.get("wait"):
        sim.asked.waiting.append(command)
    else:
        command.reply(status(sim))


def _pause(sim: Running, command: Command) -> None:
    """pause(): hold after the present step."""
    change(sim, "pause")
    sim.asked.until = None
    command.reply(status(sim))


def _stop(sim: Running, command: Command) -> None:
    """stop(reason=""): end after the present step and finish the recording."""
    command.reply(status(sim))


def _reset(sim: Running, command: Command) -> None:
    """reset(): back to time 0 with the same seed; what was recorded is kept in `episodes/`."""
    reset(sim)
    command.reply(status(sim))


def _edit(sim: Running, command: Command) -> None:
    """edit(file, source): replace the source of a transfer function file; the old one stays when the new is broken.

    It is tried beside the running loop, and answered when it has taken effect.
    """
    ask_for_edit(sim, str(command.arguments["file"]), str(command.arguments["source"]), command)


def _save(sim: Running, command: Command) -> None:
    """save(called=None): take a checkpoint, by default after the present time; answers with its folder."""
    name = command.arguments.get("called")
    command.reply(str(save(sim, None if name is None else str(name)).resolve()))


def _sources(sim: Running, command: Command) -> None:
    """sources(): the transfer function files in use, their text by name."""
    command.reply(dict(sim.sources))


def _get(sim: Running, command: Command) -> None:
    """get(target, names=[]): values of neurons, or of a variable, parameter, control or signal."""
    command.reply(get_value(sim, str(command.arguments["target"]), list(command.arguments.get("names", []))))


def _set(sim: Running, command: Command) -> None:
    """set(target, value): neurons:, parameter:, variable: or control: and a name; the run's events keep it."""
    kind, name = split_target(str(command.arguments["target"]))
    value = command.arguments["value"]
    if kind == "neurons":
        value = {key: neuron_value(key, item) for key, item in dict(value).items()}
    set_value(sim, f"{kind}:{name}", value)
    if kind == "parameter":
        sim.settings[name] = value
    sim.writer.event("set", sim.loop.time, target=f"{kind}:{name}", value=value)
    command.reply(None)


def _info(sim: Running, command: Command) -> None:
    """info(): populations, bodies' ports and scene, signals: all that can be addressed."""
    command.reply(
        {
            "status": status(sim),
            "folder": str(Path(sim.folder).resolve()),
            "brains": {name: msgspec.to_builtins(info) for name, info in sim.engines.infos.items()},
            "bodies": {name: msgspec.to_builtins(info) for name, info in sim.engines.body_infos.items()},
            "signals": [column.name for column in sim.recording.signals.columns],
        }
    )


COMMANDS: dict[str, Callable[[Running, Command], None]] = {
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
