"""Run a command that ends with its parent: ``python leash.py PARENT COMMAND ...`` (Linux; elsewhere just runs it)."""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_LIBC_PR_SET_PDEATHSIG = 1


def leashed(command: Sequence[str]) -> list[str]:
    """Return the command that runs `command` and ends it with the thread of this process that starts it."""
    return [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(os.getpid()), *command]


def main() -> None:
    """Tie this process to the parent and become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_LIBC_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
