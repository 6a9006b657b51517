import pytest

from animat.brain.network_file import parse_network
from animat.brain.sonata import write_sonata
from animat.errors import AnimatError
from animat.experiment.parts import input_hash, load_parts
from animat.experiment.read import read_experiment
from animat.simulation import keep
from animat.simulation.keep import keep_description
from conftest import NETWORK, PENDULUM


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


def adjusted(folder, file="adjustments.csv"):
    """Let the experiment's network have adjustments, and return it."""
    text = (folder / "experiment.yaml").read_text()
    spec = f"network: {{file: network.yaml, adjustments: {file}}}"
    (folder / "experiment.yaml").write_text(text.replace("network: network.yaml", spec))
    return read_experiment(folder)


def test_a_table_of_adjustments_is_kept_whatever_its_size(pendulum, tmp_path, monkeypatch):
    monkeypatch.setattr(keep, "_SMALL_BYTES", 10)
    folder = pendulum()
    (folder / "tables").mkdir()
    (folder / "tables" / "a.csv").write_text("knob,name,new\ndrive,A,9000\n")
    experiment = adjusted(folder, "tables/a.csv")
    assert {"tables/a.csv", "network.yaml"} <= kept(experiment, tmp_path / "run")
    again = load_parts(read_experiment(tmp_path / "run" / "experiment"))
    assert again.brains["brain"].population("A").drive.rate_hz == 9000


@pytest.mark.parametrize("file", ["../a.csv", "/a.csv"])
def test_a_table_of_adjustments_outside_of_the_folder_is_refused(pendulum, file):
    with pytest.raises(AnimatError, match="lies outside the experiment's folder"):
        adjusted(pendulum(), file)


def test_a_table_of_adjustments_counts_as_an_input(pendulum):
    """By what it changes: a remark beside it changes nothing."""
    folder, table = pendulum(), "knob,name,new,reason\ndrive,A,{},{}\n"
    hashes = []
    for rate, reason in ((9000, "a"), (9000, "b"), (9001, "a")):
        (folder / "adjustments.csv").write_text(table.format(rate, reason))
        hashes.append(input_hash(load_parts(adjusted(folder)).brains["brain"]))
    assert hashes[0] == hashes[1] != hashes[2]


def test_all_files_of_a_circuit_are_kept_whatever_their_size(pendulum, tmp_path, monkeypatch):
    monkeypatch.setattr(keep, "_SMALL_BYTES", 10)
    folder = pendulum()
    config = write_sonata(parse_network(NETWORK), folder / "circuit", 1)
    (folder / "circuit" / "unnamed.bin").write_text("x" * 100)
    (folder / "data").mkdir()
    (folder / "circuit" / "edges.h5").rename(folder / "data" / "edges.h5")
    (folder / "circuit" / "edges.h5").symlink_to("../data/edges.h5")
    changes = ["brain.network=circuit/circuit_config.json"]
    experiment = read_experiment(folder, changes)
    found = kept(experiment, tmp_path / "run")
    assert {"circuit/edges.h5", "circuit/nodes.h5", "circuit/node_types.csv"} < found
    assert "circuit/unnamed.bin" not in found
    again = load_parts(read_experiment(tmp_path / "run" / "experiment", changes))
    assert input_hash(again.brains["brain"]) == input_hash(load_parts(experiment).brains["brain"])
    config.write_text("{ broken")
    assert "circuit/circuit_config.json" in kept(experiment, tmp_path / "broken")
