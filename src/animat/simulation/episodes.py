"""Keep what was recorded before a reset: it moves to `episodes/N`, a run folder of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["archive"]

#: What stays with the live simulation.
_STAYS = ("control", "experiment", "episodes", ".reserve")


def archive(folder: Path, episode: int) -> Path:
    """Move the recording of a finished episode to `episodes/<episode>` and return that folder."""
    place = folder / "episodes" / str(episode)
    place.mkdir(parents=True)
    for entry in folder.iterdir():
        if not entry.name.startswith(_STAYS) and entry.suffix != ".log":
            shutil.move(entry, place / entry.name)
    if (folder / "experiment").is_dir():
        shutil.copytree(folder / "experiment", place / "experiment")
    return place
