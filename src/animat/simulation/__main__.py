"""A simulation as a process of its own: ``python -m animat.simulation EXPERIMENT --out DIR [--set K=V]``.

Built, it waits for a client; started by `animat.load`. With ``--resume DIR`` it goes on from a checkpoint, and without
EXPERIMENT as the run that the checkpoint is of.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from animat.errors import AnimatError
from animat.experiment.read import read_experiment
from animat.simulation.checkpoint import find_checkpoint
from animat.simulation.execute import execute
from animat.simulation.lifecycle import State
from animat.simulation.resume import resumed


def main() -> int:
    """Run; the exit code is 1 for a failure."""
    parser = argparse.ArgumentParser(prog="python -m animat.simulation")
    parser.add_argument("experiment", nargs="?")
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    arguments = parser.parse_args()
    try:
        experiment, checkpoint, out = arguments.experiment, None, arguments.out
        if arguments.resume is not None:
            checkpoint = find_checkpoint(arguments.resume)
            described, out = resumed(checkpoint, experiment, arguments.overrides, out)
        else:
            described = read_experiment(experiment, arguments.overrides)
        sim = execute(described, out, start=False, checkpoint=checkpoint)
    except AnimatError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if sim.state is State.FAILED:
        print(f"error: {sim.error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
