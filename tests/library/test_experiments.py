"""The shipped experiments do what their descriptions say."""

import json

import numpy as np
import pytest

import animat
from animat.brain.expectation import expected_synapses
from animat.experiment.read import read_experiment
from animat.experiment.validate import validate
from animat.library import library_names, load_network
from animat.simulation.execute import execute
from animat.simulation.lifecycle import State


@pytest.mark.parametrize("name", library_names("experiments"))
def test_every_shipped_experiment_is_valid(name):
    assert validate(read_experiment(name)).schedule


def test_the_stimulated_cortex_pushes_the_joystick_forward(tmp_path):
    """Forward is -y. Without stimulus the joystick creeps backwards; with it, it is pushed forward by millimetres."""
    experiment = read_experiment("mouse-joystick", ["network.size=0.2 mm"])
    sim = execute(experiment, tmp_path / "run", report=False)
    assert sim.state is State.COMPLETED, sim.error
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["comparison"]["signal"] == "position/joystick[1]"
    assert summary["comparison"]["mean"] > 1e-3 and summary["comparison"]["unit"] == "m"
    run, other = animat.open_run(tmp_path / "run"), animat.open_run(tmp_path / "run" / "comparison")
    t, y = run.signal("position/joystick")
    _, y_other = other.signal("position/joystick")
    assert y[-1, 1] < y[t <= 0.5][-1, 1] - 1e-3
    np.testing.assert_array_equal(y[t <= 0.52], y_other[t <= 0.52])
    _, activation = run.signal("activation/Humerus3")
    assert activation.max() <= 1.0 and activation[t > 0.7].mean() > 0.9
    assert run.spikes_of("M1_L1_ENGC")[1].size > other.spikes_of("M1_L1_ENGC")[1].size
    assert len(summary["rates_hz"]) == 19


def test_the_papers_text_is_a_variant():
    part = read_experiment("mouse-joystick", ["stimulus=paper"]).part
    assert part.parameter("stimulus_rate", "Hz") == 5000
    assert part.parameter("activation_gain", "") == 1 and part.parameter("activation_floor", "") == 0


def test_the_husky_follows_red_from_one_screen_to_the_other(tmp_path):
    sim = execute(read_experiment("braitenberg-husky"), tmp_path / "run", report=False)
    assert sim.state is State.COMPLETED, sim.error
    run = animat.open_run(tmp_path / "run")
    t, place = run.signal("position/base_link")
    at_swap, at_end = place[t <= 3.0][-1], place[-1]
    assert at_swap[0] > 0.5 and at_swap[1] > 0.2
    assert at_end[0] > 1.5 and at_end[1] < -0.2


def test_the_balanced_network_fires_alike_with_and_without_readout(tmp_path):
    """Reading changes no spike, and the robot stands still."""
    small = ["network.scale=0.1", "network.indegree_fraction=0.02", "duration=100 ms"]
    runs = {}
    for readout in ("one", "none"):
        experiment = read_experiment("balanced-network", [*small, f"readout={readout}"])
        sim = execute(experiment, tmp_path / readout, report=False)
        assert sim.state is State.COMPLETED, sim.error
        runs[readout] = animat.open_run(tmp_path / readout)
    assert runs["one"].spike_hash == runs["none"].spike_hash
    assert runs["one"].spikes_of("I")[1].size > 0
    _, voltage = runs["one"].signal("all_neurons_spike_monitor.cell.voltage")
    indices, _ = runs["one"].spikes_of("E")
    assert (voltage[-1] > 0) == (1 in indices)
    assert "all_neurons_spike_monitor.cell.voltage" not in runs["none"].columns()
    _, place = runs["one"].signal("position/base_link")
    assert np.abs(place - place[0]).max() < 1e-3


def test_all_regions_of_the_rodent_brain_move_the_forelimb(tmp_path):
    """On the smallest patch, for some steps: every region fires, and the muscles follow the read-out."""
    experiment = read_experiment("mouse-rodent-brain", ["network.size=0.1 mm", "duration=200 ms"])
    sim = execute(experiment, tmp_path / "run", report=False)
    assert sim.state is State.COMPLETED, sim.error
    run = animat.open_run(tmp_path / "run")
    rates = run.rates()
    for region in ("M1", "S1", "TH_M1", "TH_S1", "CB_M1", "CB_S1", "BG"):
        assert any(rate > 0 for name, rate in rates.items() if name.startswith(region)), region
    _, voltage = run.signal("cortex_to_forelimb.cells.voltage")
    _, activation = run.signal("activation/Humerus3")
    np.testing.assert_allclose(activation[1:6], 0.2)
    np.testing.assert_allclose(activation[6:], np.clip(0.5 * voltage[5:-1], 0.01, 1))


def test_a_built_patch_has_the_synapses_that_the_kernels_say():
    """Every projection of an M1 patch lies within 4 standard deviations (P < 0.015 for 226 projections together)."""
    from animat.brain.nest.engine import NestEngine
    from animat.brain.protocol import BrainSettings

    network = load_network({"library": "rodent-brain", "regions": ["M1"], "size": "0.2 mm"})
    engine = NestEngine()
    engine.load(network, BrainSettings(seed=5, step=20_000_000, threads=2), lambda *_: None)
    try:
        import nest

        nodes = engine._nodes
        counts = {
            projection.name: len(nest.GetConnections(nodes[projection.pre], nodes[projection.post]))
            for projection in network.projections
        }
    finally:
        engine.close()
    expected = expected_synapses(network)
    assert set(expected) == set(counts)
    for name, (mean, sd) in expected.items():
        assert abs(counts[name] - mean) <= 4 * max(sd, 0.5), name
    total, variance = sum(mean for mean, _ in expected.values()), sum(sd**2 for _, sd in expected.values())
    assert abs(sum(counts.values()) - total) <= 4 * variance**0.5
