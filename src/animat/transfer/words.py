"""What a transfer function can say: a line in the run's log, or a message to whoever watches."""

from __future__ import annotations

from collections import deque

__all__ = ["log", "message", "take_words"]

_words: deque[tuple[str, str]] = deque(maxlen=1000)


def log(*items: object) -> None:
    """Write a line to the run's events (kind "log"); takes what `print` takes."""
    _words.append(("log", " ".join(map(str, items))))


def message(*items: object) -> None:
    """Show a line to the user: in the terminal, to joined clients, and in the run's events."""
    _words.append(("message", " ".join(map(str, items))))


def take_words() -> list[tuple[str, str]]:
    """Return what was said since the last call, as (kind, text); at most the last 1000."""
    words = list(_words)
    _words.clear()
    return words
