"""Errors that a user can act on: what was wrong, where, what would be right, which names exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["AnimatError", "error_text", "legible", "nearest", "unknown_name"]

#: Characters of a message that are kept; a longer one holds data, not words.
MOST_CHARACTERS = 4000


class AnimatError(Exception):
    """A mistake or failure explained in the user's words; shown without a traceback.

    Parameters
    ----------
    what
        What is wrong and what would be right, one or a few sentences.
    file, line
        Where, when it stands in a file. Lines count from 1.
    """

    def __init__(self, what: str, *, file: str | Path | None = None, line: int | None = None) -> None:
        self.what = legible(what)
        self.file = None if file is None else str(file)
        self.line = line
        super().__init__(self.what)

    def __str__(self) -> str:
        if self.file is None:
            return self.what
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.what}"

    def at(self, file: str | Path | None, line: int | None = None) -> AnimatError:
        """Return the same error placed at `file` and `line`, unless it has a place already."""
        if self.file is None and file is not None:
            self.file, self.line = str(file), line
        return self


def legible(text: str) -> str:
    """Return text that can be printed and sent: halves of characters escaped, the middle of a long one left out."""
    if len(text) > MOST_CHARACTERS:
        half = MOST_CHARACTERS // 2
        text = f"{text[:half]} ... ({len(text) - 2 * half:,} characters left out) ... {text[-half:]}"
    return text.encode(errors="backslashreplace").decode()


def error_text(error: BaseException) -> str:
    """Return the kind and the text of what somebody else's code raised; of an `AnimatError` its text alone."""
    if isinstance(error, AnimatError):
        return error.what
    kind = type(error).__name__
    try:
        text = str(error)
    except BaseException as failure:
        return legible(f"{kind} (its text cannot be shown: that fails with {type(failure).__name__})")
    return legible(f"{kind}: {text}" if text else kind)


def unknown_name(kind: str, name: str, known: Iterable[str], **where: object) -> AnimatError:
    """Return the error for a name that does not exist, with the nearest and all existing names."""
    names = sorted(set(known))
    close = nearest(name, names)
    hint = f" Did you mean {close!r}?" if close is not None else ""
    shown = ", ".join(names[:40]) + (f", ... ({len(names)} in all)" if len(names) > 40 else "")
    listing = f" Known: {shown}." if names else " There are none."
    return AnimatError(f"unknown {kind} {name!r}.{hint}{listing}", **where)  # type: ignore[arg-type]


def nearest(name: str, names: Sequence[str]) -> str | None:
    """Return the name that was probably meant, whatever its case; None if none is near."""
    folded = {known.casefold(): known for known in reversed(names)}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    return folded[close[0]] if close else None
