"""The loop that is measured: a brain with 20 sinks and 3 sources, all written every step, and the mouse forelimb."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from animat.bench.layout import Engine, Layout
from animat.brain.network import Network
from animat.brain.protocol import BrainInfo
from animat.errors import AnimatError
from animat.experiment.read import read_experiment
from animat.link.leftovers import temporary_folder
from animat.run.profile import read_profile
from animat.simulation.conduct import conduct
from animat.simulation.lifecycle import State
from animat.simulation.running import Progress, Running

__all__ = ["SINKS", "SOURCES", "STEP", "Loop", "LoopRun", "run_loop"]

SINKS, SOURCES = 20, 3

#: Ticks of an exchange step.
STEP = 20_000_000

_FOLDER = Path(__file__).parent
_POPULATIONS = 'POPULATIONS = ["cells"]'

#: Hands over a network that was described already.
_NETWORK = """\
import pathlib

import msgspec

from animat.brain.network import Network


def build():
    return msgspec.msgpack.decode((pathlib.Path(__file__).parent / "network.msgpack").read_bytes(), type=Network)
"""


class Loop(msgspec.Struct, frozen=True, kw_only=True):
    """What runs: the small network of this folder or another one, laid out over processes and threads."""

    steps: int
    layout: Layout = Layout(1, 1)
    engine: Engine = Engine()
    virtual_processes: int | None = None
    network: Network | None = None
    seed: int = 1


class LoopRun(NamedTuple):
    """What a run came to: its brain, where the time went, spikes of every population, MB of all its processes."""

    brain: BrainInfo
    profile: dict[str, NDArray[np.float64]]
    counts: NDArray[np.int64]
    memory_mb: float


def run_loop(loop: Loop, progress: Progress, on_open: Callable[[Running], None] = lambda _sim: None) -> LoopRun:
    """Build, run and close.

    `on_open` is called when all is built, before the first step.

    Raises
    ------
    AnimatError
        If it does not run to its end.
    """
    with _described(loop) as folder:
        experiment = read_experiment(folder, _overrides(loop))
        sim = conduct(Running(experiment, folder / "run", progress=progress), on_open=on_open)
        if sim.state is not State.COMPLETED:
            raise AnimatError(sim.error or sim.reason)
        engines = sim.engines
        return LoopRun(
            engines.infos["brain"],
            read_profile(sim.folder),
            sim.recording.counts["brain"],
            engines.peak_memory_mb["brain"],
        )


@contextmanager
def _described(loop: Loop) -> Iterator[Path]:
    """Make the experiment's folder for as long as it is needed."""
    with temporary_folder() as folder:
        for name in ("experiment.yaml", "network.yaml", "transfer.py"):
            shutil.copyfile(_FOLDER / name, folder / name)
        if loop.network is not None:
            (folder / "network.py").write_text(_NETWORK)
            (folder / "network.msgpack").write_bytes(msgspec.msgpack.encode(loop.network))
            text = (folder / "transfer.py").read_text()
            (folder / "transfer.py").write_text(
                text.replace(_POPULATIONS, f"POPULATIONS = {_plain_populations(loop.network)!r}")
            )
        yield folder


def _plain_populations(network: Network) -> list[str]:
    """Return the populations of neurons to which a device needs no receptor."""
    with_receptors = {item.post for item in network.projections if item.receptor is not None}
    found = [one.name for one in network.populations if not one.relay and one.name not in with_receptors]
    return found or [one.name for one in network.populations]


def _overrides(loop: Loop) -> list[str]:
    brain: dict[str, object] = {
        "processes": loop.layout.processes,
        "threads": loop.layout.threads,
        "launch": loop.engine.command(loop.layout),
    }
    if loop.virtual_processes is not None:
        brain["virtual_processes"] = loop.virtual_processes
    if loop.engine.python is not None:
        brain["python"] = loop.engine.python
    if loop.engine.address is not None:
        brain["address"] = loop.engine.address
    if loop.network is not None:
        brain["network"] = "network.py"
    said = {f"brain.{key}": value for key, value in brain.items()}
    said |= {"duration": f"{loop.steps * STEP / 1e6:g} ms", "seed": loop.seed}
    return [f"{key}={msgspec.json.encode(value).decode()}" for key, value in said.items()]
