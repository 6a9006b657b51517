"""The module that a worker serves: its handlers, their arguments, and what becomes of their exceptions."""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

from animat.errors import AnimatError, shortened, text_of, told
from animat.link.collective import Collective, Handler
from animat.link.wire import Failure, arguments_type, decoder

__all__ = ["BadCall", "Call", "Progress", "Served", "failure_of"]

#: What a served module's ``handlers(progress)`` receives: call it with a text and the fraction done.
Progress = Callable[[str, float], None]


class BadCall(Exception):
    """A call that no handler was asked to carry out: no such method, or arguments of other types."""


@dataclass(frozen=True)
class Call:
    """A handler with its arguments: what this process does, and how the pieces of all become the answer."""

    part: Callable[[], Any]
    merge: Callable[[list[Any]], Any] | None
    piece: Any

    def answer(self, mine: Any, others: Sequence[bytes | bytearray] = ()) -> Any:
        """Return the answer made of this process's piece and those of the others."""
        if self.merge is None:
            return mine
        return self.merge([mine, *(decoder(self.piece).decode(piece) for piece in others)])


class Served:
    """The handlers of a module, by name."""

    def __init__(self, serve: str, progress: Progress) -> None:
        self._handlers: dict[str, Handler] = _module(serve).handlers(progress)
        self.names = sorted(self._handlers)
        self._arguments = {name: arguments_type(_part(handler)) for name, handler in self._handlers.items()}

    def call(self, method: bytes, payload: bytes) -> Call:
        """Return what a request asks for; `BadCall` if it cannot be."""
        name = method.decode()
        try:
            handler = self._handlers[name]
            with _uncollected():
                arguments = decoder(self._arguments[name]).decode(payload)
        except Exception as error:
            raise BadCall(f"cannot call {name!r}: {told(error)}") from error
        if isinstance(handler, Collective):
            return Call(partial(handler.part, *arguments), handler.merge, _piece_type(handler))
        return Call(partial(handler, *arguments), None, None)


def failure_of(error: BaseException) -> Failure:
    """Return what of an exception crosses the link."""
    if isinstance(error, AnimatError):
        return Failure(shortened(error.what), error.file, error.line)
    what = text_of(error) if isinstance(error, BadCall) else told(error)
    return Failure(what, traceback=shortened("".join(traceback.format_exception(error)), 40_000))


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage meanwhile: it would be looked for again and again among values that are all being made."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _part(handler: Handler) -> Callable[..., Any]:
    return handler.part if isinstance(handler, Collective) else handler


@cache
def _piece_type(handler: Collective) -> Any:
    return get_type_hints(handler.part).get("return", Any)


def _module(serve: str) -> ModuleType:
    if not serve.endswith(".py"):
        return importlib.import_module(serve)
    spec = importlib.util.spec_from_file_location(Path(serve).stem, serve)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
