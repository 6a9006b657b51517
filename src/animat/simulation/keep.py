"""Keep the description of an experiment in its run, so that `animat verify` can repeat the run from it alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from animat.body.files import is_body, named_files
from animat.errors import AnimatError
from animat.experiment.parts import network_spec
from animat.experiment.read import FILE, Experiment
from animat.library import network_files
from animat.run.reader import is_run

__all__ = ["keep_description", "keep_sources"]

#: What nothing names (data and modules that scripts read) is kept up to this size, and to this size in total.
_SMALL_BYTES = 10_000_000
_SMALL_BYTES_TOTAL = 100_000_000


def keep_description(experiment: Experiment, folder: Path) -> None:
    """Copy `experiment.yaml`, all files that it names and the small ones beside them into ``folder/experiment``.

    Left out are hidden files, the run's own folder, earlier runs, and links that nothing names to what lies elsewhere.
    Of the files that nothing names, the smallest are kept first. A named file that does not exist is passed over:
    reading the parts says so better.

    Raises
    ------
    AnimatError
        When a file cannot be copied.
    """
    source, target = experiment.folder.resolve(), (folder / "experiment").resolve()
    if source == target:
        return
    there = list(_description(source, folder.resolve()))
    named = {path for path in _named(experiment, source, there) if path.is_file()}
    beside = (path for path in there if path not in named and path.resolve().is_relative_to(source))
    for path in sorted(named | set(_small(beside))):
        place = target / path.relative_to(source)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
        except OSError as error:
            raise AnimatError(f"cannot copy it into the run folder: {error.strerror}", file=path) from None


def keep_sources(sources: Mapping[str, str], folder: Path) -> None:
    """Write transfer function files, live edits included, over those that `keep_description` copied, if it did."""
    for name, text in sources.items():
        path = folder / "experiment" / name
        if path.is_file():
            path.write_text(text)


def _description(source: Path, run: Path) -> Iterator[Path]:
    """Yield every file of the folder that is not hidden and belongs to no run."""
    for place, folders, files in os.walk(source):
        here = Path(place)
        folders[:] = [name for name in folders if _describes(here / name, run)]
        yield from (here / name for name in files if not name.startswith(".") and (here / name).is_file())


def _describes(folder: Path, run: Path) -> bool:
    if folder.name.startswith((".", "__pycache__")) or folder == run:
        return False
    return not is_run(folder)


def _named(experiment: Experiment, source: Path, there: list[Path]) -> set[Path]:
    """Return the files that the experiment names, and those that its circuits and body files name in turn."""
    part = experiment.part
    found = {source / name for name in (FILE, *part.transfer_functions)}
    for brain in part.all_brains.values():
        found |= _files(source, brain.script or brain.network, there)
        if brain.network is not None:
            with suppress(AnimatError):
                found |= {file for file in network_files(network_spec(brain), source) if file.is_relative_to(source)}
    for body in part.all_bodies.values():
        models = _files(source, body.model, there)
        named = {item.path for path in models if is_body(path) and path.is_file() for item in named_files(path)}
        found |= models | {path for path in named if path.is_relative_to(source)}
    return found


def _files(source: Path, spec: object, there: list[Path]) -> set[Path]:
    names = [spec.get("file"), spec.get("adjustments")] if isinstance(spec, dict) else [spec]
    paths = [source / name for name in names if isinstance(name, str)]
    return {file for path in paths for file in (path, *(file for file in there if file.is_relative_to(path)))}


def _small(files: Iterable[Path]) -> Iterator[Path]:
    total = 0
    for size, path in sorted((path.stat().st_size, path) for path in files):
        total += size
        if size >= _SMALL_BYTES or total > _SMALL_BYTES_TOTAL:
            return
        yield path
