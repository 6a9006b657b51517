"""What is said of a file or folder that does not exist: what lies beside where it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from animat.errors import AnimatError, nearest

__all__ = ["beside", "missing"]

#: Entries of a folder that are looked at, and named.
_LOOKED_AT, _NAMED = 1000, 8


def missing(kind: str, path: str | Path, fits: Callable[[Path], bool] = Path.is_file) -> AnimatError:
    """Return the error for a `kind` of file or folder that does not exist, with the nearest that `fits` admits."""
    path = Path(path)
    absent = path
    while not absent.parent.is_dir() and absent.parent != absent:
        absent = absent.parent
    names = list(beside(absent, fits if absent == path else Path.is_dir))
    what = f"there is no {kind} {path}" + ("" if absent == path else f": there is no folder {absent}")
    close = nearest(absent.name, names)
    if close is not None:
        return AnimatError(f"{what}. Did you mean {str(absent.with_name(close))!r}?")
    listed = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return AnimatError(f"{what}. There {'are' if len(names) > 1 else 'is'}: {listed}." if names else f"{what}.")


def beside(path: Path, fits: Callable[[Path], bool]) -> Iterator[str]:
    """Yield the names in the folder of `path` that `fits` admits, in order; hidden ones are left out."""
    entries: list[Path] = []
    with suppress(OSError):
        entries = sorted(islice(path.parent.iterdir(), _LOOKED_AT))
    for entry in entries:
        with suppress(OSError):
            if not entry.name.startswith((".", "_")) and fits(entry):
                yield entry.name
