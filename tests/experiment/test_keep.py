import pytest

from animat.errors import AnimatError
from animat.experiment.parts import load_parts
from animat.experiment.read import read_experiment
from animat.simulation import keep
from animat.simulation.keep import keep_description
from conftest import PENDULUM


def kept(experiment, folder):
    keep_description(experiment, folder)
    place = folder / "experiment"
    return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}


def test_the_description_is_kept_without_runs_and_hidden_files(pendulum):
    folder = pendulum()
    for name in ("helper.py", "data/table.csv", ".git/config", ".secret", "__pycache__/x.pyc", "plain/notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    for run, mark in (("runs/1", "manifest.json"), ("old", "events.jsonl")):
        (folder / run).mkdir(parents=True)
        (folder / run / mark).write_text("{}")
        (folder / run / "spikes.arrow").write_text("x")
    run = folder / "runs" / "2"
    run.mkdir()
    (run / "control.json").write_text("{}")
    assert kept(read_experiment(folder), run) == {
        *("experiment.yaml", "network.yaml", "pendulum.xml", "transfer.py"),
        *("helper.py", "data/table.csv", "plain/notes.txt"),
    }
    again = read_experiment(run / "experiment")
    assert load_parts(again).functions
    keep_description(again, run)


def test_named_files_are_kept_whatever_their_size(pendulum, tmp_path, monkeypatch):
    monkeypatch.setattr(keep, "_SMALL_BYTES", 10)
    asset = '<asset><mesh name="m" file="big.stl"/></asset>'
    folder = pendulum(body=PENDULUM.replace("<worldbody>", f"{asset}<worldbody>"))
    for name in ("meshes/big.stl", "other.bin", "small.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x" if name == "small.csv" else "x" * 100)
    found = kept(read_experiment(folder), tmp_path / "run")
    assert "meshes/big.stl" in found and "small.csv" in found and "other.bin" not in found
    assert {"experiment.yaml", "network.yaml", "pendulum.xml", "transfer.py"} <= found


def test_what_nothing_names_is_kept_up_to_a_total(pendulum, tmp_path, monkeypatch):
    monkeypatch.setattr(keep, "_SMALL_BYTES_TOTAL", 5)
    folder = pendulum()
    (folder / "a.txt").write_text("xxxx")
    (folder / "b.txt").write_text("xx")
    found = kept(read_experiment(folder), tmp_path / "run")
    assert "b.txt" in found and "a.txt" not in found


def test_a_missing_file_is_left_to_the_reader_and_a_full_disk_is_said(pendulum, tmp_path):
    folder = pendulum()
    (folder / "network.yaml").unlink()
    assert "transfer.py" in kept(read_experiment(folder), tmp_path / "run")
    (tmp_path / "file").write_text("")
    with pytest.raises(AnimatError, match="cannot copy it into the run folder"):
        keep_description(read_experiment(folder), tmp_path / "file")
