"""The loop with 20 sinks and 3 sources, and the same devices over HTTP."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from animat.bench.exchange import Exchange, measure
from animat.bench.exchange.loop import Loop, run_loop
from animat.bench.layout import Engine, Layout
from animat.brain.install import EngineInstall
from animat.brain.network import Constant, Drive, FixedIndegree, Network, Population, Projection
from animat.errors import AnimatError


def quiet(_what: str, _done: float | None) -> None:
    return None


def engine_of(found: EngineInstall) -> Engine:
    return Engine(found.python, tuple("{processes}" if part == "0" else part for part in found.launch(0)))


def test_two_processes_beside_one_request_a_device(nest_mpi: EngineInstall) -> None:
    pytest.importorskip("uvicorn")
    loop = Loop(steps=10, layout=Layout(2, 1), engine=engine_of(nest_mpi))
    found = measure(loop, quiet, http=True)
    assert (found.layout, found.steps, found.sinks, found.sources) == (Layout(2, 1), 9, 20, 3)
    assert found.http is not None and found.http.requests_per_step == 24
    assert found.http.step_ms.median > found.http.beyond_kernel_ms.median > 23 * found.http.read_ms / 2
    assert found.overhead_ms.median <= found.beyond_kernel_ms.median
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
    assert set(plain["http"]) >= {"beyond_kernel_ms", "read_ms", "write_ms", "simulate_ms"}
    assert msgspec.convert(plain, Exchange) == found


def test_a_given_network_gets_its_devices_where_none_needs_a_receptor() -> None:
    pytest.importorskip("nest")
    drive = Drive(rate_hz=8000.0, weight=40.0, delay_ms=1.0)
    network = Network(
        name="n",
        populations=(
            Population(name="with receptors", model="iaf_psc_exp_multisynapse", size=5, params={"tau_syn": (2.0, 3.0)}),
            Population(name="plain", model="iaf_psc_alpha", size=10, drive=drive),
        ),
        projections=(
            Projection(
                pre="plain",
                post="with receptors",
                rule=FixedIndegree(indegree=5),
                weight=Constant(1.0),
                delay_ms=1.0,
                receptor=2,
            ),
        ),
    )
    sim = run_loop(Loop(steps=3, network=network), quiet)
    assert sim.steps == 3 and sim.recording.counts["brain"].sum() > 0
    [function] = sim.loop.functions
    devices = [one for one in function.function.declarations.values() if hasattr(one, "device")]
    assert {one.device.neurons[0].population for one in devices} == {"plain"} and len(devices) == 23


def test_too_few_steps_are_refused() -> None:
    with pytest.raises(AnimatError, match="at least 10 steps"):
        measure(Loop(steps=9), quiet)
