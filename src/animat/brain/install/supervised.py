"""``python supervised.py COMMAND ...``: end COMMAND and all it has started when standard input closes.

Whoever started this holds the other end, so that even when that process is killed, nothing goes on without it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

import psutil

#: Whoever started this is gone.
_alone = threading.Event()


def main(command: list[str]) -> int:
    """Run the command in this process's session and return its exit status."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch = threading.Thread(target=_end_when_alone, daemon=True)
    watch.start()
    status = process.wait()
    if _alone.is_set():
        watch.join()  # it is not done with the others
    return status


def end_session(leader: int) -> None:
    """Kill all processes of the session that `leader` began, except this one.

    A process group is not enough: ninja gives each compiler a group of its own.
    """
    left = True
    while left:
        left = False
        for process in psutil.process_iter(["status"]):
            if process.pid != os.getpid() and process.info["status"] != psutil.STATUS_ZOMBIE:
                with contextlib.suppress(OSError):
                    if os.getsid(process.pid) == leader:
                        os.kill(process.pid, signal.SIGKILL)
                        left = True


def _end_when_alone() -> None:
    os.read(sys.stdin.fileno(), 1)
    _alone.set()
    end_session(os.getsid(0))
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
