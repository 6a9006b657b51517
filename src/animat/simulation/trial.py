"""A live edit that is tried beside the running loop, in a throwaway process and a thread that waits for it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from animat.errors import AnimatError, told
from animat.transfer.bind import Surroundings
from animat.transfer.dry import dry_call

__all__ = ["Trial"]


@dataclass(frozen=True)
class _Task:
    sources: dict[str, str]
    around: Surroundings
    sensors: dict[str, NDArray[np.float64]]
    parameters: Mapping[str, float | str]
    seconds: Sequence[float]
    patience_s: float


class Trial:
    """New source of a transfer function file, and what calling its functions came to.

    Parameters
    ----------
    file, source
        What is to be replaced, and with what.
    """

    def __init__(self, file: str, source: str) -> None:
        self.file = file
        self.source = source
        self._error: AnimatError | None = None
        self._thread: threading.Thread | None = None

    @property
    def begun(self) -> bool:
        """Whether it has been started."""
        return self._thread is not None

    @property
    def done(self) -> bool:
        """Whether it has been started and has ended."""
        return self._thread is not None and not self._thread.is_alive()

    def begin(
        self,
        sources: Mapping[str, str],
        around: Surroundings,
        sensors: Mapping[str, NDArray[np.float64]],
        *,
        parameters: Mapping[str, float | str],
        seconds: Sequence[float],
        patience_s: float,
        folder: Path,
    ) -> None:
        """Call the functions of all `sources`, with the new one in its place, on copies of these values.

        Parameters
        ----------
        sensors, parameters, seconds, patience_s
            As `dry_call` takes them.
        folder
            The experiment's, for errors that name a file.
        """
        task = _Task(
            {**sources, self.file: self.source},
            around,
            {name: vector.copy() for name, vector in sensors.items()},
            dict(parameters),
            seconds,
            patience_s,
        )
        self._thread = threading.Thread(target=self._run, args=(task, folder), name="trial", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for the end, and raise what it came to.

        Raises
        ------
        AnimatError
            As `dry_call`, when the source is broken.
        """
        assert self._thread is not None
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self, task: _Task, folder: Path) -> None:
        try:
            dry_call(
                task.sources,
                task.around,
                task.sensors,
                parameters=task.parameters,
                seconds=task.seconds,
                patience_s=task.patience_s,
            )
        except AnimatError as error:
            if error.file is not None and not Path(error.file).is_absolute():
                error.file = str(folder / error.file)
            self._error = error
        except Exception as error:
            self._error = AnimatError(f"the trial call could not be made: {told(error)}")
