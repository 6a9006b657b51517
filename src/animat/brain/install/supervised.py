"""``python supervised.py COMMAND ...``: end COMMAND and all it has started when standard input closes.

Whoever started this holds the other end, so that even when that process is killed, nothing goes on without it.
"""

import os
import signal
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    """Run the command in this process's group and return its exit status."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_when_alone, daemon=True).start()
    return process.wait()


def _end_when_alone() -> None:
    os.read(sys.stdin.fileno(), 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
