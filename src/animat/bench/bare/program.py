"""A network simulated by a bare PyNEST script, one long `Simulate` at a time: ``[mpirun ..] python program.py FOLDER``.

Nothing of animat's loop runs here. The network's synapses are drawn by animat's builder, so that the spikes are those
of the loop's brain; the kernel, its environment and its cores are left as NEST and the launcher have them. Every rank
reads `task` from the folder, writes `built-RANK`, and simulates when the files `go-0`, `go-1`, ... appear.
"""

from __future__ import annotations

import sys
import time
import types
from pathlib import Path
from typing import Any

_LOOK_S = 0.005


def _open_package() -> None:
    """Make animat importable under any interpreter, without running its ``__init__``."""
    package = types.ModuleType("animat")
    package.__path__ = [str(Path(__file__).resolve().parents[2])]
    sys.modules["animat"] = package


def _wait_for(path: Path) -> None:
    """Wait for a file without using a core; end with the folder that it should appear in."""
    while not path.exists():
        if not path.parent.exists():
            sys.exit()
        time.sleep(_LOOK_S)


def _write(path: Path, content: bytes) -> None:
    """Write a file that is whole when it appears."""
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)


def simulate(nest: Any, milliseconds: float) -> float:
    """Simulate in one call and return the wall-clock seconds that it took."""
    began = time.perf_counter()
    nest.Simulate(milliseconds)
    return time.perf_counter() - began


def main() -> None:
    """Build, then simulate one interval after the other."""
    _open_package()
    import msgspec
    import nest

    from animat.bench.bare.task import BareDone, BareTask
    from animat.brain.nest.build import build

    folder = Path(sys.argv[1])
    task = msgspec.msgpack.decode((folder / "task").read_bytes(), type=BareTask)
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.SetKernelStatus(
        {
            "resolution": task.resolution_ms,
            "rng_seed": task.seed,
            "local_num_threads": task.virtual_processes // nest.num_processes,
        }
    )
    built = build(nest, task.network, task.seed, task.virtual_processes, task.resolution_ms, lambda _what, _done: None)
    for nodes in built.nodes.values():
        nest.Connect(nodes, built.recorder, syn_spec={"delay": nest.min_delay})
    rank, spikes = nest.Rank(), 0
    for number, milliseconds in enumerate(task.intervals_ms):
        _wait_for(folder / f"go-{number}")
        seconds = simulate(nest, milliseconds)
        before, spikes = spikes, int(built.recorder.n_events)
        done = BareDone(seconds, spikes - before)
        _write(folder / f"done-{number}-{rank}", msgspec.msgpack.encode(done))


if __name__ == "__main__":
    main()
