"""What can go wrong with a worker process."""

from __future__ import annotations

from animat.errors import AnimatError

__all__ = ["WorkerDied", "WorkerError", "WorkerHung"]


class WorkerDied(AnimatError):
    """A process of the worker ended, or failed where others did not; the message carries its last words.

    `rank` and `traceback` say which and where, as far as that is known.
    """

    def __init__(self, what: str, rank: int | None = None, traceback: str = "") -> None:
        super().__init__(what)
        self.rank = rank
        self.traceback = traceback


class WorkerHung(AnimatError):
    """The worker did not answer within its patience and was killed."""


class WorkerError(AnimatError):
    """The worker raised something that is not a user's mistake; `traceback` is its text."""

    def __init__(self, what: str, traceback: str = "") -> None:
        super().__init__(what)
        self.traceback = traceback
