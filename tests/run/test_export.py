import csv
import pickle

import numpy as np
import pytest
from synthetic_run import make_run

from animat.errors import AnimatError
from animat.run.export import FORMATS, export
from animat.run.reader import open_run


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


@pytest.mark.parametrize("to", FORMATS)
def test_run_without_brain_and_body(to, tmp_path):
    run = open_run(make_run(tmp_path / "empty", steps=3, body=False, brain=False))
    assert export(run, to, tmp_path / f"out.{to}").exists()


def test_unknown_format_and_missing_package(run, monkeypatch):
    with pytest.raises(AnimatError, match="csv, neo, nwb"):
        export(run, "matlab")
    monkeypatch.setitem(FORMATS, "nwb", ("no_such_package.nwb", "run.nwb", "nwb"))
    with pytest.raises(AnimatError, match=r"pip install 'animat\[nwb\]'"):
        export(run, "nwb")


def test_place_that_cannot_be_written(run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AnimatError, match="cannot write the export"):
        export(run, "csv", tmp_path / "file" / "csv")
