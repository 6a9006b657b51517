"""Where a run goes when the user does not say."""

from __future__ import annotations

import time
from pathlib import Path

__all__ = ["fresh_folder"]


def fresh_folder(experiment: str | Path, out: str | Path | None) -> Path:
    """Return `out`, or a folder under `runs/` named after the experiment and the time that does not exist yet."""
    if out is not None:
        return Path(out)
    stem = f"{Path(experiment).resolve().name}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder, number = Path("runs") / stem, 1
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{stem}-{number}"
    return folder
