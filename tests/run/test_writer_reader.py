import errno
import json
import os
import stat
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from animat.brain.protocol import SHARD_DTYPE, BrainInfo, PopulationInfo
from animat.errors import AnimatError
from animat.run.format import Column, columns_of, schema_of
from animat.run.profile import profile_summary
from animat.run.reader import open_run
from animat.run.repair import repair
from animat.run.writer import RunWriter

STEP = 20_000_000
COLUMNS = [Column("force/a", "N"), Column("position/hand", "m", (3,)), Column("small", "", (2, 2), "float32")]
POPULATIONS = [PopulationInfo("E", 80, "iaf_cond_alpha"), PopulationInfo("I", 20, "iaf_cond_alpha")]
INFO = BrainInfo(
    engine="none",
    version="1",
    populations=tuple(POPULATIONS),
    neurons=100,
    synapses=0,
    min_delay_ms=1.0,
    max_delay_ms=1.0,
    build_s=0.0,
)


def write_small_run(folder, steps=6, finish=False, brains=("brain",)):
    writer = RunWriter(folder)
    writer.manifest({"name": "small", "seed": 1})
    writer.populations(dict.fromkeys(brains, POPULATIONS))
    signals = writer.table("signals", COLUMNS)
    counts = [writer.count_table(brain, INFO) for brain in brains]
    writer.event("state", 0, state="running")
    rng = np.random.default_rng(3)
    for step in range(1, steps + 1):
        tick = step * STEP
        signals.append(tick, np.arange(8) + step)
        for table in counts:
            table.append(tick, [3, 1])
        for brain in brains:
            spikes = np.zeros(4, SHARD_DTYPE)
            spikes["population"] = [1, 0, 0, 0]
            spikes["index"] = rng.integers(0, 20, 4)
            spikes["tick"] = tick - rng.integers(0, 5, 4) * 1_000_000
            with writer.shard(brain).open("ab") as file:
                file.write(spikes.tobytes())
        writer.profile([step, tick, step == 1, *np.full(9, 0.001 * step), 0.01 * step])
        if step % 2 == 0:
            writer.flush()
    writer.event("state", steps * STEP, state="completed")
    writer.summary({"state": "completed", "steps": steps})
    if finish:
        writer.finish()
    else:
        writer.close()
    return folder


def test_round_trip(tmp_path):
    run = open_run(write_small_run(tmp_path / "r", finish=True))
    assert run.manifest["seed"] == 1 and run.summary["steps"] == 6
    assert [event["state"] for event in run.events] == ["running", "completed"]
    times, values = run.signal("position/hand")
    assert np.allclose(times, np.arange(1, 7) * 0.02)
    assert values.shape == (6, 3) and np.array_equal(values[0], [2, 3, 4])
    assert run.signal("small")[1].shape == (6, 2, 2) and run.signal("small")[1].dtype == np.float32
    assert run.columns() == {column.name: column for column in COLUMNS}
    assert run.rates() == pytest.approx({"E": 3 / 80 / 0.02, "I": 1 / 20 / 0.02})
    assert run.profile["step_s"].shape == (6,)
    assert profile_summary(run.profile)["step"] == pytest.approx({"mean": 0.04, "median": 0.04, "first": 0.01})


def test_finished_run_has_sorted_spikes_and_parquet_and_no_shards(tmp_path):
    folder = write_small_run(tmp_path / "r")
    before = open_run(folder)
    hashes = before.hashes()
    repair(folder)
    after = open_run(folder)
    assert not list(folder.glob("*.shard")) and (folder / "spikes.arrow").exists()
    assert after.hashes() == hashes
    assert after.spikes.equals(before.spikes)
    ticks = np.asarray(after.spikes["tick"])
    assert len(ticks) == 24 and np.all(np.diff(ticks) >= 0)
    indices, at = after.spikes_of("I")
    assert len(indices) == 6 and indices.dtype == np.uint32 and at.dtype == np.int64
    for name in ("spikes", "signals", "counts.brain"):
        assert parquet.read_table(folder / f"{name}.parquet").num_rows == after.table(name).num_rows


def test_two_brains_keep_their_populations_apart(tmp_path):
    run = open_run(write_small_run(tmp_path / "r", brains=("left", "right")))
    assert list(run.populations) == ["left/E", "left/I", "right/E", "right/I"]
    assert len(run.spikes_of("right/E")[0]) == 18 and len(run.spikes_of("left/I")[0]) == 6
    assert list(run.rates()) == list(run.populations)


def test_hashes_are_stable_and_see_every_change(tmp_path):
    one, two = (open_run(write_small_run(tmp_path / name)) for name in "ab")
    assert one.hashes() == two.hashes()
    assert open_run(write_small_run(tmp_path / "c", steps=7)).hashes()["signals"] != one.signal_hash
    shard = tmp_path / "b" / "spikes.brain.shard"
    records = np.fromfile(shard, SHARD_DTYPE)
    records["index"][3] += 1
    records.tofile(shard)
    assert open_run(tmp_path / "b").spike_hash != one.spike_hash


def test_unfinished_run_is_read_up_to_the_last_flush(tmp_path):
    writer = RunWriter(tmp_path)
    table = writer.table("signals", COLUMNS)
    table.append(STEP, np.zeros(8))
    table.flush()
    table.append(2 * STEP, np.zeros(8))
    assert open_run(tmp_path).signals.num_rows == 1
    writer.close()
    assert open_run(tmp_path).signals.num_rows == 2


def test_block_is_flushed_by_size_and_by_age(tmp_path, monkeypatch):
    writer = RunWriter(tmp_path)
    table = writer.table("big", [Column("x", "", (8191,))])
    table.append(1, np.zeros(8191))
    assert open_run(tmp_path).table("big").num_rows == 1
    small = writer.table("small", [Column("x")])
    now = time.monotonic()
    small.append(1, [0.0])
    assert open_run(tmp_path).table("small").num_rows == 0
    monkeypatch.setattr(time, "monotonic", lambda: now + 1.5)
    small.append(2, [0.0])
    assert open_run(tmp_path).table("small").num_rows == 2
    writer.close()


def test_memory_does_not_grow_with_the_steps(tmp_path):
    """Nothing of a step is kept beyond the block that it is written with, however fast they come."""
    writer = RunWriter(tmp_path)
    table = writer.table("signals", [Column("x", "", (20,))])

    def steps(begin):
        for step in range(begin, begin + 5000):
            table.append(step, np.zeros(20))
            writer.profile([step, step, 0, *np.zeros(10)])

    steps(0)
    tracemalloc.start()
    steps(5000)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    writer.close()
    assert grown < 100_000, f"{grown / 5000:.0f} bytes a step"


def test_append_is_cheap(tmp_path):
    writer = RunWriter(tmp_path)
    table = writer.table(
        "signals", [Column(f"s{i}") for i in range(60)] + [Column(f"v{i}", "", (3,)) for i in range(10)]
    )
    row, steps = np.random.default_rng(0).random(90), 2000
    began = time.perf_counter()
    for step in range(steps):
        table.append(step, row)
        writer.profile([step, step, 0, *row[:10]])
    spent = (time.perf_counter() - began) / steps
    writer.close()
    assert spent < 300e-6, f"{spent * 1e6:.0f} us a step"


def test_recording_does_not_import_pandas(tmp_path):
    """Importing it takes half a second, which would stand in some step of every run."""
    code = f"""
import sys
from pathlib import Path
from animat.run.format import Column
from animat.run.writer import RunWriter
table = RunWriter(Path({str(tmp_path / "r")!r})).table("x", [Column("a"), Column("b", "", (3,))])
table.append(1, [0.0] * 4)
table.close()
sys.exit("pandas" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_files_are_private_and_whole(tmp_path):
    writer = RunWriter(tmp_path / "r")
    writer.control({"pid": os.getpid(), "address": "ipc://x"})
    assert stat.S_IMODE((tmp_path / "r" / "control.json").stat().st_mode) == 0o600
    writer.summary({"rates": np.arange(2), "n": np.int64(3)})
    assert json.loads((tmp_path / "r" / "summary.json").read_text()) == {"rates": [0, 1], "n": 3, "warnings": []}
    with pytest.raises(AnimatError, match="still be running"):
        repair(tmp_path / "r")
    writer.close()
    assert not [path for path in (tmp_path / "r").iterdir() if path.name.startswith(".")]


def test_folder_of_another_run_is_refused(tmp_path):
    write_small_run(tmp_path)
    with pytest.raises(AnimatError, match="already holds a run"):
        RunWriter(tmp_path)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x")])
def test_folder_without_run_is_an_error(tmp_path, make):
    make(tmp_path / "x")
    with pytest.raises(AnimatError):
        open_run(tmp_path / "x")


def test_unknown_names_list_the_known_ones(tmp_path):
    run = open_run(write_small_run(tmp_path))
    with pytest.raises(AnimatError, match="force/a"):
        run.signal("force/b")
    with pytest.raises(AnimatError, match="E"):
        run.spikes_of("X")


def test_full_disk_says_so_and_keeps_what_was_flushed(tmp_path):
    writer = RunWriter(tmp_path)
    table = writer.table("signals", [Column("x")])
    table.append(1, [1.0])
    table.flush()
    size = (tmp_path / "signals.arrow").stat().st_size
    table.append(2, [2.0])
    whole = table._file._file

    class NearlyFull:
        """Takes one piece of 100 bytes, then has no room."""

        def __init__(self):
            self.room = 100

        def write(self, piece):
            if not self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            taken, self.room = whole.write(piece[: self.room]), 0
            return taken

        def __getattr__(self, name):
            return getattr(whole, name)

    table._file._file = NearlyFull()
    with pytest.raises(AnimatError, match=r"signals.arrow.*No space left.*MB are free") as caught:
        table.flush()
    assert caught.value.file == str(tmp_path / "signals.arrow")
    table._file._file = whole
    assert (tmp_path / "signals.arrow").stat().st_size == size
    assert open_run(tmp_path).signals["x"].to_pylist() == [1.0]
    assert not (tmp_path / ".reserve").exists()
    writer.event("state", 2, state="failed", why=caught.value.what)
    writer.close()
    assert open_run(tmp_path).events[-1]["state"] == "failed"
    assert open_run(tmp_path).signals["x"].to_pylist() == [1.0, 2.0]


def test_torn_shard_loses_only_its_last_record(tmp_path):
    folder = write_small_run(tmp_path)
    shard = folder / "spikes.brain.shard"
    shard.write_bytes(shard.read_bytes()[:-5])
    assert open_run(folder).spikes.num_rows == 23
    assert not repair(folder).problems
    assert open_run(folder).spikes.num_rows == 23


def test_broken_shard_is_an_error(tmp_path):
    folder = write_small_run(tmp_path)
    np.array([(7, 0, 0)], SHARD_DTYPE).tofile(folder / "spikes.brain.shard")
    with pytest.raises(AnimatError, match="does not name"):
        _ = open_run(folder).spikes


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return write_small_run(tmp_path_factory.mktemp("small") / "r", finish=True)


@pytest.mark.parametrize("name", ["signals.arrow", "spikes.arrow"])
def test_truncation_at_every_byte_reads_a_prefix(small, name, tmp_path):
    """Whatever byte a table ends at, its whole batches are read, more bytes never giving fewer rows."""
    content = (small / name).read_bytes()
    whole = open_run(small).table(name.removesuffix(".arrow"))
    (tmp_path / "manifest.json").write_text("{}")
    rows = []
    for size in range(len(content) + 1):
        (tmp_path / name).write_bytes(content[:size])
        table = open_run(tmp_path).table(name.removesuffix(".arrow"))
        rows.append(table.num_rows)
        if table.num_rows:
            assert table.equals(whole.slice(0, table.num_rows))
    assert rows == sorted(rows) and rows[-1] == whole.num_rows and len(set(rows)) > 1


@pytest.mark.parametrize("name", ["profile.csv", "events.jsonl", "manifest.json", "populations.json"])
def test_truncated_text_gives_a_prefix_or_an_animat_error(small, name, tmp_path):
    for path in small.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    content = (small / name).read_bytes()
    for size in range(len(content)):
        (tmp_path / name).write_bytes(content[:size])
        try:
            run = open_run(tmp_path)
            _ = run.manifest, run.summary, run.events, run.profile, run.populations, run.rates(), run.spikes
            assert len(run.events) <= 2
        except AnimatError as error:
            assert error.file is not None


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_never_give_a_traceback(small, tmp_path, data):
    name = data.draw(
        st.sampled_from(["signals.arrow", "spikes.arrow", "profile.csv", "events.jsonl", "populations.json"])
    )
    for path in small.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    content = bytearray((small / name).read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    (tmp_path / name).write_bytes(content)
    try:
        run = open_run(tmp_path)
        _ = run.events, run.profile, run.populations, run.rates(), run.hashes()
    except AnimatError:
        pass


@given(
    st.lists(
        st.builds(
            Column,
            st.text(min_size=1, max_size=8).filter(lambda name: name != "tick"),
            st.text(max_size=4),
            st.lists(st.integers(1, 4), max_size=2).map(tuple),
            st.sampled_from(["float64", "float32", "int64", "uint32", "uint8"]),
        ),
        max_size=5,
    )
)
def test_columns_survive_the_schema(columns):
    assert columns_of(schema_of(columns)) == columns


@pytest.mark.parametrize("rows", [1, 3])
def test_a_batch_is_what_pyarrow_writes(tmp_path, rows):
    columns = [
        Column("a"),
        Column("b"),
        Column("count", "", (3,), "int64"),
        Column("v", "m", (2,)),
        Column("w", "m", (2,)),
        Column("narrow", "", (3,), "float32"),
        Column("small", "", (), "uint8"),
        Column("one", "", (1,)),
    ]
    writer = RunWriter(tmp_path)
    table = writer.table("all", columns)
    values = np.arange(rows * table.width, dtype=float).reshape(rows, table.width)
    for row in range(rows):
        table.append(row + 1, values[row])
    before = (tmp_path / "all.arrow").stat().st_size
    table.flush()
    written = (tmp_path / "all.arrow").read_bytes()[before:]
    read = open_run(tmp_path).table("all")
    assert read["tick"].to_pylist() == list(range(1, rows + 1))
    first = 0
    for column in columns:
        part = values[:, first : first + column.size]
        assert read[column.name].to_pylist() == (part if column.shape else part[:, 0]).tolist(), column.name
        first += column.size
    (batch,) = read.to_batches()
    batch.validate(full=True)
    assert written == batch.serialize().to_pybytes()
