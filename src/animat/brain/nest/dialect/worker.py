"""What the worker of `animat brain serve` answers: NEST's functions and scripts, by any number of processes."""

from __future__ import annotations

import contextlib
import inspect
import io
import warnings
from collections.abc import Callable
from typing import Any

import nest

from animat.brain.nest.dialect.call import Caller, names, refused
from animat.brain.nest.dialect.limits import limit_memory
from animat.brain.nest.dialect.pieces import Piece, together
from animat.brain.nest.dialect.protocol import About
from animat.brain.nest.dialect.script import explained, run_script
from animat.errors import AnimatError, unknown_name
from animat.link.collective import Collective, Handlers

__all__ = ["handlers"]


def handlers(progress: Callable[[str, float], None]) -> Handlers:
    """Return the requests of a server for NEST's own interface."""
    warnings.simplefilter("ignore", UserWarning)
    caller: list[Caller] = []

    def prepare(memory: int, threads: int, scripts: bool) -> About:
        limit_memory(memory)
        caller.append(Caller(memory, threads, scripts))
        status = nest.GetKernelStatus()
        version, processes = status["build_info"]["version"], status["num_processes"]
        return About(version, processes, caller[0].names, {} if scripts else refused())

    def call(name: str, args: list[Any], kwargs: dict[str, Any]) -> Piece:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                return caller[0].call(name, args, kwargs)
        except BaseException as error:
            if caller[0].goes_on_after(name):
                return Piece(error=explained(error).what)
            raise explained(error) from None

    def script(source: str, returned: str | list[str] | None) -> Piece:
        value, printed = run_script(source, returned)
        return Piece(value, printed=printed)

    def explain(name: str, what: str) -> str:
        return _explain(name, what)

    return {
        "prepare": prepare,
        "call": Collective(call, together),
        "script": Collective(script, together),
        "explain": explain,
    }


def _explain(name: str, what: str) -> str:
    ways: dict[str, Callable[[Any], str | None]] = {"getdoc": inspect.getdoc, "getsource": inspect.getsource}
    if what not in ways:
        raise unknown_name("inspection", what, ways)
    thing = getattr(nest, name, None) if not name.startswith("_") else None
    if not callable(thing):
        raise unknown_name("call", name, names(everything=True))
    try:
        return ways[what](thing) or ""
    except (OSError, TypeError) as error:
        raise AnimatError(f"{name} has no source to show: {error}") from None
