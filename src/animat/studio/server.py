"""Serve an application over HTTP until the user ends it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from importlib.util import find_spec
from types import FrameType

from animat.errors import AnimatError
from animat.studio.brain import Brain
from animat.studio.doors import Doors, is_loopback
from animat.studio.reader import Reader

__all__ = ["PORT", "bind", "check_doors", "check_installed", "serve"]

#: NEST Server's port, which its clients know.
PORT = 52425


def check_installed() -> None:
    """Say what to install if the server's packages are missing."""
    for name in ("starlette", "uvicorn"):
        if find_spec(name) is None:
            raise AnimatError(f"the server needs {name}: pip install 'animat[studio]'")


def check_doors(host: str, doors: Doors) -> None:
    """Refuse a server without a token that other machines reach."""
    if doors.token is None and not is_loopback(host):
        raise AnimatError(
            f"--no-auth serves this machine only, and {host} is reached from others; "
            "leave it out, or bind to 127.0.0.1 and come in through ssh -L"
        )


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket (port 0: any free one); it stays bound while the brain starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small answers at once only on sockets that say TCP; others wait 40 ms for the client
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        other = "--port chooses another" if error.errno == errno.EADDRINUSE else "see --host and --port"
        raise AnimatError(f"cannot serve at {host}:{port} ({error.strerror}); {other}") from None
    return listening


def serve(brain: Brain, doors: Doors, listening: socket.socket, on_ready: Callable[[], None]) -> None:
    """Answer requests for a started brain until Ctrl-C or SIGTERM, which end a call under way too."""
    import uvicorn

    from animat.studio.app import nest_server

    reader = Reader()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_ready()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            brain.interrupt()
            reader.interrupt()
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        nest_server(brain, reader, doors),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=3,
        timeout_keep_alive=75,
    )
    try:
        Server(config).run(sockets=[listening])
    finally:
        reader.close()
