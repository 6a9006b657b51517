"""A simulation as a process of its own: ``python -m animat.simulation EXPERIMENT --out DIR [--set K=V]``.

Built, it waits for a client; started by `animat.load`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from animat.errors import AnimatError
from animat.experiment.read import read_experiment
from animat.simulation.execute import execute
from animat.simulation.lifecycle import State


def main() -> int:
    """Run; the exit code is 1 for a failure."""
    parser = argparse.ArgumentParser(prog="python -m animat.simulation")
    parser.add_argument("experiment")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    arguments = parser.parse_args()
    try:
        runner = execute(read_experiment(arguments.experiment, arguments.overrides), arguments.out, start=False)
    except AnimatError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if runner.state is State.FAILED:
        print(f"error: {runner.error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
