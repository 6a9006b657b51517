"""Consoles and the progress line: coloured in a terminal, plain when piped.

Texts are printed as they are, whatever they hold; `rich.text.Text.assemble` makes those that have styles.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn

from animat.link.output import Heedless, text_stream

__all__ = ["ProgressLine", "console", "errors", "outlast_readers", "plain_console"]


def plain_console(**options: Any) -> Console:
    """Return a console that looks for no styles, links, numbers or emoji in what it prints."""
    return Console(highlight=False, markup=False, emoji=False, **options)


console = plain_console()
errors = plain_console(stderr=True)


def outlast_readers() -> Heedless:
    """Lose what is printed once nobody reads it (``| head``) or the disk is full, and go on.

    Returns what standard output goes to, which knows why something was lost.
    """
    out = Heedless(1)
    if sys.__stdout__ is not None and sys.stdout is sys.__stdout__:
        sys.stdout = text_stream(out, sys.__stdout__.encoding)
    if sys.__stderr__ is not None and sys.stderr is sys.__stderr__:
        sys.stderr = text_stream(Heedless(2), sys.__stderr__.encoding)
    return out


#: Seconds between two lines of progress when the output is not a terminal.
_PLAIN_S = 5.0
#: Seconds between two updates in a terminal.
_LIVE_S = 0.1


class ProgressLine:
    """Shows what is going on, how far it is, simulated time, real-time factor and time left.

    Call it as `animat.simulation.running.Progress`: (what, fraction or None). Messages (``message: TEXT``) are printed
    above the bar.
    """

    def __init__(self) -> None:
        self._live = errors.is_terminal
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=errors,
            transient=True,
            disable=not self._live,
        )
        self._task: TaskID | None = None
        self._what = ""
        self._shown = 0.0
        self.detail = ""

    def __enter__(self) -> ProgressLine:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, what: str, done: float | None) -> None:
        """Show `what` and the fraction `done` (None: not known)."""
        if what.startswith("message: "):
            errors.print(what.removeprefix("message: "))
            return
        now = time.monotonic()
        stage = what.split(":", 1)[0]
        fresh = stage != self._what
        if not fresh and now - self._shown < (_LIVE_S if self._live else _PLAIN_S) and done != 1.0:
            return
        self._shown = now
        if not self._live:
            if fresh or done != 1.0:
                percent = "" if done is None else f" {100 * done:.0f} %"
                print(f"{what}{percent} {self.detail}".rstrip(), file=sys.stderr, flush=True)
            self._what = stage
            return
        if fresh and self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        self._what = stage
        if self._task is None:
            self._task = self._bar.add_task(what, total=None if done is None else 1.0, detail="")
        total = None if done is None else 1.0
        self._bar.update(self._task, description=what, completed=done or 0.0, total=total, detail=self.detail)
