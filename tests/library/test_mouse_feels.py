"""The rodent brain feels a limb: what a push changes, and what is cut by the lesions of `mouse-feels`."""

import numpy as np
import pytest

import animat
from animat.experiment.read import read_experiment
from animat.library import load_network
from animat.simulation.execute import execute
from animat.simulation.lifecycle import State

SMALL = [
    "network.size=0.2 mm",
    "network.regions=[S1, M1, TH_M1, TH_S1]",
    "duration=700 ms",
    "parameters.push_start=500 ms",
    "compare.after=500 ms",
]
SEEDS = range(1, 9)


def counts(folder, region, begin, end):
    """Return how many spikes the populations of a region fired between two times in s."""
    run = animat.open_run(folder)
    ticks = [run.spikes_of(name)[1] for name in run.spike_populations if name.startswith(region)]
    return sum(int(((one > begin * 1e9) & (one <= end * 1e9)).sum()) for one in ticks)


def assert_equal_until(end, folder, other):
    """Every population fires the same spikes in both runs."""
    runs = animat.open_run(folder), animat.open_run(other)
    for name in runs[0].spike_populations:
        (neurons, ticks), (other_neurons, other_ticks) = (run.spikes_of(name) for run in runs)
        early, other_early = ticks <= end * 1e9, other_ticks <= end * 1e9
        np.testing.assert_array_equal(neurons[early], other_neurons[other_early])
        np.testing.assert_array_equal(ticks[early], other_ticks[other_early])


def pushed(tmp_path, seed, *overrides):
    """Run a seed with and without the push; return both folders."""
    folder = tmp_path / f"{seed}{len(overrides)}"
    sim = execute(read_experiment("mouse-feels", [*SMALL, f"seed={seed}", *overrides]), folder, report=False)
    assert sim.state is State.COMPLETED, sim.error
    return folder, folder / "comparison"


def test_a_push_of_the_joystick_changes_what_s1_fires(tmp_path):
    """Paired runs of 8 seeds: equal up to the push, then more spikes; t of 7 degrees of freedom beyond p = 0.001.

    A change of 2.6 standard deviations of the difference is found with 90 %; found are about 3.
    """
    change = []
    for seed in SEEDS:
        with_push, without = pushed(tmp_path, seed)
        assert_equal_until(0.5, with_push, without)
        assert counts(without, "S1", 0.0, 0.5) > 1000
        change.append(counts(with_push, "S1", 0.5, 0.6) - counts(without, "S1", 0.5, 0.6))
    t = np.mean(change) / (np.std(change, ddof=1) / np.sqrt(len(change)))
    assert t > 5.41, change


def test_without_afferents_a_push_changes_nothing_in_the_brain(tmp_path):
    folders = pushed(tmp_path, 1, "parameters.touch_gain=0", "parameters.muscle_gain=0")
    with_push, without = (counts(folder, "", 0.0, 0.7) for folder in folders)
    assert with_push == without


def test_pyramidal_tract_neurons_move_the_muscle_of_their_place(tmp_path):
    """A current into the part of Foot2 raises its activation, and no other muscle's as much."""
    current = "{at: 300 ms, set: {neurons: 'M1_L5B_PT[10%:20%]', I_e: 250 pA}}"
    means = {}
    for events in (f"[{current}]", "[]"):
        settings = [*SMALL[:2], "duration=500 ms", "compare=null", f"events={events}"]
        folder = tmp_path / str(len(events))
        sim = execute(read_experiment("mouse-feels", settings), folder, report=False)
        assert sim.state is State.COMPLETED, sim.error
        for name in ("Foot1", "Foot2", "Radius1", "Humerus4"):
            t, activation = animat.open_run(folder).signal(f"activation/{name}")
            means.setdefault(name, []).append(activation[t > 0.35].mean())
    rise = {name: with_current / without for name, (with_current, without) in means.items()}
    assert rise["Foot2"] > 2 and rise["Foot2"] > 1.5 * max(rise[name] for name in rise if name != "Foot2"), rise


@pytest.mark.parametrize(
    ("lesion", "pathways"),
    [
        ("thalamus_to_s1", [("TH_S1_EZ_TC", "S1_"), ("TH_S1_IZ_TC", "S1_")]),
        ("s1_to_m1", [("S1_", "M1_")]),
        ("thalamus_to_m1", [("TH_M1_EZ_TC", "M1_"), ("TH_M1_IZ_TC", "M1_")]),
        ("cortex_to_thalamus", [("S1_", "TH_"), ("M1_", "TH_")]),
        ("cerebellum", [("CB_", "TH_"), ("S1_", "CB_"), ("M1_", "CB_")]),
        ("basal_ganglia", [("BG_", "TH_"), ("S1_", "BG_"), ("M1_", "BG_")]),
    ],
)
def test_lesions_cut_whole_pathways(lesion, pathways):
    part = read_experiment("mouse-feels", [f"lesion={lesion}"]).part
    names = [(one.name, one.pre, one.post) for one in load_network({"library": "rodent-brain"}).projections]
    cut = {name for name, pre, post in names for a, b in pathways if pre.startswith(a) and post.startswith(b)}
    assert {event.cut for event in part.events} == cut


def test_the_limb_takes_the_place_of_the_tuned_background():
    part = read_experiment("mouse-feels").part
    size = part.brain.network["size"]
    drive = load_network({"library": "rodent-brain", "size": size}).population("TH_S1_EZ_TC").drive
    assert part.parameter("tonic_rate", "Hz") == pytest.approx(drive.rate_hz, rel=0.02)
    assert drive.weight == 50 and drive.delay_ms == 1.5
