"""Checkpoints: folders `checkpoints/NAME` of a run with the complete state of the simulation at one time.

A checkpoint is written under a hidden name, brought to disk and renamed, so that one with its name is whole. Its
`checkpoint.json` has size and SHA-256 of every file, and a SHA-256 of its own; all are checked before it is used.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from animat.brain.engines import cannot_save, engine_kind
from animat.errors import AnimatError, unknown_name
from animat.experiment.read import Experiment
from animat.missing import missing
from animat.packing import pack, unpack
from animat.run.files import file_hash, write_json
from animat.run.format import MANIFEST
from animat.units import format_time

__all__ = ["FOLDER", "Checkpoint", "Plan", "boundary", "check_saves", "find_checkpoint", "time_name", "writing"]

FOLDER = "checkpoints"
_ABOUT, _STATE = "checkpoint.json", "state.msgpack"
_FORMAT = 2


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint: its folder, and what its `checkpoint.json` says."""

    folder: Path
    about: dict[str, Any]

    @property
    def tick(self) -> int:
        """The simulated time at which it was taken."""
        return int(self.about["tick"])

    @property
    def id(self) -> str:
        """What tells it from all others."""
        return str(self.about["id"])

    @property
    def run(self) -> Path:
        """The run that it was taken from."""
        return self.folder.resolve().parent.parent

    @cached_property
    def state(self) -> dict[str, Any]:
        """All that is no brain's own; read once for all runs that go on from here, so nobody changes it."""
        try:
            return dict(unpack((self.folder / _STATE).read_bytes()))
        except OSError as error:
            raise AnimatError(f"cannot read it: {error.strerror}", file=self.folder / _STATE) from None
        except AnimatError as error:
            raise error.at(self.folder / _STATE) from None

    def brain(self, name: str) -> Path:
        """Return the folder of a brain's own state."""
        return _brain(self.folder, name)

    def described(self) -> dict[str, Any]:
        """Return what the manifest of a run says that goes on from here."""
        return {"run": str(self.run), "checkpoint": str(self.folder.resolve()), "id": self.id, "tick": self.tick}


def find_checkpoint(path: str | Path, name: str | None = None) -> Checkpoint:
    """Return a checkpoint, given by its folder or by its run: the one called `name`, or the latest.

    Raises
    ------
    AnimatError
        If there is none, or it is not whole or damaged; says which there are.
    """
    place = Path(path)
    if (place / _ABOUT).is_file():
        return _checked(_open(place))
    if place.parent.name == FOLDER:
        _refuse_missing(place.parent, place.name)
    if not place.is_dir():
        raise missing("run or checkpoint", place, lambda folder: (folder / MANIFEST).is_file())
    if name is not None:
        if not (place / FOLDER / name / _ABOUT).is_file():
            _refuse_missing(place / FOLDER, name)
        return _checked(_open(place / FOLDER / name))
    found = [_open(folder) for folder in _whole(place / FOLDER)]
    if not found:
        raise AnimatError(
            'this run has no checkpoint; animat run EXPERIMENT --checkpoint "500 ms" takes one', file=place
        )
    return _checked(max(found, key=lambda one: (one.tick, str(one.about["created"]))))


def _whole(folder: Path) -> list[Path]:
    return [place for place in sorted(folder.glob("*")) if (place / _ABOUT).is_file() and place.name[0] != "."]


def _refuse_missing(folder: Path, name: str) -> None:
    raise unknown_name("checkpoint", name, [place.name for place in _whole(folder)], file=folder)


def _open(folder: Path) -> Checkpoint:
    """Return what `checkpoint.json` says, without a look at the other files."""
    try:
        about = dict(json.loads((folder / _ABOUT).read_text(encoding="utf-8")))
        known = about["format"]
        intact = about.pop("sha256", "") == _own_hash(about)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AnimatError(f"this checkpoint cannot be read ({error})", file=folder / _ABOUT) from None
    if known != _FORMAT and (intact or known == 1):
        hint = ", which kept no hashes of its files" if known == 1 else ""
        raise AnimatError(
            f"this checkpoint was taken by another version of animat{hint}; go on with that version, or take it anew "
            "with this one",
            file=folder / _ABOUT,
        )
    if not intact:
        raise AnimatError("this checkpoint is damaged: its list of files was changed; take another one", file=folder)
    return Checkpoint(folder, about)


def _checked(checkpoint: Checkpoint) -> Checkpoint:
    """Return the checkpoint if every file is there as it was written."""
    for name, file in checkpoint.about["files"].items():
        path = checkpoint.folder / name
        found = path.stat().st_size if path.is_file() else None
        if found != file["bytes"]:
            what = "is missing" if found is None else f"has {found} bytes instead of {file['bytes']}"
        elif file_hash(path) != file["sha256"]:
            what = "holds other bytes than were written"
        else:
            continue
        raise AnimatError(f"this checkpoint is damaged: {name} {what}; take another one", file=checkpoint.folder)
    return checkpoint


def _own_hash(about: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


@contextmanager
def writing(run: Path, name: str) -> Iterator[Draft]:
    """Yield a checkpoint to be filled; it gets its name when it is on disk, and leaves nothing when it fails.

    Raises
    ------
    AnimatError
        If the name cannot be one or is taken, or the disk is full.
    """
    if not name or name[0] == "." or "/" in name:
        raise AnimatError(f"{name!r} cannot name a checkpoint: no slash, not empty, no dot at the beginning")
    place = run / FOLDER / name
    if place.exists():
        raise AnimatError("there is a checkpoint of this name; remove it, or choose another name", file=place)
    fresh = place.with_name(f".{name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir(parents=True)
        yield Draft(fresh, place)
        _bring_to_disk(fresh)
        fresh.rename(place)
        _sync(place.parent)
    except OSError as error:
        raise AnimatError(f"the checkpoint cannot be written: {error.strerror or error}", file=place) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@dataclass(frozen=True)
class Draft:
    """A checkpoint that is being written into `folder` and will lie in `place`."""

    folder: Path
    place: Path

    def brain(self, name: str) -> Path:
        """Return the folder that a brain is to save itself in."""
        return _brain(self.folder, name)

    def finish(self, state: dict[str, Any], about: dict[str, Any]) -> None:
        """Write the rest, and the list of all files at last."""
        (self.folder / _STATE).write_bytes(pack(state, "the simulation's state"))
        files = {
            str(path.relative_to(self.folder)): {"bytes": path.stat().st_size, "sha256": file_hash(path)}
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }
        tick = int(about["tick"])
        content = {
            "format": _FORMAT,
            "what": f"the complete state of a simulation at {format_time(tick)}",
            "go on": f"animat run --resume {self.place}",
            "id": uuid.uuid4().hex,
            **about,
            "versions": {"animat": version("animat")},
            "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "files": files,
        }
        write_json(self.folder / _ABOUT, {**content, "sha256": _own_hash(content)})


def _brain(folder: Path, name: str) -> Path:
    return folder / f"brain.{name}"


def _bring_to_disk(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def time_name(tick: int) -> str:
    """Return what a checkpoint taken at a time is called: 500ms."""
    return format_time(tick).replace(" ", "")


@dataclass(frozen=True)
class Plan:
    """When a run takes checkpoints by itself, in ticks."""

    at: tuple[int, ...] = ()
    every: int | None = None

    def __bool__(self) -> bool:
        return bool(self.at) or self.every is not None

    def due(self, tick: int) -> bool:
        """Return whether one is to be taken at `tick`."""
        return tick in self.at or (self.every is not None and tick % self.every == 0)

    def check(self, experiment: Experiment, start: int) -> None:
        """Refuse times at which no checkpoint can be taken, and brains that cannot be saved.

        Raises
        ------
        AnimatError
            Naming the time or the brain.
        """
        if not self:
            return
        check_saves(experiment)
        whole, end = boundary(experiment), experiment.part.duration
        for tick in (*self.at, *(() if self.every is None else (self.every,))):
            if tick <= 0 or tick % whole:
                raise AnimatError(
                    f"a checkpoint can be taken at whole multiples of {format_time(whole)}, when all brains and "
                    f"bodies have ended a step; {format_time(tick)} is none"
                )
        for tick in self.at:
            if tick <= start:
                raise AnimatError(f"the run begins at {format_time(start)}, so no checkpoint at {format_time(tick)}")
            if end is not None and tick > end:
                raise AnimatError(f"the run ends at {format_time(end)}, before the checkpoint at {format_time(tick)}")


def check_saves(experiment: Experiment) -> None:
    """Refuse an experiment with a brain whose engine cannot save it.

    Raises
    ------
    AnimatError
        Naming the brain, and the engine that can.
    """
    for name, brain in experiment.part.all_brains.items():
        if not engine_kind(brain.engine).saves:
            error = cannot_save(brain.engine)
            place = ("brain", "engine") if experiment.part.brain else ("brains", name, "engine")
            raise AnimatError(f"{name}: {error.what}", file=experiment.file, line=experiment.line(*place))


def boundary(experiment: Experiment) -> int:
    """Return the period in ticks with which all brains and bodies end a step together."""
    part = experiment.part
    engines: Sequence[Any] = [*part.all_brains.values(), *part.all_bodies.values()]
    return math.lcm(part.step, *(engine.step or part.step for engine in engines))
