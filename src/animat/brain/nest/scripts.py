"""Brains as scripts: PyNEST or PyNN code that leaves a dictionary of populations, run as a program of its own."""

from __future__ import annotations

import os
import random
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from animat.brain.nest.kernel import last_words, reason
from animat.brain.nest.recorder_files import RecorderFiles, recorder_files
from animat.brain.nest.script_kernel import check_kernel, connect_relays, settings_kept
from animat.brain.nest.script_nodes import node_collections
from animat.brain.protocol import BrainScript, BrainSettings
from animat.errors import AnimatError, text_of

__all__ = ["Left", "run_script"]

#: What makes a script one of PyNN's, whatever it is called.
_IMPORTS_PYNN = re.compile(rb"^[ \t]*(import|from)[ \t]+pyNN\b", re.MULTILINE)

#: What to do about errors that have another cause than the line where they occur.
_HINTS = (
    (
        r"Resolution must be",
        "the experiment sets the resolution: write it there, brain: {resolution: ..}, and leave it out of the script",
    ),
    (
        r"nonzero on 0d arrays",
        "PyNN up to 0.13 cannot connect single neurons one to one with numpy 2.1 or later: write AllToAllConnector() "
        "there, which is the same for single neurons, or install 'numpy<2.1' where the brain runs",
    ),
    (
        r"^ModuleNotFoundError: No module named",
        f"install it where the brain runs ({sys.executable}), or name an interpreter that has it: brain: "
        "{python: PATH}",
    ),
)


@dataclass(frozen=True)
class Left:
    """What a script left: node collections by name, what a user should know of it, and files of its recorders."""

    nodes: dict[str, Any]
    notes: tuple[str, ...]
    files: RecorderFiles | None


def run_script(nest: Any, script: BrainScript, settings: BrainSettings) -> Left:
    """Run the script in its own folder, as `python SCRIPT ARGS` would, and take what it leaves.

    Resolution, threads and seed are set before it runs and again when it resets the kernel; PyNN's `setup` takes
    them as defaults. What the script then sets otherwise is refused, except the seed, which is set again. numpy's and
    Python's own random numbers begin with the experiment's seed, too. Recorders of the script write their files into
    the folder of `settings.shard`, unless the script says where.

    Raises
    ------
    AnimatError
        With the script's file and line, for every exception and for an end with another code than 0.
    """
    path = Path(script.path)
    source = _read(path)
    code = _compiled(source, path)
    pynn = script.kind == "pynn" or _IMPORTS_PYNN.search(source) is not None
    folder = path.parent if settings.shard is None else Path(settings.shard).parent
    program = ModuleType("__main__")
    program.__file__ = str(path)
    random.seed(settings.seed)
    np.random.seed(settings.seed % 2**32)  # noqa: NPY002 (it is the scripts that use it)
    nest.SetKernelStatus({"data_path": str(folder)})
    with settings_kept(nest, settings, pynn=pynn), _as_program(program, path, script.args):
        _run(nest, code, program, path)
        if nest.GetKernelStatus("prepared"):
            nest.Cleanup()
        nest.verbosity = nest.VerbosityLevel.ERROR
        nest.print_time = False
        if pynn:
            connect_relays()
        notes = check_kernel(nest, path, settings)
        nodes, more = node_collections(nest, vars(program), path)
        return Left(nodes, (*notes, *more), recorder_files(nest, path))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AnimatError(f"cannot read the script: {error}", file=path) from None


def _compiled(source: bytes, path: Path) -> CodeType:
    try:
        return compile(source, str(path), "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line, why = (error.lineno, error.msg) if isinstance(error, SyntaxError) else (None, text_of(error))
        raise AnimatError(f"not valid Python: {why}", file=path, line=line) from None


def _run(nest: Any, code: CodeType, program: ModuleType, path: Path) -> None:
    try:
        exec(code, vars(program))
    except SystemExit as error:
        if error.code not in (None, 0):
            raise AnimatError(_ended(error)).at(*_place(error, path)) from None
    except AnimatError as error:
        raise error.at(*_place(error, path)) from None
    except BaseException as error:
        text = reason(error) if isinstance(error, nest.NESTError) else text_of(error)
        said = f"{type(error).__name__}: {text}" if text else type(error).__name__
        hint = next((f" ({hint})" for pattern, hint in _HINTS if re.search(pattern, said)), "")
        raise AnimatError(said + hint).at(*_place(error, path)) from None


def _ended(error: SystemExit) -> str:
    if not isinstance(error.code, int):
        return f"the script ended itself: {text_of(error)}"
    said = last_words().strip().rpartition("\n")[2]
    return f"the script ended itself (exit {error.code})" + (f"; its last words: {said}" if said else "")


@contextmanager
def _as_program(program: ModuleType, path: Path, args: tuple[str, ...]) -> Iterator[None]:
    """Make `program` the main module, with its folder as the current one and its modules importable.

    Its own modules are imported anew when it runs again.
    """
    folder = path.parent
    before, argv, path_before, main, known = Path.cwd(), sys.argv, sys.path[:], sys.modules["__main__"], {*sys.modules}
    os.chdir(folder)
    sys.argv = [str(path), *args]
    sys.path.insert(0, str(folder))
    sys.modules["__main__"] = program
    try:
        yield
    finally:
        os.chdir(before)
        sys.argv, sys.path[:], sys.modules["__main__"] = argv, path_before, main
        for name in [name for name in sys.modules if name not in known and _is_own(sys.modules[name], folder)]:
            del sys.modules[name]


def _is_own(module: ModuleType, folder: Path) -> bool:
    """Return whether a module lies in the script's folder and is no installed package's."""
    file = getattr(module, "__file__", None)
    return file is not None and _lies_in(file, folder)


def _lies_in(file: str, folder: Path) -> bool:
    return Path(file).is_relative_to(folder) and "site-packages" not in Path(file).parts


def _place(error: BaseException, path: Path) -> tuple[str, int | None]:
    """Return the file and line of the script, or of a module beside it, where an exception came from."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _lies_in(frame.filename, path.parent)]
    return (frames[-1].filename, frames[-1].lineno) if frames else (str(path), None)
