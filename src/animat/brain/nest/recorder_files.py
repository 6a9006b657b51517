"""Files that a script's own recorders write, kept whole from the first step to the last."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

from animat.brain.nest.script_nodes import nodes_made
from animat.errors import AnimatError

__all__ = ["RecorderFiles", "recorder_files"]

#: Lines before the first event: NEST's version, the format's, the names of the columns.
_HEADER_LINES = 3

#: Where recorders may write: sionlib starts its one binary file anew at every step, which cannot be joined.
_KEPT = ("memory", "ascii", "screen", "mpi")


def recorder_files(nest: Any, path: Path) -> RecorderFiles | None:
    """Return the files of the recorders that a script has made; None if none of them writes any.

    Raises
    ------
    AnimatError
        If one could not be kept whole, or exists and the script has forbidden to overwrite it.
    """
    recorders = [
        nest.NodeCollection([node])
        for each in nodes_made(nest)
        if each.kind == "recorder"
        for node in range(each.first, each.last + 1)
    ]
    writing = []
    for recorder in recorders:
        status = recorder.get()
        place = status.get("record_to", "memory")
        if place not in _KEPT:
            raise AnimatError(
                f"the {status['model']} with the id {status['global_id']} records to {place}, of which only the last "
                'step would be left; write record_to="ascii"',
                file=path,
            )
        if place == "ascii":
            writing.append(recorder)
    return RecorderFiles(nest, writing, path) if writing else None


class RecorderFiles:
    """Moves what recorders wrote in a step to where their files are.

    NEST starts such a file anew at every Prepare, and every step has one. So it writes into a folder of its own, and
    from there the lines of each step go to the end of the file.
    """

    def __init__(self, nest: Any, recorders: list[Any], path: Path) -> None:
        self._folder = Path(nest.GetKernelStatus("data_path")).resolve()
        names = {Path(name).name for recorder in recorders for name in recorder.get("filenames")}
        there = {name for name in names if (self._folder / name).exists()}
        simulated = nest.biological_time > 0
        if there and not simulated and not nest.overwrite_files:
            raise AnimatError(
                f"the recorder's file {self._folder / min(there)} exists, and the script forbids to overwrite it "
                "(overwrite_files)",
                file=path,
            )
        self._begun = there if simulated else set()
        self._step = Path(tempfile.mkdtemp(prefix="animat-"))
        self._finalizer = weakref.finalize(self, shutil.rmtree, self._step, ignore_errors=True)
        nest.SetKernelStatus({"data_path": str(self._step), "overwrite_files": True})

    def take(self) -> None:
        """Move on what was written since the last Prepare."""
        for file in self._step.iterdir():
            lines = file.read_bytes().split(b"\n", _HEADER_LINES)
            target = self._folder / file.name
            try:
                if file.name in self._begun:
                    with target.open("ab") as out:
                        out.write(lines[-1])
                else:
                    target.write_bytes(b"\n".join(lines))
                    self._begun.add(file.name)
            except OSError as error:
                raise AnimatError(f"a recorder of the script cannot write {target}: {error.strerror}") from None

    def close(self) -> None:
        """Remove the folder of the step; may be called twice."""
        self._finalizer()
