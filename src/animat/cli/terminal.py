"""Consoles and the progress line: coloured in a terminal, plain when piped."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn

__all__ = ["ProgressLine", "console", "errors"]

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

#: Seconds between two lines of progress when the output is not a terminal.
_PLAIN_S = 5.0
#: Seconds between two updates in a terminal.
_LIVE_S = 0.1


class ProgressLine:
    """Shows what is going on, how far it is, simulated time, real-time factor and time left.

    Call it as `animat.simulation.runner.Progress`: (what, fraction or None). Messages (``message: TEXT``) are printed
    above the bar.
    """

    def __init__(self) -> None:
        self._live = errors.is_terminal
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[detail]}"),
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
            errors.print(what.removeprefix("message: "), markup=False)
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
