"""Opening the live view of a running simulation, in a process of its own so that it never slows the loop."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from animat.errors import AnimatError
from animat.run.format import table_file
from animat.run.reader import open_run, read_stream
from animat.run.scene import read_scene
from animat.run.spikes import read_populations
from animat.simulation.client import Client
from animat.simulation.view.latest import Latest
from animat.simulation.view.server import ViewServer

__all__ = ["open_view", "watch"]

#: Seconds that the viewing process gets to open its page, and that browsers get to fetch the last frame.
_OPEN_S = 20.0
_LINGER_S = 2.0


def open_view(folder: str | Path) -> str:
    """Start the live view of the simulation in `folder` and return the address of its page.

    The page lives as long as the simulation; closing it, or killing its process, changes nothing.

    Raises
    ------
    AnimatError
        If no simulation runs there or the page cannot be opened.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "animat.simulation.view", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    ready, _, _ = select.select([process.stdout], [], [], _OPEN_S)
    url = process.stdout.readline().strip() if ready else ""
    process.stdout.close()
    if not url:
        process.kill()
        raise AnimatError(f"cannot open the live view: {process.communicate()[1].strip() or 'it did not start'}")
    process.stderr.close()
    return url


def watch(folder: Path) -> None:
    """Serve the live view until the simulation has ended; prints the page's address first."""
    latest = Latest()
    with Client(folder) as client:
        latest.take("state", {**client.request("status", timeout=_OPEN_S), "tick": 0})
        server = ViewServer(latest, lambda: _setup(folder, latest))
        print(server.url, flush=True)
        sys.stdout.close()
        for topic, content in client.stream("state", "signals", "spikes", "poses"):
            latest.take(topic, content)
    summary = open_run(folder).summary
    end = {"state": summary.get("state", "ended"), "error": summary.get("error") or "", "name": summary.get("name")}
    latest.take(
        "state",
        {**end, "tick": round((float(summary.get("begin_ms") or 0) + float(summary.get("simulated_ms") or 0)) * 1e6)},
    )
    server.closing.set()
    time.sleep(_LINGER_S)
    server.close()


def _setup(folder: Path, latest: Latest) -> dict[str, Any]:
    """Return bodies and populations once the simulation has begun to record, and tell `latest` of them."""
    brains, bodies = read_populations(folder), read_scene(folder)
    signals = read_stream(folder / table_file("signals"))
    begun = signals is not None or bodies or any(folder.glob("counts.*.arrow"))
    if not begun:
        return {}
    columns = {} if signals is None else open_run(folder).columns()
    latest.know(brains, {name: column.size for name, column in columns.items()})
    return {
        "bodies": json.loads(msgspec.json.encode(bodies)),
        "populations": [{"name": one.name, "size": one.size} for brain in brains.values() for one in brain],
    }
