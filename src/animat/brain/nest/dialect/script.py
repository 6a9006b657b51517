"""Run a script in one process and take what it leaves."""

from __future__ import annotations

import contextlib
import io
import traceback
from typing import Any

import nest
import numpy as np

from animat.brain.nest.dialect.plain import plain
from animat.brain.nest.kernel import reason
from animat.errors import AnimatError, shortened, text_of, unknown_name

__all__ = ["explained", "run_script"]

_NAME = "<script>"

#: Names that every script finds.
_GIVEN = {"nest": nest, "np": np, "numpy": np}


def run_script(source: str, returned: str | list[str] | None) -> tuple[Any, str]:
    """Run Python code in a namespace of its own and return the variables asked for, and what it printed.

    Raises
    ------
    AnimatError
        For any exception of the script, endless recursion and an exit with another code than 0 too; `line` is the
        script's.
    """
    names: dict[str, Any] = {"__name__": "__main__", **_GIVEN}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(source, _NAME, "exec"), names)
        except BaseException as error:
            if not isinstance(error, SystemExit) or error.code not in (None, 0):
                raise explained(error) from None
    return _returned(names, returned), printed.getvalue().encode(errors="backslashreplace").decode()


def _returned(names: dict[str, Any], returned: str | list[str] | None) -> Any:
    if returned is None:
        return None
    for name in [returned] if isinstance(returned, str) else returned:
        if name not in names:
            own = [one for one, value in names.items() if not one.startswith("__") and _GIVEN.get(one) is not value]
            raise unknown_name("variable to return", name, own)
    if isinstance(returned, str):
        return plain(names[returned], returned)
    return {name: plain(names[name], name) for name in returned}


def explained(error: BaseException) -> AnimatError:
    """Return an exception as an error for the user, with the script's line where it has one.

    NEST's own lack of memory leaves it broken, so that is raised as it is: it costs the brain.
    """
    if isinstance(error, AnimatError):
        return error
    if isinstance(error, MemoryError) and "bad_alloc" in str(error):
        raise error
    kind, text = type(error).__name__, text_of(error)
    if isinstance(error, SystemExit):
        text = f"the script ended itself (exit {text}); the brain goes on"
    elif isinstance(error, KeyError) and error.args and isinstance(error.args[0], str):
        text = shortened(error.args[0])
    if type(error).__module__ == "NESTErrors":
        kind, text = f"{kind} (NESTError)", reason(error)
    line = _line(error)
    where = "" if line is None else f" at line {line}"
    return AnimatError(f"{kind}{where}: {text}", line=line)


def _line(error: BaseException) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == _NAME:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == _NAME]
    return lines[-1] if lines else None
