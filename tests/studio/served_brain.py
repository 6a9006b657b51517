"""A server in a process of its own, as a user starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from animat.studio.nest_client import NestClient

TOKEN = "0123456789abcdef"


@dataclass
class Served:
    """Where it is, its process, and what it printed when it started."""

    url: str
    process: subprocess.Popen[str]
    said: str

    def client(self, timeout_s: float = 60.0) -> NestClient:
        return NestClient(self.url, token=TOKEN, timeout_s=timeout_s)


@contextmanager
def served(*options: str, port: int = 0, token: str = TOKEN) -> Iterator[Served]:
    """Run `animat brain serve`; the process is gone afterwards."""
    command = [sys.executable, "-m", "animat.cli", "brain", "serve", "--port", str(port), *options]
    environment = {**os.environ, "NEST_SERVER_ACCESS_TOKEN": token, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("try:"):
                break
        found = re.search(r"served at (\S+);", said)
        assert found, said
        yield Served(found[1], process, said)
    finally:
        process.terminate()
        process.communicate(timeout=20)
