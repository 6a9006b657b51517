"""Turn the source text of a transfer function file into declared functions."""

from __future__ import annotations

import ast
import linecache
import traceback

from animat.errors import AnimatError, told
from animat.transfer.declare import TransferFunction
from animat.transfer.interruption import Interruption

__all__ = ["error_place", "load_functions"]


def load_functions(source: str, file: str) -> list[TransferFunction]:
    """Run `source` and return its transfer functions in the order of definition.

    Raises
    ------
    AnimatError
        With file and line, when the source does not compile, fails while it runs, or declares nothing.
    """
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace: dict[str, object] = {"__name__": "transfer_functions", "__file__": file}
    try:
        tree = ast.parse(source, file)
        _check_names(tree, file)
        exec(compile(tree, file, "exec"), namespace)
    except SyntaxError as error:
        raise AnimatError(f"not valid Python: {error.msg}", file=file, line=error.lineno) from None
    except Interruption:
        raise
    except BaseException as error:
        if isinstance(error, AnimatError) and error.file == file:
            raise
        raise AnimatError(told(error), file=file, line=error_place(error, file)) from None
    functions = [value for value in namespace.values() if isinstance(value, TransferFunction)]
    if not functions:
        raise AnimatError("no transfer function found; decorate one with @transfer_function(...)", file=file)
    return functions


def _check_names(tree: ast.Module, file: str) -> None:
    """Refuse two decorated functions of one name: Python would silently keep the later one only."""
    lines: dict[str, int] = {}
    for item in tree.body:
        if isinstance(item, ast.FunctionDef) and item.decorator_list:
            before = lines.setdefault(item.name, item.lineno)
            if before != item.lineno:
                what = f"two functions are called {item.name!r}; the other stands in line {before}"
                raise AnimatError(what, file=file, line=item.lineno)


def error_place(error: BaseException, file: str) -> int | None:
    """Return the line in `file` where `error` came from, or None."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return frames[-1].lineno if frames else None
