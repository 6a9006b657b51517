import csv
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from synthetic_run import STEP, make_run

from animat.brain.protocol import SHARD_DTYPE, BrainInfo, PopulationInfo
from animat.errors import AnimatError
from animat.run.export import FORMATS, export
from animat.run.export.populations import populations
from animat.run.reader import open_run
from animat.run.writer import RunWriter


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return open_run(make_run(tmp_path_factory.mktemp("run") / "mouse", steps=30))


def test_nwb_is_clean_and_holds_everything(run, tmp_path):
    nwbinspector = pytest.importorskip("nwbinspector")
    from pynwb import NWBHDF5IO

    path = export(run, "nwb", tmp_path / "out" / "run.nwb")
    found = list(nwbinspector.inspect_nwbfile(nwbfile_path=path))
    serious = [one for one in found if one.importance.name not in ("BEST_PRACTICE_SUGGESTION",)]
    assert not serious, serious
    with NWBHDF5IO(str(path), "r") as io:
        file = io.read()
        units = file.units.to_dataframe()
        assert sum(len(train) for train in units.spike_times) == run.spikes.num_rows
        assert len(units) == sum(run.populations.values())
        row = units.iloc[7]
        indices, ticks = run.spikes_of(row.population)
        assert np.allclose(row.spike_times, ticks[indices == row.neuron] / 1e9)
        force = file.acquisition["force_Humerus3"]
        assert force.unit == "N" and force.rate == pytest.approx(50) and force.starting_time == pytest.approx(0.02)
        assert np.array_equal(force.data[:], run.signal("force/Humerus3")[1])
        series = file.processing["behavior"]["Position"]["position joystick"]
        assert np.array_equal(series.data[:], run.signal("poses", "body")[1][:, 5, :3])
        assert set(file.processing["misc"].data_interfaces) == set(run.populations)


def test_neo_block(run, tmp_path):
    neo = pytest.importorskip("neo")
    block = neo.io.PickleIO(str(export(run, "neo", tmp_path / "run.pkl"))).read_block()
    (segment,) = block.segments
    assert sum(len(train) for train in segment.spiketrains) == run.spikes.num_rows
    by_name = {signal.name: signal for signal in segment.analogsignals}
    assert str(by_name["length/Foot1"].units.dimensionality) == "m"
    assert by_name["position/joystick"].shape == (30, 3)
    assert pickle.loads((tmp_path / "run.pkl").read_bytes()).name == "Mouse pushes a joystick"


def test_csv(run, tmp_path):
    folder = export(run, "csv", tmp_path / "csv")
    rows = list(csv.DictReader((folder / "signals.csv").open()))
    assert len(rows) == 30 and float(rows[3]["position/joystick[1]"]) == run.signal("position/joystick")[1][3, 1]
    spikes = list(csv.DictReader((folder / "spikes.csv").open()))
    assert len(spikes) == run.spikes.num_rows and spikes[0]["population"] in run.populations
    assert ["signals", "length/Foot1", "m"] in list(csv.reader((folder / "units.csv").open()))
    assert len(list(csv.reader((folder / "rates.csv").open()))) == 1 + 30 * len(run.populations)


@pytest.fixture(scope="module")
def sparse(tmp_path_factory):
    """Half of E's neurons fire, S is silent, U fired but was not recorded; 1 s."""
    writer = RunWriter(tmp_path_factory.mktemp("run") / "sparse")
    infos = tuple(PopulationInfo(name, size, "iaf_psc_alpha") for name, size in (("E", 4), ("S", 3), ("U", 2)))
    info = BrainInfo(
        engine="x", version="1", populations=infos, neurons=9, synapses=0, min_delay_ms=1.0, max_delay_ms=1.0,
        build_s=0.0,
    )  # fmt: skip
    writer.manifest({"name": "sparse", "created": "2025-03-04T10:00:00+0100"})
    writer.populations({"brain": infos})
    counts = writer.count_table("brain", info)
    for step in range(1, 11):
        counts.append(step * 100_000_000, [10, 0, 5])
    spikes = np.zeros(100, SHARD_DTYPE)
    spikes["index"], spikes["tick"] = np.tile([1, 3], 50), 10_000_000 * np.arange(1, 101)
    spikes.tofile(writer.shard())
    writer.summary({"state": "completed"})
    writer.finish()
    return open_run(writer.folder)


def test_the_mean_over_units_of_nwb_is_the_rate_of_the_population(sparse, tmp_path):
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(export(sparse, "nwb", tmp_path / "run.nwb")), "r") as io:
        file = io.read()
        units = file.units.to_dataframe()
        assert list(zip(units.population, units.neuron, strict=True)) == [
            *(("E", index) for index in range(4)),
            *(("S", index) for index in range(3)),
        ]
        assert units.obs_intervals[6].tolist() == [[0.0, 1.0]]
        rates = [
            len(train) / np.diff(spans).sum()
            for train, spans in zip(units.spike_times, units.obs_intervals, strict=True)
        ]
        assert rates == [0, 50, 0, 50, 0, 0, 0]
        assert np.mean(rates[:4]) == sparse.rates()["E"] == 25
        assert np.allclose(units.spike_times[3], np.arange(0.02, 1.01, 0.02))
        table = file.processing["network"]["populations"].to_dataframe()
        assert table.to_dict("list") == {
            "population": ["E", "S", "U"], "size": [4, 3, 2], "model": ["iaf_psc_alpha"] * 3,
            "recorded": [True, True, False], "spikes": [100, 0, 50], "rate": [25.0, 0.0, 25.0],
        }  # fmt: skip


def test_every_recorded_neuron_is_a_train_of_neo(sparse, tmp_path):
    neo = pytest.importorskip("neo")
    block = neo.io.PickleIO(str(export(sparse, "neo", tmp_path / "run.pkl"))).read_block()
    trains = block.segments[0].spiketrains
    channels, times = trains.multiplexed
    assert len(trains) == 7 and len(channels) == 100 and times.rescale("s").magnitude.max() == pytest.approx(1.0)
    assert [len(train) for train in trains] == [0, 50, 0, 50, 0, 0, 0]
    assert [(train.annotations["population"], int(train.annotations["neuron"])) for train in trains][3:5] == [
        ("E", 3),
        ("S", 0),
    ]
    assert {(float(train.t_start), float(train.t_stop)) for train in trains} == {(0.0, 1.0)}
    assert block.annotations["populations"]["U"] == {
        "name": "U", "size": 2, "model": "iaf_psc_alpha", "recorded": False, "spikes": 50, "rate_hz": 25.0
    }  # fmt: skip


def test_csv_says_how_many_neurons_there_are(sparse, tmp_path):
    rows = list(csv.DictReader((export(sparse, "csv", tmp_path / "csv") / "populations.csv").open()))
    assert [tuple(row.values()) for row in rows] == [
        ("E", "4", "iaf_psc_alpha", "True", "100", "25.0"),
        ("S", "3", "iaf_psc_alpha", "True", "0", "0.0"),
        ("U", "2", "iaf_psc_alpha", "False", "50", "25.0"),
    ]


@pytest.mark.parametrize("to", FORMATS)
def test_a_run_without_a_recorded_spike(to, tmp_path):
    writer = RunWriter(tmp_path / "none")
    infos = (PopulationInfo("E", 4, "iaf_psc_alpha"),)
    writer.populations({"brain": infos})
    writer.count_table("brain", SimpleNamespace(populations=infos)).append(STEP, [3])
    writer.finish()
    run = open_run(tmp_path / "none")
    assert [one.recorded for one in populations(run)] == [False]
    assert export(run, to, tmp_path / f"out.{to}").exists()


@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("options", [{"steps": 3, "body": False, "brain": False}, {"steps": 0}])
def test_run_without_brain_and_body_or_without_a_step(to, options, tmp_path):
    run = open_run(make_run(tmp_path / "empty", **options))
    assert export(run, to, tmp_path / f"out.{to}").exists()


def test_unknown_format_and_missing_package(run, monkeypatch):
    with pytest.raises(AnimatError, match="csv, neo, nwb"):
        export(run, "matlab")
    for to, package, inner in (("nwb", "pynwb", "hdmf.common"), ("neo", "neo", "quantities")):
        monkeypatch.delitem(sys.modules, FORMATS[to][0], raising=False)
        monkeypatch.setitem(sys.modules, inner, None)
        with pytest.raises(AnimatError, match=rf"{to} needs {package}, .*: pip install 'animat\[{to}\]'"):
            export(run, to)


def test_place_that_cannot_be_written(run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AnimatError, match="cannot write the export"):
        export(run, "csv", tmp_path / "file" / "csv")
