"""Errors that a user can act on: what was wrong, where, what would be right, which names exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

__all__ = ["AnimatError", "shortened", "told", "unknown_name"]

#: Characters of a name, and of an exception's text, that a message repeats.
_NAME, _TEXT = 100, 2000


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
        self.what = what
        self.file = None if file is None else str(file)
        self.line = line
        super().__init__(what)

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


def unknown_name(kind: str, name: str, known: Iterable[str], **where: object) -> AnimatError:
    """Return the error for a name that does not exist, with the nearest and all existing names."""
    name = shortened(str(name), _NAME)
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    shown = ", ".join(names[:40]) + (f", ... ({len(names)} in all)" if len(names) > 40 else "")
    listing = f" Known: {shown}." if names else " There are none."
    return AnimatError(f"unknown {kind} {name!r}.{hint}{listing}", **where)  # type: ignore[arg-type]


def told(error: BaseException) -> str:
    """Return what an exception says, in a form that any file and terminal takes, and of bounded length.

    The exception may be anybody's: its text may be endless, hold half of a character, or fail itself.
    """
    try:
        text = str(error)
    except BaseException as another:
        text = f"(its text cannot be had: {type(another).__name__})"
    text = shortened(text[: 4 * _TEXT].encode("utf-8", "backslashreplace").decode(), _TEXT)
    if isinstance(error, AnimatError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def shortened(text: str, length: int) -> str:
    """Return a text of at most about `length` characters, with what is left out counted."""
    if len(text) <= length:
        return text
    half = length // 2
    return f"{text[:half]} ... ({len(text) - 2 * half:,} characters) ... {text[-half:]}"
