"""What is thrown into a running simulation from outside; a transfer function cannot catch it as an error of its own."""

from __future__ import annotations

__all__ = ["Abandon", "Interruption", "StopFunction"]


class Interruption(BaseException):
    """Thrown by a signal's handler; everything else that a transfer function throws is its own mistake."""


class StopFunction(Interruption):
    """Thrown into a transfer function that does not return, when the simulation is to stop."""


class Abandon(Interruption):
    """Thrown into whatever is going on, when it is to be given up at once."""
