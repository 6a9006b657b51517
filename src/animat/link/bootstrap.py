"""Start a worker: ``python bootstrap.py INVITATION``, under any interpreter with numpy, pyzmq and msgspec.

Makes the package `animat` importable from the folder that this file lies in, and nothing else of the interpreter
that started it; the package's own ``__init__`` is not run. Prints what is missing, in one line, to its log.
"""

import ctypes
import faulthandler
import os
import signal
import sys
import tempfile
import types
from pathlib import Path

_LIBC_PR_SET_PDEATHSIG, _LIBC_PR_SET_NAME = 1, 15


def name_process(title: str) -> None:
    """Show the process as ``animat.brain ...`` to ps and top, as far as this system allows."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_LIBC_PR_SET_NAME, title.split()[0].encode()[:15], 0, 0, 0)
    try:
        import setproctitle
    except ImportError:
        return
    setproctitle.setproctitle(title)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread of `parent` that started it ends."""
    if sys.platform == "linux" and os.getppid() == parent:
        ctypes.CDLL(None).prctl(_LIBC_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def tell_where_on_signal(folder: Path) -> None:
    """Have SIGUSR1 write where each thread is to ``trace-PID`` in the folder, or to the log where that cannot be."""
    if hasattr(signal, "SIGUSR1"):
        try:
            trace = os.open(folder / f"trace-{os.getpid()}", os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError:
            trace = 2
        faulthandler.register(signal.SIGUSR1, file=trace)


def open_package(name: str, folder: Path) -> None:
    """Register `name` as a package whose modules lie in `folder`, without running its ``__init__``."""
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package


def main() -> None:
    """Prepare the process and hand over to `animat.link.serve`."""
    faulthandler.enable()
    invitation = Path(sys.argv[1])
    tell_where_on_signal(invitation.parent)
    tempfile.tempdir = str(invitation.parent)  # the parent removes it, however this process ends
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if entry and Path(entry).resolve() != here]
    if sys.version_info < (3, 10):  # noqa: UP036
        sys.exit(f"{sys.executable} is Python {sys.version.split()[0]}; a worker needs 3.10 or later")
    try:
        import msgspec
        import numpy
        import zmq
    except ImportError as error:
        sys.exit(
            f"{sys.executable} has no module {error.name}; "
            "a worker needs numpy, pyzmq and msgspec (pip install numpy pyzmq msgspec)"
        )
    del msgspec, numpy, zmq
    open_package("animat", here.parent)
    open_package("animat.link", here)
    from animat.link.serve import run_worker

    run_worker(invitation, name_process, die_with)


if __name__ == "__main__":
    main()
