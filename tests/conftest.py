"""A small experiment around a pendulum and a few neurons, made of a user's own files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from animat.brain.install import EngineInstall
from animat.brain.install import nest_mpi as find_nest_mpi
from animat.errors import AnimatError

NETWORK = """\
name: small
populations:
  A: {model: iaf_psc_alpha, size: 20, drive: {rate: 8 kHz, weight: 40 pA, delay: 1.5 ms}}
  B: {model: iaf_psc_alpha, size: 10}
projections:
  - {from: A, to: B, rule: {fixed_indegree: {indegree: 10}}, weight: 60 pA, delay: 1.5 ms}
"""

SCRIPT = """\
import nest
a = nest.Create("iaf_psc_alpha", 20)
b = nest.Create("iaf_psc_alpha", 10)
noise = nest.Create("poisson_generator", params={"rate": 8000.0})
nest.Connect(noise, a, syn_spec={"weight": 40.0, "delay": 1.5})
nest.Connect(a, b, {"rule": "fixed_indegree", "indegree": 10}, {"weight": 60.0, "delay": 1.5})
populations = {"A": a, "B": b}
"""

PENDULUM = """\
<mujoco>
  <option timestep="0.002"/>
  <worldbody>
    <body name="rod" pos="0 0 1">
      <joint name="hinge" axis="0 1 0" damping="0.05"/>
      <geom name="rod" type="capsule" fromto="0 0 0 0 0 -0.5" size="0.02" mass="0.5"/>
    </body>
  </worldbody>
  <actuator><motor name="motor" joint="hinge" ctrlrange="-2 2" ctrllimited="true"/></actuator>
</mujoco>
"""

TRANSFER = """\
from animat import actuator, joint, spike_sink, spike_source, transfer_function, variable


@transfer_function(rate=spike_sink("B", "population_rate", reduce="mean"), motor=actuator("motor"))
def push(t, rate, motor):
    motor.value = min(2.0, rate.rate / 50)


@transfer_function(hinge=joint("hinge"), source=spike_source("A", "poisson", weight=20.0), count=variable(0))
def feel(t, hinge, source, count):
    source.rate = 1000 * abs(hinge.angle)
    count.value += 1
"""

EXPERIMENT = """\
animat: 1
name: Pendulum
seed: 3
step: 20 ms
duration: {duration}
brain: {{engine: nest, {brain}}}
body: {{engine: mujoco, model: pendulum.xml}}
transfer_functions: [transfer.py]
{extra}
"""

#: Writes an experiment folder and returns it; see `pendulum`.
MakeExperiment = Callable[..., Path]


@pytest.fixture
def pendulum(tmp_path: Path) -> MakeExperiment:
    """Return a function that writes the experiment: ``pendulum(duration=.., script=.., transfer=.., extra=..)``."""

    def make(
        name: str = "pendulum",
        *,
        duration: str = "200 ms",
        script: str | None = None,
        transfer: str = TRANSFER,
        extra: str = "",
        body: str = PENDULUM,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        brain = "network: network.yaml"
        (folder / "network.yaml").write_text(NETWORK)
        if script is not None:
            brain = "script: net.py"
            (folder / "net.py").write_text(script)
        (folder / "pendulum.xml").write_text(body)
        (folder / "transfer.py").write_text(transfer)
        (folder / "experiment.yaml").write_text(EXPERIMENT.format(duration=duration, brain=brain, extra=extra))
        return folder

    return make


@pytest.fixture(scope="session")
def nest_mpi() -> EngineInstall:
    """The NEST with MPI that `make test` builds when it is missing."""
    try:
        return find_nest_mpi()
    except AnimatError as error:
        pytest.fail(f"{error}; or: make engine", pytrace=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A slow test says how long it may take: most need more than the limit of all others."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            raise pytest.UsageError(f"{item.nodeid} is slow and does not say how long it may take: timeout(SECONDS)")
