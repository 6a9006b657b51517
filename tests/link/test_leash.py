"""A command that ends with the process that started it."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from animat.link.leash import leashed

PARENT = """
import subprocess, sys
from animat.link.leash import leashed
process = subprocess.Popen(leashed([sys.executable, "-c", "import time; time.sleep(60)"]))
print(process.pid, flush=True)
process.wait()
"""


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_command_is_run() -> None:
    done = subprocess.run(leashed([sys.executable, "-c", "print('said')"]), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "said\n", "")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tie no process to its parent")
def test_it_ends_with_a_killed_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        process = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    end = time.monotonic() + 10
    while alive(process):
        assert time.monotonic() < end, "it outlived its parent"
        time.sleep(0.02)
