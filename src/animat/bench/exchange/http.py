"""The same sinks and sources driven over HTTP, one device at a time: a request for every read-out and every write.

This is how Feldotto et al. 2022 drove NEST (about 20 read-outs and three writes a step), here with `animat brain
serve` and a connection that is kept open. Nothing else runs: no body, no transfer function, no recording, all of which
the loop's step has. Sinks are neurons of NEST that never fire, as they were there.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median

import msgspec

from animat.bench.exchange.loop import SINKS, SOURCES, STEP
from animat.bench.exchange.spread import Spread, spread
from animat.bench.layout import Layout
from animat.errors import AnimatError
from animat.link.leash import leashed
from animat.simulation.running import Progress
from animat.studio.nest_client import NestClient

__all__ = ["HttpExchange", "measure_http"]

_NEVER_MV = 1e9


class HttpExchange(msgspec.Struct, frozen=True, kw_only=True):
    """What steps cost over HTTP.

    `beyond_kernel_ms` is a step without what NEST itself says that it simulated; `read_ms`, `write_ms` and
    `simulate_ms` are medians of one request, the last without the kernel's time.
    """

    steps: int
    requests_per_step: int
    step_ms: Spread
    beyond_kernel_ms: Spread
    read_ms: float
    write_ms: float
    simulate_ms: float


class _Step(msgspec.Struct):
    """Seconds of one step and of its requests."""

    total: float
    kernel: float
    simulate: float
    reads: list[float]
    writes: list[float]


def measure_http(layout: Layout, steps: int, progress: Progress) -> HttpExchange:
    """Serve the network of this folder in the layout and drive it for so many steps, after a first one.

    Raises
    ------
    AnimatError
        If the server does not start or answers with an error.
    """
    with _served(layout) as nest:
        sinks, sources = _build(nest)
        found = []
        for number in range(steps + 1):
            progress("over HTTP, one device at a time", number / (steps + 1))
            found.append(_step(nest, sinks, sources, number))
    later = found[1:]
    return HttpExchange(
        steps=steps,
        requests_per_step=SINKS + SOURCES + 1,
        step_ms=spread([one.total for one in later]),
        beyond_kernel_ms=spread([one.total - one.kernel for one in later]),
        read_ms=1000 * median(seconds for one in later for seconds in one.reads),
        write_ms=1000 * median(seconds for one in later for seconds in one.writes),
        simulate_ms=1000 * median(one.simulate - one.kernel for one in later),
    )


@contextmanager
def _served(layout: Layout) -> Iterator[NestClient]:
    """Run a server for as long as it is needed, and yield a client."""
    token = secrets.token_hex(16)
    options = ["--port", "0", "--processes", str(layout.processes), "--threads", str(layout.threads)]
    process = subprocess.Popen(
        leashed([sys.executable, "-m", "animat.cli", "brain", "serve", *options]),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "NEST_SERVER_ACCESS_TOKEN": token, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            found = re.search(r"served at (\S+);", line)
            if found is not None:
                with NestClient(found[1], token=token) as client:
                    yield client
                return
        raise AnimatError(f"the server did not start: {said.strip()[-500:]}")
    finally:
        process.terminate()
        process.communicate()


def _build(nest: NestClient) -> tuple[list[int], list[int]]:
    """Build the network of `network.yaml` with its devices, and return the ids of sinks and sources."""
    nest.startup(resolution=0.1, rng_seed=1)
    cells = nest.call("Create", "iaf_psc_alpha", 200)
    background = nest.call("Create", "poisson_generator", 1, {"rate": 8000.0})
    delay = {"delay": 1.5}
    nest.call("Connect", background, cells, syn_spec={"weight": 40.0, **delay})
    nest.call("Connect", cells, cells, {"rule": "fixed_indegree", "indegree": 20}, {"weight": 10.0, **delay})
    sinks = nest.call("Create", "iaf_psc_alpha", SINKS, {"V_th": _NEVER_MV})
    nest.call("Connect", cells, sinks, syn_spec={"weight": 10.0, **delay})
    sources = nest.call("Create", "poisson_generator", SOURCES)
    nest.call("Connect", sources, cells, syn_spec={"weight": 1.0, **delay})
    return sinks, sources


def _step(nest: NestClient, sinks: Sequence[int], sources: Sequence[int], number: int) -> _Step:
    """Write every source, simulate, read every sink; then ask, outside the step, for the kernel's time."""
    began = time.perf_counter()
    rates = [1000.0 + 10.0 * at + 2.0 * number for at in range(len(sources))]
    writes = [_timed(nest, "SetStatus", [source], {"rate": rate}) for source, rate in zip(sources, rates, strict=True)]
    simulate = _timed(nest, "Simulate", STEP / 1e6)
    reads = [_timed(nest, "GetStatus", [sink], "V_m") for sink in sinks]
    total = time.perf_counter() - began
    return _Step(total, float(nest.get_kernel_status("time_simulate")), simulate, reads, writes)


def _timed(nest: NestClient, name: str, *arguments: object) -> float:
    began = time.perf_counter()
    nest.call(name, *arguments)
    return time.perf_counter() - began
