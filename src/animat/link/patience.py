"""How long a call may take before its worker counts as hung."""

from __future__ import annotations

import time

__all__ = ["Patience"]

#: Seconds that a worker has at least to start and to import what it serves.
_START_S = 300.0

_NO_LIMIT = float("inf")


class Patience:
    """The clock of the call under way, or of the start before the first one.

    Parameters
    ----------
    shortest_s
        Seconds that every call has, unless its caller sets another limit; the start has ten times as long, at least
        five minutes.
    """

    def __init__(self, shortest_s: float) -> None:
        self._shortest_s = shortest_s
        self._slowest: dict[str, float] = {}
        self._what = "did not start"
        self._began = self._heard = time.monotonic()
        self._limit_s, self._quiet_s = max(_START_S, 10 * shortest_s), _NO_LIMIT
        self._learns_of: str | None = None

    def begin(self, method: str, limit_s: float | None, quiet_s: float | None) -> None:
        """Start the clock of a call: the limits that are given, or 20 times the slowest such call so far."""
        self._what = f"did not answer {method!r}"
        self._began = self._heard = time.monotonic()
        self._limit_s = max(self._shortest_s, 20 * self._slowest.get(method, 0.0)) if limit_s is None else limit_s
        self._quiet_s = _NO_LIMIT if quiet_s is None else quiet_s
        self._learns_of = method if limit_s is None else None

    def heard(self) -> None:
        """Note a sign of life."""
        self._heard = time.monotonic()

    def end(self) -> None:
        """Note that the call has answered; how long it took counts for later ones unless it had a limit of its own."""
        if self._learns_of is not None:
            took = time.monotonic() - self._began
            self._slowest[self._learns_of] = max(self._slowest.get(self._learns_of, 0.0), took)

    @property
    def left_s(self) -> float:
        """Seconds left; infinite without a limit."""
        return min(self._began + self._limit_s, self._heard + self._quiet_s) - time.monotonic()

    def __str__(self) -> str:
        now = time.monotonic()
        silent = "" if self._quiet_s == _NO_LIMIT else f", was silent for {now - self._heard:.3g} s"
        return f"{self._what} within {now - self._began:.3g} s{silent}"
