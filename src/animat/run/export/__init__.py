"""Exporting a run to formats that other tools read; one module a format, one line each in `FORMATS`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from animat.errors import AnimatError, unknown_name
from animat.run.reader import Run

__all__ = ["FORMATS", "export"]

#: Format to (module with `write(run, out)`, what its file in the run folder is called, the package that it needs and
#: that the extra of the format's name installs).
FORMATS: dict[str, tuple[str, str, str]] = {
    "nwb": ("animat.run.export.nwb", "run.nwb", "pynwb"),
    "neo": ("animat.run.export.neo", "run.neo.pkl", "neo"),
    "csv": ("animat.run.export.csv_files", "csv", "pyarrow"),
}


def export(run: Run, to: str, out: str | Path | None = None) -> Path:
    """Write a run as `to` (nwb, neo or csv) and return the file or folder written.

    Parameters
    ----------
    run
        From `animat.open_run`.
    to
        A key of `FORMATS`.
    out
        File (nwb, neo) or folder (csv); by default one inside the run folder.

    Raises
    ------
    AnimatError
        If the format is unknown, its package is missing, or `out` cannot be written.
    """
    if to not in FORMATS:
        raise unknown_name("export format", to, FORMATS)
    module, name, package = FORMATS[to]
    target = run.folder / name if out is None else Path(out)
    try:
        write: Callable[[Run, Path], None] = importlib.import_module(module).write
    except ImportError as error:
        raise AnimatError(
            f"exporting to {to} needs {package}, which is not installed here ({error}): pip install 'animat[{to}]'"
        ) from None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write(run, target)
    except OSError as error:
        raise AnimatError(f"cannot write the export ({error.strerror or error})", file=target) from None
    return target
