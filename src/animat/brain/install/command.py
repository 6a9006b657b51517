"""Run one step of a build: output into a log, progress from it, and nothing left running whatever happens."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import animat.brain.install.supervised as supervised
from animat.errors import AnimatError

__all__ = ["ninja_step", "run_logged"]

_SUPERVISED = str(Path(supervised.__file__).resolve())

#: What ninja writes before each step.
_NINJA = re.compile(r"^\s*\[(\d+)/(\d+)\] ")

#: Seconds that a step has to tidy up when it is interrupted, before it is killed.
_GRACE_S = 3.0

#: Lines of the log that an error shows.
_SHOWN_LINES = 12


def run_logged(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    what: str,
    on_line: Callable[[str], None] = lambda line: None,
    limit_s: float | None = None,
) -> None:
    """Run `command` to its end, with all its output appended to `log`.

    Parameters
    ----------
    what
        What it does, for the error: "NEST could not be compiled".
    on_line
        Called with each line that it writes.
    limit_s
        Seconds after which it is ended, which makes it fail.

    Raises
    ------
    AnimatError
        If it fails; shows the end of the log and says where the whole of it is.
    """
    lines: list[str] = []
    with log.open("a", encoding="utf-8") as out:
        out.write(f"$ {' '.join(command)}\n")
        process = subprocess.Popen(
            [sys.executable, _SUPERVISED, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=dict(environment),
            start_new_session=True,
        )
        assert process.stdin is not None and process.stdout is not None
        too_long = threading.Timer(limit_s or 0.0, _end, [process])
        if limit_s is not None:
            too_long.start()
        try:
            for line in process.stdout:
                out.write(line)
                out.flush()
                lines = [*lines[1 - _SHOWN_LINES :], line.rstrip()]
                on_line(line)
            status = process.wait()
        except BaseException:
            _end(process)
            raise
        finally:
            too_long.cancel()
            process.stdin.close()
            process.stdout.close()
    if status != 0:
        end = "\n".join(f"  {line}" for line in lines)
        raise AnimatError(f"{what}. The log ends with:\n{end}\nThe whole log: {log}")


def _end(process: subprocess.Popen[str]) -> None:
    """Ask it and what it has started to end, and see to it that they do."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_S)
    supervised.end_session(process.pid)
    process.wait()


def ninja_step(line: str) -> tuple[int, int] | None:
    """Return (step, steps) if `line` is one of ninja's, such as ``[34/125] Building CXX object ...``."""
    found = _NINJA.match(line)
    return None if found is None else (int(found[1]), int(found[2]))
