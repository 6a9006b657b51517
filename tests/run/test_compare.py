import numpy as np
import pyarrow as pa
import pytest
from test_writer_reader import INFO, STEP, write_small_run

from animat.brain.protocol import SHARD_DTYPE
from animat.run.compare import compare
from animat.run.format import Column
from animat.run.reader import open_run
from animat.run.writer import RunWriter


def make(folder, rows, spikes=((0, 1, 5),), name="x", state="completed"):
    writer = RunWriter(folder)
    writer.populations({"brain": INFO.populations})
    np.array(list(spikes), SHARD_DTYPE).tofile(writer.shard())
    table = writer.table("signals", [Column(name), Column("v", "m", (2,))])
    for step, row in enumerate(rows, start=1):
        table.append(step * 1_000_000, row)
    writer.close()
    if state:
        writer.summary({"state": state})
    return open_run(folder)


ROWS = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, np.nan]]


def changed(row, column, factor):
    rows = [list(one) for one in ROWS]
    rows[row][column] *= factor
    return rows


@pytest.fixture
def run(tmp_path):
    return make(tmp_path / "one", ROWS)


def test_identical(run, tmp_path):
    assert compare(run, make(tmp_path / "two", ROWS)).verdict == "identical"


def test_last_digit_is_within_tolerance(run, tmp_path):
    assert compare(run, make(tmp_path / "two", changed(1, 0, 1 + 1e-9))).verdict == "equal within tolerance"


def test_difference_names_table_column_and_time(run, tmp_path):
    found = compare(run, make(tmp_path / "two", changed(1, 2, 1.01)))
    assert str(found) == "different, first at signals: v at 2 ms" and found.tick == 2_000_000


def test_first_difference_in_time_wins(run, tmp_path):
    other = make(tmp_path / "two", changed(1, 2, 1.01), spikes=((0, 2, 5),))
    assert str(compare(run, other)) == "different, first at spikes: E, neuron 1 at 5 ns"


def test_missing_spike_row_and_column(run, tmp_path):
    assert "neuron 1" in compare(run, make(tmp_path / "a", ROWS, spikes=())).where
    assert "more than 2 rows at 3 ms" in compare(run, make(tmp_path / "b", ROWS[:2])).where
    assert "only one run has x, y" in compare(run, make(tmp_path / "c", ROWS, name="y")).where


@pytest.mark.parametrize("state", ["failed", None])
def test_a_run_that_was_cut_off_is_compared_up_to_there(run, tmp_path, state):
    """Spikes after its last row count no more than rows that it does not have."""
    short = make(tmp_path / "short", ROWS[:2], spikes=((0, 1, 5), (1, 3, 2_500_000)), state=state)
    for pair in ((run, short), (short, run)):
        found = compare(*pair)
        assert (found.verdict, found.until) == ("identical", 2_000_000)
        assert str(found) == "equal up to 2 ms, where the run was cut off"
    near = make(tmp_path / "near", changed(1, 0, 1 + 1e-9))
    assert str(compare(short, near)) == "equal within tolerance up to 2 ms, where the run was cut off"


def test_a_difference_before_a_run_was_cut_off_is_one(run, tmp_path):
    short = make(tmp_path / "a", changed(0, 1, 1.01)[:2], state=None)
    assert str(compare(run, short)) == "different, first at signals: v at 1 ms"
    short = make(tmp_path / "b", ROWS[:2], spikes=((0, 1, 5), (1, 3, 1_500_000)), state=None)
    assert str(compare(run, short)) == "different, first at spikes: I, neuron 3 at 1.5 ms"


def test_a_whole_run_that_is_shorter_is_different(run, tmp_path):
    short = make(tmp_path / "short", ROWS[:2], state="stopped")
    assert "more than 2 rows at 3 ms" in compare(run, short).where


def test_runs_cut_at_random_bytes_equal_the_whole_one_up_to_there(tmp_path):
    """Tables and shard are cut anywhere, each elsewhere; then one spike that both have is moved."""
    whole = open_run(write_small_run(tmp_path / "whole"))
    rng = np.random.default_rng(5)
    found = []
    for number in range(40):
        folder = write_small_run(tmp_path / str(number))
        (folder / "summary.json").unlink()
        for name in ("signals.arrow", "counts.brain.arrow", "spikes.brain.shard"):
            content = (folder / name).read_bytes()
            least = 0 if name.endswith("shard") else len(pa.ipc.read_schema(folder / name).serialize())
            (folder / name).write_bytes(content[: rng.integers(least, len(content) + 1)])
        verdict = compare(open_run(folder), whole)
        assert verdict.verdict == "identical", verdict
        found.append(verdict.until)
        if verdict.until:
            records = np.fromfile(folder / "spikes.brain.shard", SHARD_DTYPE)
            records["tick"][0] -= 1
            records.tofile(folder / "spikes.brain.shard")
            assert compare(open_run(folder), whole).verdict == "different"
    assert {0, 2 * STEP, 4 * STEP} <= set(found)
