"""The brain engines: what serves each, what it needs, and what it says of a network before anything is built."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from animat.brain.compact.capabilities import capability_faults as compact_faults
from animat.brain.compact.memory import expected_memory_bytes as compact_bytes
from animat.brain.compact.settings import read_settings
from animat.brain.nest.memory import expected_memory_bytes as nest_bytes
from animat.brain.network import Fault, Network
from animat.brain.protocol import BrainSettings
from animat.errors import AnimatError, unknown_name

__all__ = ["ENGINES", "EngineKind", "cannot_save", "check_settings", "engine_kind", "is_installed"]


@dataclass(frozen=True)
class EngineKind:
    """A brain engine.

    `worker` is the module that a worker serves, `needs` what must be importable for it, `memory_bytes` what all its
    processes will take for a network, `check_options` raises for settings that it does not have, `faults` are what it
    cannot build of a network, as far as that is known without starting it.
    """

    worker: str
    needs: str
    memory_bytes: Callable[[Network, BrainSettings], float]
    check_options: Callable[[Mapping[str, object]], object]
    faults: Callable[[Network], Iterable[Fault]] = lambda _network: ()
    #: Whether it can hold a brain in several processes, and run scripts.
    processes: bool = True
    scripts: bool = True
    #: Whether a brain's whole state can be saved and restored.
    saves: bool = False


def _no_options(options: Mapping[str, object]) -> None:
    for name in options:
        raise AnimatError(f"nest has no settings; {name!r} is none")


ENGINES = {
    "nest": EngineKind(
        worker="animat.brain.nest.worker",
        needs="nest",
        memory_bytes=lambda network, settings: nest_bytes(network, settings.all_virtual_processes, settings.processes),
        check_options=_no_options,
    ),
    "compact": EngineKind(
        worker="animat.brain.compact.worker",
        needs="animat.brain.compact._core",
        memory_bytes=lambda network, settings: compact_bytes(network, settings.options, settings.threads),
        check_options=read_settings,
        faults=compact_faults,
        processes=False,
        scripts=False,
        saves=True,
    ),
}


def engine_kind(name: str) -> EngineKind:
    """Return the engine of this name; the error for an unknown one lists those that exist."""
    if name not in ENGINES:
        raise unknown_name("brain engine", name, ENGINES)
    return ENGINES[name]


def cannot_save(engine: str) -> AnimatError:
    """Return the error for an engine whose state is asked for and cannot be saved."""
    able = ", ".join(f"brain: {{engine: {name}}}" for name, kind in ENGINES.items() if kind.saves)
    return AnimatError(f"the state of a brain in {engine} cannot be saved or restored; this can: {able}")


def is_installed(engine: str) -> bool:
    """Return whether this interpreter has what the engine needs; an experiment may name another interpreter."""
    return importlib.util.find_spec(engine_kind(engine).needs) is not None


def check_settings(engine: str, settings: BrainSettings, *, script: bool = False) -> None:
    """Raise for what an engine cannot be asked for: settings of its own, several processes, scripts."""
    kind = engine_kind(engine)
    kind.check_options(settings.options)
    if settings.processes > 1 and not kind.processes:
        raise AnimatError(f"{engine} runs in one process, with `threads`; several processes need the engine nest")
    if settings.virtual_processes is not None and not kind.processes:
        raise AnimatError(f"{engine} has no virtual processes; its `threads` never change a result")
    if script and not kind.scripts:
        raise AnimatError(f"{engine} runs network descriptions; the script of a brain needs the engine nest")
