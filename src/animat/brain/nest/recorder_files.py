"""Files that a script's own recorders write, kept whole from the first step to the last."""

from __future__ import annotations

import glob
import re
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

from animat.brain.nest.nodes import nodes_made
from animat.errors import AnimatError
from animat.link.leftovers import private_folder

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
        named = Path(nest.GetKernelStatus("data_path"))
        self._folder = named.resolve()
        names = [Path(name).relative_to(named) for recorder in recorders for name in recorder.get("filenames")]
        for name in names:
            if ".." in name.parts or not (self._folder / name).parent.is_dir():
                raise AnimatError(
                    f"there is no folder {self._folder / name.parent} for the recorder's file {name}", file=path
                )
        there = {file for name in names for file in self._folder.glob(_of_any_thread(name))}
        simulated = nest.biological_time > 0
        if there and not simulated and not nest.overwrite_files:
            raise AnimatError(
                f"the recorder's file {min(there)} exists, and the script forbids to overwrite it (overwrite_files)",
                file=path,
            )
        self._begun = there if simulated else set()
        made = private_folder(Path(tempfile.gettempdir()))
        self._finalizer = weakref.finalize(self, shutil.rmtree, made, ignore_errors=True)
        self._step = made / "step"
        self._step.mkdir()
        for name in names:
            (self._step / name).parent.mkdir(parents=True, exist_ok=True)
        nest.SetKernelStatus({"data_path": str(self._step), "overwrite_files": True})

    def take(self) -> None:
        """Move on what was written since the last Prepare."""
        for file in self._step.rglob("*"):
            if file.is_dir():
                continue
            target = self._folder / file.relative_to(self._step)
            lines = file.read_bytes().split(b"\n", _HEADER_LINES)
            try:
                if target in self._begun:
                    with target.open("ab") as out:
                        out.write(lines[-1])
                else:
                    target.write_bytes(b"\n".join(lines))
                    self._begun.add(target)
            except OSError as error:
                raise AnimatError(f"a recorder of the script cannot write {target}: {error.strerror}") from None

    def close(self) -> None:
        """Remove the folder of the step; may be called twice."""
        self._finalizer()


def _of_any_thread(name: Path) -> str:
    """Return the pattern of a recorder's files, one for each thread: ``LABEL-ID-THREAD.dat``."""
    return re.sub(r"-\d+(\.[^.]*)$", r"-*\1", glob.escape(str(name)))
