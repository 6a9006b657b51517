"""What the worker of `animat brain serve` answers: NEST's functions and scripts, by any number of processes."""

from __future__ import annotations

import contextlib
import inspect
import io
import warnings
from collections.abc import Callable
from typing import Any

import msgspec
import nest

from animat.brain.nest.dialect.call import Caller, names, refused
from animat.brain.nest.dialect.calls import LOCAL
from animat.brain.nest.dialect.limits import limit_memory
from animat.brain.nest.dialect.merge import merge_values
from animat.brain.nest.dialect.protocol import About, Answer
from animat.brain.nest.dialect.script import explained, run_script
from animat.brain.nest.dialect.status import Share, put_together
from animat.errors import AnimatError, unknown_name
from animat.link.collective import Collective, Handlers

__all__ = ["handlers"]


class Piece(msgspec.Struct):
    """What one process found; `error` where it failed alone and the others can go on."""

    value: Any = None
    share: Share | None = None
    keys: str | list[str] | None = None
    printed: str = ""
    error: str | None = None


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
                value = caller[0].call(name, args, kwargs)
        except BaseException as error:
            if name in LOCAL:
                return Piece(error=explained(error).what)
            raise explained(error) from None
        if isinstance(value, Share):
            keys = kwargs.get("keys", args[1] if len(args) > 1 else None)
            return Piece(share=value, keys=keys)
        return Piece(value)

    def script(source: str, returned: str | list[str] | None) -> Piece:
        value, printed = run_script(source, returned)
        return Piece(value, printed=printed)

    def explain(name: str, what: str) -> str:
        return _explain(name, what)

    return {
        "prepare": prepare,
        "call": Collective(call, _together),
        "script": Collective(script, _together),
        "explain": explain,
    }


def _together(pieces: list[Piece]) -> Answer:
    failed = [piece.error for piece in pieces if piece.error is not None]
    if failed:
        return Answer(error=failed[0])
    shares = [piece.share for piece in pieces if piece.share is not None]
    try:
        if shares:
            return Answer(put_together(shares, pieces[0].keys))
        data, notes = merge_values([piece.value for piece in pieces])
    except AnimatError as error:
        return Answer(error=error.what)
    return Answer(data, _printed([piece.printed for piece in pieces]), notes)


def _printed(texts: list[str]) -> str:
    """Return what the first process printed, and what others printed that differs."""
    others = [f"[process {rank}]\n{text}" for rank, text in enumerate(texts) if rank and text and text != texts[0]]
    return "\n".join([texts[0].rstrip("\n"), *others]) + "\n" if others and texts[0] else "".join([texts[0], *others])


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
