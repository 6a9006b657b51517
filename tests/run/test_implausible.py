"""What is legal but implausible is told with names and numbers; what is plausible is not told of."""

import numpy as np
import pytest
from synthetic_run import make_run

from animat.body.protocol import BodyInfo, Port
from animat.brain.protocol import SHARD_DTYPE, BrainInfo, PopulationInfo
from animat.run.format import Column
from animat.run.implausible import implausible, saturated_muscles, silent_populations, stuck_control
from animat.run.reader import open_run
from animat.run.report import write_report
from animat.run.scene import read_scene, write_scene
from animat.run.writer import RunWriter

STEP, STEPS = 20_000_000, 50


def brain_run(folder, trains, size=10, steps=STEPS):
    """A run of one population for each name in `trains`: the spike times in ms of its first neurons."""
    writer = RunWriter(folder)
    infos = tuple(PopulationInfo(name, size, "iaf_psc_alpha") for name in trains)
    writer.populations({"brain": infos})
    info = BrainInfo(
        engine="x", version="1", populations=infos, neurons=0, synapses=0, min_delay_ms=1.0, max_delay_ms=1.0,
        build_s=0.0,
    )  # fmt: skip
    table = writer.count_table("brain", info)
    records = [
        (code, index, round(time * 1e6))
        for code, neurons in enumerate(trains.values())
        for index, times in enumerate(neurons)
        for time in times
    ]
    spikes = np.array(sorted(records, key=lambda one: one[2]), SHARD_DTYPE)
    spikes.tofile(writer.shard())
    for step in range(1, steps + 1):
        now = (spikes["tick"] > (step - 1) * STEP) & (spikes["tick"] <= step * STEP)
        table.append(step * STEP, np.bincount(spikes["population"][now], minlength=len(infos)))
    writer.finish()
    writer.summary({"state": "completed"})
    return open_run(folder)


def poisson(rate_hz, refractory_ms, rng):
    return np.cumsum(refractory_ms + rng.exponential(1000 / rate_hz - refractory_ms, 10_000))[: int(rate_hz)]


def test_silent_populations_are_named(tmp_path):
    run = brain_run(tmp_path / "r", {"E": [[10.0, 50.0]], "I": [], "relay": []})
    assert run.summary["warnings"] == ["2 of 3 populations never fired in 1 s: I, relay"]
    page = write_report(run.folder).read_text()
    assert "Implausible" in page and "never fired in 1 s: I, relay" in page


def test_in_a_short_run_silence_says_nothing(tmp_path):
    assert implausible(brain_run(tmp_path / "r", {"E": []}, steps=4)) == []


def test_many_silent_populations_are_counted():
    (text,) = silent_populations({f"P{number}": 0 for number in range(30)}, 1.0)
    assert text.startswith("30 of 30 ") and text.endswith("P11 and 18 more")


def test_neurons_at_their_refractory_limit_are_counted(tmp_path):
    """Every 2 ms, or every 2.1 after some spikes: nearly all intervals are the shortest."""
    stuck = [np.arange(2.0 + shift, 1000, 2.1 if index else 2.0) for index, shift in enumerate((0.0, 0.3, 0.7, 0.1))]
    run = brain_run(tmp_path / "r", {"E": stuck})
    assert implausible(run) == [
        "E: 4 of 10 neurons fire as fast as their refractory time lets them (most of their intervals are the shortest "
        "that occurs, 2 ms)"
    ]


@pytest.mark.parametrize("rate_hz", [5, 120, 250])
def test_neurons_that_fire_fast_but_irregularly_are_not_told_of(tmp_path, rate_hz):
    rng = np.random.default_rng(2)
    assert implausible(brain_run(tmp_path / "r", {"E": [poisson(rate_hz, 2.0, rng) for _ in range(10)]})) == []


def test_slow_clocks_are_not_told_of(tmp_path):
    assert implausible(brain_run(tmp_path / "r", {"E": [np.arange(8.0, 1000, 8.0)] * 10})) == []


def test_controls_at_a_limit_throughout(tmp_path):
    values = np.array([0.0, 2.0, 2.0, 2.5])
    assert stuck_control("actuator/motor", values, -2.0, 2.0, "N m") == [
        "actuator/motor was at its upper limit, 2 N m, throughout"
    ]
    assert stuck_control("actuator/motor", np.array([2.0, 2.0, 1.9]), -2.0, 2.0) == []
    assert stuck_control("x", np.stack([values, -values], axis=1), -2.0, None) == [
        "x[1] was at its lower limit, -2, throughout"
    ]
    assert stuck_control("x", np.full(3, np.nan), 0.0, 1.0) == []


def test_limits_of_controls_are_kept_and_a_control_at_rest_is_none(tmp_path):
    """An activation of 0 is its lower limit and where it rests."""
    controls = (
        Port(name="activation/a", unit="", low=0.0, high=1.0, offset=0),
        Port(name="actuator/motor", unit="N m", low=-2.0, high=2.0, offset=1),
        Port(name="effort/hinge", unit="N m", offset=2),
        Port(name="colour/screen", unit="", shape=(3,), low=0.0, high=1.0, rest=0.5, offset=3),
    )
    info = BodyInfo(engine="x", version="1", timestep=1, controls=controls, sensors=())
    writer = RunWriter(tmp_path / "r")
    write_scene(writer.folder, info)
    assert read_scene(writer.folder)[0].limits == {"activation/a": (None, 1.0), "actuator/motor": (-2.0, 2.0)}
    table = writer.table("signals", [Column("activation/a"), Column("actuator/motor", "N m")])
    for step in range(1, 5):
        table.append(step * STEP, [0.0, -2.0])
    writer.finish()
    assert implausible(open_run(writer.folder)) == ["actuator/motor was at its lower limit, -2 N m, throughout"]


def test_saturated_muscles_are_told_by_group():
    full, half = np.array([0.2, 1.0, 0.995, 1.0, 1.0]), np.array([0.2, 1.0, 0.5, 1.0, 0.4])
    assert saturated_muscles({"Radius1": full, "Radius2": full, "Foot1": half, "Neck": full}) == [
        "Radius: all 2 muscles (Radius1, Radius2) were fully active in 80 % of the steps or more"
    ]
    assert saturated_muscles({"Radius1": full, "Foot1": full}) == [
        "all muscles: all 2 muscles (Radius1, Foot1) were fully active in 80 % of the steps or more"
    ]
    assert saturated_muscles({"Radius1": full, "Radius2": half}) == []


def test_a_plausible_run_has_no_warnings(tmp_path):
    folder = make_run(tmp_path / "r", steps=30)
    assert implausible(open_run(folder)) == []
    assert "Implausible" not in write_report(folder).read_text()


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_runs_of_no_step_or_one_or_two_have_no_warnings(tmp_path, steps):
    folder = make_run(tmp_path / "r", steps=steps)
    assert read_scene(folder) and implausible(open_run(folder)) == []
    for shape in ((), (3,), (2, 2)):
        assert stuck_control("x", np.full((steps, *shape), 2.0), None, 2.0) == [] or steps == 2
