"""Turn the source text of a transfer function file into declared functions."""

from __future__ import annotations

import linecache
import traceback

from animat.errors import AnimatError, error_text
from animat.transfer.declare import TransferFunction

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
        exec(compile(source, file, "exec"), namespace)
    except SyntaxError as error:
        raise AnimatError(f"not valid Python: {error.msg}", file=file, line=error.lineno) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise AnimatError(error_text(error), file=file, line=error_place(error, file)) from None
    functions = [value for value in namespace.values() if isinstance(value, TransferFunction)]
    if not functions:
        raise AnimatError("no transfer function found; decorate one with @transfer_function(...)", file=file)
    return functions


def error_place(error: BaseException, file: str) -> int | None:
    """Return the line in `file` where `error` came from, or None."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return frames[-1].lineno if frames else None
