"""Folders of runs whose simulation was killed become readable and finished, wherever it was cut off."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from synthetic_run import make_run
from test_writer_reader import STEP, write_small_run

from animat.brain.protocol import SHARD_DTYPE
from animat.errors import AnimatError
from animat.run.finish import finish_folder
from animat.run.reader import open_run
from animat.run.repair import repair
from animat.run.report import write_report


def killed(folder, **options):
    """A run whose simulation was killed: no summary, no end of its tables, no Parquet, and what it had opened."""
    write_small_run(folder, **options)
    (folder / "summary.json").unlink()
    lines = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    (folder / "events.jsonl").write_text("".join(lines[:-1]))
    for path in folder.glob("*.arrow"):
        path.write_bytes(path.read_bytes()[:-8])
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    process = {"pid": dead.pid, "start": 1.0, "place": "another start", "host": os.uname().nodename}
    (folder / "control.json").write_text(json.dumps({"pid": dead.pid, "process": process}))
    (folder / ".reserve").write_bytes(bytes(100))
    (folder / ".manifest.json.new").write_text("{")
    (folder / "spikes.new").write_bytes(b"half")
    (folder / "checkpoints" / ".60ms.new").mkdir(parents=True)
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_killed_run_is_finished(tmp_path):
    folder = killed(tmp_path / "r")
    found = repair(folder, "killed by the system: out of memory")
    assert found.state == "failed" and not found.problems
    assert names(folder) == [
        "checkpoints", "counts.brain.arrow", "counts.brain.parquet", "events.jsonl", "manifest.json",
        "populations.json", "profile.csv", "signals.arrow", "signals.parquet",
        "spikes.arrow", "spikes.parquet", "summary.json",
    ]  # fmt: skip
    assert not list((folder / "checkpoints").iterdir())
    run = open_run(folder)
    assert run.summary["error"] == "killed by the system: out of memory" and run.summary["cut_off"]
    assert (run.summary["steps"], run.summary["simulated_ms"], run.summary["spikes"]) == (6, 120.0, 24)
    assert run.summary["rates_hz"] == pytest.approx({"E": 3 / 80 / 0.02, "I": 1 / 20 / 0.02})
    assert run.events[-1]["state"] == "failed" and "out of memory" in run.events[-1]["text"]
    for path in folder.glob("*.arrow"):
        assert pa.ipc.open_stream(path).read_all().num_rows == parquet.read_table(path.with_suffix(".parquet")).num_rows
    assert "out of memory" in write_report(folder).read_text()


def test_it_can_be_done_again_and_changes_nothing(tmp_path):
    folder = killed(tmp_path / "r")
    repair(folder, "first")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert repair(folder, "second").state == "failed"
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_what_the_simulation_finished_stays(tmp_path):
    folder = write_small_run(tmp_path / "r", finish=True)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert repair(folder).state == "completed"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_run_that_was_killed_while_it_finished_is_completed(tmp_path):
    folder = write_small_run(tmp_path / "r")
    (folder / "summary.json").unlink()
    assert repair(folder).state == "completed"
    assert open_run(folder).summary["error"] == "" and not open_run(folder).summary["cut_off"]


def test_a_run_that_was_killed_while_it_was_built(tmp_path):
    (tmp_path / "events.jsonl").write_text("")
    (tmp_path / "profile.csv").write_text("step,ti")
    assert repair(tmp_path).state == "failed"
    summary = open_run(tmp_path).summary
    assert (summary["steps"], summary["simulated_ms"], summary["spikes"]) == (0, 0.0, 0)
    write_report(tmp_path)


def test_every_file_cut_at_random_bytes(tmp_path):
    """All that is whole is kept, what is left reads without a fault, and the summary says what there is."""
    whole = killed(tmp_path / "whole")
    files = ["signals.arrow", "counts.brain.arrow", "spikes.brain.shard", "events.jsonl", "profile.csv"]
    rng = np.random.default_rng(4)
    before = open_run(whole)
    for number in range(40):
        folder = tmp_path / str(number)
        shutil.copytree(whole, folder)
        for name in files:
            content = (folder / name).read_bytes()
            begin = len(pa.ipc.read_schema(folder / name).serialize()) if name.endswith(".arrow") else 0
            (folder / name).write_bytes(content[: rng.integers(begin, len(content) + 1)])
        expected = {name: open_run(folder).table(name).num_rows for name in ("signals", "counts.brain")}
        spikes = (folder / "spikes.brain.shard").stat().st_size // SHARD_DTYPE.itemsize
        found = repair(folder, "cut")
        assert not found.problems and found.state == "failed"
        run = open_run(folder)
        for name, rows in expected.items():
            assert pa.ipc.open_stream(folder / f"{name}.arrow").read_all().num_rows == rows
            assert run.table(name).equals(before.table(name).slice(0, rows))
        assert run.spikes.num_rows == parquet.read_table(folder / "spikes.parquet").num_rows == spikes
        assert run.summary["steps"] == max(*expected.values(), len(run.profile.get("step", ())))
        assert run.summary["simulated_ms"] == run.end / 1e6 and run.end <= 6 * STEP
        assert not repair(folder).problems


def test_a_table_damaged_in_its_middle_is_left_as_it_is(tmp_path):
    folder = killed(tmp_path / "r")
    path = folder / "signals.arrow"
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)
    path.write_bytes(content)
    found = repair(folder)
    assert [problem for problem in found.problems if "signals.arrow" in problem and "not even its columns" in problem]
    assert path.read_bytes() == content
    assert open_run(folder).summary["steps"] == 6 and (folder / "spikes.parquet").exists()


def test_a_damaged_shard_does_not_keep_the_rest_from_being_saved(tmp_path):
    folder = killed(tmp_path / "r")
    np.array([(7, 0, 0)], SHARD_DTYPE).tofile(folder / "spikes.brain.shard")
    found = repair(folder)
    assert any("does not name" in problem for problem in found.problems)
    assert (folder / "spikes.brain.shard").exists() and (folder / "signals.parquet").exists()
    assert open_run(folder).summary["state"] == "failed"


def test_gathering_that_is_cut_off_between_two_shards_loses_no_spike(tmp_path):
    folder = write_small_run(tmp_path / "r", brains=("left", "right"))
    rows = open_run(folder).spikes
    shards = {path: path.read_bytes() for path in folder.glob("*.shard")}
    finish_folder(folder)
    last, content = shards.popitem()
    last.write_bytes(content)
    finish_folder(folder)
    assert open_run(folder).spikes.equals(rows) and not list(folder.glob("*.shard"))


def test_the_living_and_what_may_live_is_left_alone(tmp_path):
    folder = killed(tmp_path / "r")
    control = json.loads((folder / "control.json").read_text())
    control["process"] |= {"host": "node7", "place": "other other"}
    (folder / "control.json").write_text(json.dumps(control))
    with pytest.raises(AnimatError, match=r"may still be running: process \d+ on node7.*--ended"):
        repair(folder)
    assert repair(folder, ended=True).state == "failed"


def test_a_simulation_that_was_killed_leaves_sockets_and_they_go(tmp_path):
    """A process that holds a run open is refused while it lives, and repaired when it was killed."""
    code = """
import socket, sys, time
from pathlib import Path
from animat.run.writer import RunWriter
from animat.run.format import Column
folder = Path(sys.argv[1])
writer = RunWriter(folder)
place = folder / "control.sock"
sock = socket.socket(socket.AF_UNIX)
sock.bind(str(place))
writer.control({"commands": f"ipc://{place}", "streams": "ipc://x"})
writer.event("state", 0, state="running")
table = writer.table("signals", [Column("x")])
table.append(20_000_000, [1.0])
table.flush()
print("ready", flush=True)
time.sleep(60)
"""
    folder = tmp_path / "r"
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline()
    with pytest.raises(AnimatError, match=f"process {process.pid} "):
        repair(folder)
    process.send_signal(signal.SIGKILL)
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < 10:
        time.sleep(0.01)
    assert repair(folder).state == "failed"
    assert names(folder) == ["events.jsonl", "profile.csv", "signals.arrow", "signals.parquet", "summary.json"]
    process.stdout.close()


def test_runs_within_a_run_are_finished_too(tmp_path):
    folder = make_run(tmp_path / "r", steps=5)
    killed(folder / "comparison")
    repair(folder, "the power went")
    summary = open_run(folder).summary
    assert summary["state"] == "completed"
    assert summary["comparison"] == {"state": "failed", "error": "the power went"}
    assert open_run(folder / "comparison").summary["error"] == "the power went"
    write_report(folder)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(AnimatError, match="holds no run"):
        repair(tmp_path)


def test_it_imports_no_simulator_and_nothing_that_draws():
    """A small process that outlives the simulation calls it."""
    code = "import sys, animat.run.repair; print([name for name in sys.modules if '.' not in name])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name in ("matplotlib", "pandas", "mujoco", "opensim", "nest", "pydantic", "pint", "rich"):
        assert f"'{name}'" not in loaded, name
