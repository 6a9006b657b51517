"""OpenSim without its chatter: it prints from C++ to the process's own streams and writes `opensim.log`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from animat.errors import AnimatError

__all__ = ["import_opensim", "missing", "quiet"]


@lru_cache(maxsize=1)
def import_opensim() -> Any:
    """Return the module `opensim`, its logger silenced.

    Raises
    ------
    AnimatError
        If it is not installed; with the command that installs it.
    """
    try:
        import opensim
    except ImportError as error:
        raise missing(str(error)) from None
    opensim.Logger.setLevelString("off")
    opensim.Logger.removeFileSink()
    return opensim


def missing(why: str) -> AnimatError:
    """Return the error that says how to install OpenSim."""
    return AnimatError(
        f"the body engine opensim is not installed ({why}). Install it with: pip install 'animat[opensim]' "
        "(Python 3.11 to 3.13 on x86-64 Linux, Windows or a Mac), or write `engine: mujoco`"
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what C++ prints meanwhile from the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    try:
        with tempfile.TemporaryFile() as sink:
            os.dup2(sink.fileno(), 1)
            os.dup2(sink.fileno(), 2)
            yield
    finally:
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)
