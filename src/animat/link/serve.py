"""The worker's side of a link: dial the parent, import what is to be served, answer calls until the link closes."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import zmq

from animat.errors import AnimatError
from animat.link.collective import Collective, Handler, Handlers
from animat.link.wire import (
    ERROR,
    HELLO,
    PROGRESS,
    PROTOCOL_VERSION,
    READY,
    REPLY,
    Failure,
    Hello,
    Invitation,
    arguments_type,
    decoder,
    encode,
)

__all__ = ["Progress", "run_worker"]

#: What a served module's ``handlers(progress)`` receives: call it with a text and the fraction done.
Progress = Callable[[str, float], None]


def run_worker(invitation_file: Path, name_process: Callable[[str], None], die_with: Callable[[int], None]) -> None:
    """Serve the module that the invitation names: its ``handlers(progress)`` returns `Handlers`.

    Ends when the parent says so, when its end of the link closes, or (Linux) when it dies.
    """
    invitation = decoder(Invitation).decode(invitation_file.read_bytes())
    name_process(invitation.title)
    if invitation.parent is not None:
        die_with(invitation.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 1000
    lost = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    socket.connect(invitation.address)
    hello = Hello(PROTOCOL_VERSION, invitation.token, invitation.serve, os.getpid(), platform.python_version())
    socket.send_multipart([HELLO, encode(hello)])
    try:
        _serve(socket, lost, invitation)
    finally:
        socket.disable_monitor()
        lost.close(0)
        socket.close()
        context.term()
    sys.stdout.flush()


def _serve(socket: zmq.Socket[bytes], lost: zmq.Socket[bytes], invitation: Invitation) -> None:
    def progress(what: str, done: float) -> None:
        socket.send_multipart([PROGRESS, encode((what, done))])

    try:
        handlers: Handlers = _module(invitation.serve).handlers(progress)
        served = {name.encode(): _served(handler) for name, handler in handlers.items()}
    except Exception as error:
        socket.send_multipart([ERROR, encode(_failure(error))])
        return
    socket.send_multipart([READY, encode(sorted(handlers))])
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(lost, zmq.POLLIN)
    while True:
        ready = dict(poller.poll())
        if socket not in ready:
            return
        method, payload = socket.recv_multipart()
        if not method:
            return
        try:
            call, arguments = served[method]
            answer = [REPLY, encode(call(*arguments.decode(payload)))]
        except Exception as error:
            answer = [ERROR, encode(_failure(error))]
        socket.send_multipart(answer)


def _served(handler: Handler) -> tuple[Callable[..., Any], Any]:
    """Return the function of a handler in one process, and the decoder of its arguments."""
    if isinstance(handler, Collective):
        part, merge = handler.part, handler.merge
        return lambda *arguments: merge([part(*arguments)]), decoder(arguments_type(part))
    return handler, decoder(arguments_type(handler))


def _module(serve: str) -> ModuleType:
    if not serve.endswith(".py"):
        return importlib.import_module(serve)
    spec = importlib.util.spec_from_file_location(Path(serve).stem, serve)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _failure(error: Exception) -> Failure:
    if isinstance(error, AnimatError):
        return Failure(error.what, error.file, error.line)
    return Failure(f"{type(error).__name__}: {error}", traceback="".join(traceback.format_exception(error)))
