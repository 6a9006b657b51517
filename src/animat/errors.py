"""Errors that a user can act on: what was wrong, where, what would be right, which names exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["AnimatError", "nearest", "shortened", "text_of", "told", "unknown_name"]

#: Most characters that are shown of a name, of what an exception says, and of a text in which that may stand.
_LONGEST_NAME, _LONGEST_SAID, _LONGEST = 100, 1800, 2000


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
        self.what = shortened(what)
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


def unknown_name(kind: str, name: str, known: Iterable[str], **where: object) -> AnimatError:
    """Return the error for a name that does not exist, with the nearest and all existing names."""
    name = shortened(str(name), _LONGEST_NAME)
    names = sorted(set(known))
    close = nearest(name, names)
    hint = f" Did you mean {close!r}?" if close is not None else ""
    shown = ", ".join(names[:40]) + (f", ... ({len(names)} in all)" if len(names) > 40 else "")
    listing = f" Known: {shown}." if names else " There are none."
    return AnimatError(f"unknown {kind} {name!r}.{hint}{listing}", **where)  # type: ignore[arg-type]


def told(error: BaseException) -> str:
    """Return what an exception is and says, `shortened`; of one that is meant for users what it says."""
    if isinstance(error, AnimatError):
        return shortened(error.what)
    text = text_of(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def text_of(error: BaseException) -> str:
    """Return what an exception says, `shortened`; also of one that fails when it is asked."""
    try:
        return shortened(str(error), _LONGEST_SAID)
    except BaseException as second:
        return f"(what it says cannot be shown: {type(second).__name__})"


def shortened(text: str, longest: int = _LONGEST) -> str:
    """Return text that can be shown and sent: beginning and end of a long one, lone surrogates as escapes."""
    if len(text) > longest:
        half = longest // 2
        text = f"{text[:half]} ... ({len(text):,} characters in all) ... {text[-half:]}"
    return text.encode(errors="backslashreplace").decode()


def nearest(name: str, names: Sequence[str]) -> str | None:
    """Return the name that was probably meant, whatever its case; None if none is near."""
    folded = {known.casefold(): known for known in reversed(names)}
    close = difflib.get_close_matches(name.casefold(), folded, n=1)
    return folded[close[0]] if close else None
