"""A worker of two processes: what they do together, and that no failure of one leaves the others waiting or alive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from animat.errors import AnimatError
from animat.link import Worker, WorkerDied, WorkerError, WorkerHung
from animat.link.ranks import GRACE_S
from animat.link.shared_memory import segments

SERVED = str(Path(__file__).parent / "many.py")

#: Seconds within which a failure is learnt and everything gone, beyond the grace or patience that goes before.
STATED_S = 2.0

Start = Callable[..., Worker]


def family(worker: Worker) -> list[psutil.Process]:
    """Return the launcher, what it started, and the ranks."""
    launcher = psutil.Process(worker.pid)
    found = {process.pid: process for process in (launcher, *launcher.children(recursive=True))}
    return list({**found, **{pid: psutil.Process(pid) for pid in worker.ranks.values()}}.values())


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def await_end(processes: list[psutil.Process], seconds: float) -> None:
    end = time.monotonic() + seconds
    while left := [process for process in processes if alive(process)]:
        assert time.monotonic() < end, f"left: {left}"
        time.sleep(0.01)


@contextmanager
def ends_all(worker: Worker, within: float) -> Iterator[None]:
    """Check that the body takes no longer and that no process and no shared memory of the worker is left after it."""
    processes = family(worker)
    assert len(processes) >= 3
    memory = set().union(*(segments(process.pid) for process in processes))
    assert memory or sys.platform != "linux"
    began = time.monotonic()
    yield
    assert time.monotonic() - began < within
    assert not [process for process in processes if alive(process)]
    assert not [file for file in memory if file.exists()]


@pytest.fixture
def start(nest_mpi: Any, tmp_path: Path) -> Iterator[Start]:
    started: list[Worker] = []

    def start(processes: int = 2, **options: Any) -> Worker:
        launch = [str(nest_mpi.mpirun), "-n", str(processes)]
        worker = Worker(
            SERVED,
            python=str(nest_mpi.python),
            **{
                "log": tmp_path / "log",
                "title": "animat.brain ranks",
                "launch": launch,
                "processes": processes,
                **options,
            },
        )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.close()


@pytest.fixture
def worker(start: Start) -> Worker:
    return start()


def test_all_ranks_carry_out_a_call_and_their_pieces_are_merged_by_rank(start: Start) -> None:
    worker = start(3)
    assert worker.call("ranks") == [0, 1, 2]
    assert worker.call("first") == 0
    seen: list[tuple[str, float]] = []
    worker.on_progress = lambda what, done: seen.append((what, done))
    assert worker.call("work", 2, 0.0) == "done"
    assert seen == [("part 0", 0.0), ("part 1", 0.5)]
    assert len(worker.ranks) == 3


@pytest.mark.parametrize("size", [0, 1, 8182, 8183, 8184, 100_000, 5_000_000])
def test_messages_of_all_sizes_cross(worker: Worker, size: int) -> None:
    assert worker.call("measure", bytes(size), reply=list[int]) == [size, size]
    pieces = [(size, mark[:size], mark[:size]) for mark in (b"\0", b"\1")]
    assert worker.call("parts", size, reply=list[tuple[int, bytes, bytes]]) == pieces
    assert worker.call("ranks") == [0, 1]


def test_messages_larger_than_mpi_counts_cross_in_chunks(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_CHUNK", "1000")
    worker = start(3)
    assert worker.call("measure", bytes(123_456), reply=list[int]) == [123_456] * 3
    pieces = worker.call("parts", 123_456, reply=list[tuple[int, bytes, bytes]])
    assert pieces == [(123_456, mark, mark) for mark in (b"\0", b"\1", b"\2")]


def test_an_error_of_all_ranks_is_an_answer_and_life_goes_on(worker: Worker) -> None:
    with pytest.raises(AnimatError, match=r"^no such thing$"):
        worker.call("fail", -1, "refusal")
    with pytest.raises(AnimatError, match=r"^no such thing on 0 \(rank 1 says: no such thing on 1\)$"):
        worker.call("fail", -1, "different refusals")
    with pytest.raises(WorkerError, match=r"cannot call 'add': .*Expected `int`"):
        worker.call("add", "x", 1.0)
    with pytest.raises(WorkerError, match="cannot call 'unknown'"):
        worker.call("unknown")
    with pytest.raises(WorkerError, match="IndexError"):
        worker.call("merged_badly")
    assert worker.call("ranks") == [0, 1]


#: How a rank may end, and what the message says.
ENDS = {
    "fault": "broken inside",
    "fault, others wait": "broken inside",
    "refusal": "where others did not within a second: no such thing",
    "refusal, others wait": "where others did not within a second: no such thing",
    "sys.exit": "SystemExit: enough",
    "killed": r"ended(,| or) was killed",
    "killed, others wait": r"ended(,| or) was killed",
    "segmentation fault": r"ended(,| or) was killed",
    "left quietly": r"ended(,| or) was killed",
    "left quietly, others wait": r"ended(,| or) was killed",
}
HANGS = ["stopped", "stopped, others wait", "endless loop", "endless loop, others wait"]
PATIENCE_S = 0.5


def check_end(worker: Worker, rank: int, how: str) -> None:
    worker.call("nothing")
    pid = worker.ranks[rank]
    grace = GRACE_S if how.startswith("refusal") else 0.0
    with ends_all(worker, STATED_S + grace), pytest.raises(WorkerDied, match=ENDS[how]) as caught:
        worker.call("fail", rank, how)
    assert f"rank {rank} of 2 (process {pid})" in str(caught.value)
    if "broken" in ENDS[how]:
        assert caught.value.rank == rank and "in _fail" in caught.value.traceback
        assert "in _fail" in str(caught.value)
    with pytest.raises(WorkerDied):
        worker.call("nothing")


def check_hang(worker: Worker, rank: int, how: str) -> None:
    worker.call("nothing")
    pid = worker.ranks[rank]
    with ends_all(worker, STATED_S + PATIENCE_S), pytest.raises(WorkerHung) as caught:
        worker.call("fail", rank, how, limit_s=PATIENCE_S)
    state = "stopped" if how.startswith("stopped") else "running"
    assert f"rank {rank} of 2 (process {pid}): {state}" in str(caught.value)
    assert ("in _fail" in str(caught.value)) == (state == "running")
    assert ("in fail" in str(caught.value)) == ("others" in how or state == "running")


@pytest.mark.parametrize("repeat", range(3))
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("how", ENDS)
def test_the_end_of_one_rank_ends_all(worker: Worker, rank: int, how: str, repeat: int) -> None:
    check_end(worker, rank, how)


@pytest.mark.parametrize("repeat", range(3))
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("how", HANGS)
def test_a_rank_that_hangs_ends_all(worker: Worker, rank: int, how: str, repeat: int) -> None:
    check_hang(worker, rank, how)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("how", [*ENDS, *HANGS])
def test_fifty_times(start: Start, rank: int, how: str) -> None:
    for _ in range(50):
        (check_end if how in ENDS else check_hang)(start(), rank, how)


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_a_rank_killed_between_calls_is_noticed_by_looking(worker: Worker, rank: int, sign: int) -> None:
    worker.call("nothing")
    with ends_all(worker, STATED_S), pytest.raises(WorkerDied, match=r"rank . of 2 .* ended(,| or) was killed"):
        os.kill(worker.ranks[rank], sign)
        while True:
            worker.check()
            time.sleep(0.01)


def test_a_killed_launcher_takes_the_ranks_with_it(worker: Worker) -> None:
    worker.call("nothing")
    with ends_all(worker, STATED_S), pytest.raises(WorkerDied, match="SIGKILL"):
        os.kill(worker.pid, signal.SIGKILL)
        worker.call("fail", 1, "endless loop")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_launcher_that_stays_does_not_hide_a_killed_rank(start: Start, nest_mpi: Any, rank: int) -> None:
    """As if the rank had died on a machine that the launcher does not watch."""
    lingers = ["sh", "-c", '"$@"; sleep 60', "lingers", str(nest_mpi.mpirun), "-n", "2"]
    worker = start(launch=lingers)
    worker.call("nothing")
    with ends_all(worker, STATED_S), pytest.raises(WorkerDied, match=rf"rank {rank} of 2 .* beyond reach"):
        worker.call("fail", rank, "killed, others wait")


@pytest.mark.parametrize("rank", [0, 1])
def test_an_import_that_fails_on_one_rank(start: Start, monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    monkeypatch.setenv("TEST_LOAD", f"import {rank}")
    with pytest.raises(WorkerDied, match=rf"rank {rank} of 2 .* failed: ImportError: no such simulator"):
        start().call("nothing")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_module_that_refuses_to_start_on_one_rank(start: Start, monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    monkeypatch.setenv("TEST_LOAD", f"refuse {rank}")
    with pytest.raises(WorkerDied, match=rf"rank {rank} of 2 .* failed where others did not .*: bad network"):
        start().call("nothing")


def test_a_module_that_refuses_to_start_anywhere(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_LOAD", "refuse all")
    with pytest.raises(AnimatError, match=r"^bad network$"):
        start().call("nothing")


def test_silence_is_a_hang_where_progress_is_expected(worker: Worker) -> None:
    assert worker.call("work", 5, 0.1, limit_s=float("inf"), quiet_s=5.0) == "done"
    with pytest.raises(WorkerHung, match=r"did not answer 'work' within .* silent for 0\.5"):
        worker.call("work", 1, 60.0, limit_s=float("inf"), quiet_s=0.5)


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("how", ["stopped", "stopped, others wait"])
def test_a_halted_rank_is_noticed_in_a_call_without_a_limit(start: Start, rank: int, how: str) -> None:
    worker = start(patience_s=1.0)
    worker.call("nothing")
    pid = worker.ranks[rank]
    with ends_all(worker, STATED_S + 1.0), pytest.raises(WorkerHung, match=rf"process {pid} halted for"):
        worker.call("fail", rank, how, limit_s=float("inf"))


def test_a_log_that_takes_nothing_more_does_not_stop_the_ranks(start: Start) -> None:
    worker = start(log=Path("/dev/full"))
    assert worker.call("say", "words " * 100_000) == [2, 2]
    assert worker.call("ranks") == [0, 1]


def test_ranks_that_wait_for_one_that_computes_are_not_taken_for_hung(start: Start) -> None:
    worker = start(patience_s=0.1)
    worker.call("compute", 1, 3.0, limit_s=float("inf"))


@pytest.mark.parametrize("rank", [0, 1])
def test_a_rank_halted_at_the_start_is_noticed(start: Start, monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    monkeypatch.setenv("TEST_LOAD", f"halt {rank}")
    with pytest.raises(WorkerHung, match=r"did not start within .* process \d+ halted for"):
        start(patience_s=1.0).call("nothing")


def test_close_ends_all_ranks_politely(worker: Worker) -> None:
    worker.call("nothing")
    with ends_all(worker, STATED_S):
        worker.close()
    assert worker._processes.how() == "ended with exit status 0"


@pytest.mark.parametrize("after", [0.0, 0.03, 0.1, 0.2, 0.4])
def test_close_while_starting_leaves_nothing(start: Start, after: float) -> None:
    worker = start(title=f"animat.brain {os.getpid()}-{after}")
    folder = str(worker._folder)
    time.sleep(after)
    worker.close()
    end = time.monotonic() + STATED_S
    while left := [one for one in psutil.process_iter(["cmdline"]) if is_of(one, folder, f"{os.getpid()}-{after}")]:
        assert time.monotonic() < end, f"left: {left}"
        time.sleep(0.01)


def is_of(process: psutil.Process, *marks: str) -> bool:
    return any(mark in " ".join(process.info["cmdline"] or []) for mark in marks) and alive(process)


def test_close_in_the_middle_of_a_call(worker: Worker) -> None:
    worker.start("fail", 1, "endless loop, others wait")
    time.sleep(0.1)
    with ends_all(worker, STATED_S):
        worker.close()


@pytest.mark.parametrize("call", ["idle", "busy"])
@pytest.mark.parametrize("thread", ["main", "other"])
def test_the_ranks_end_with_their_parent(nest_mpi: Any, tmp_path: Path, thread: str, call: str) -> None:
    body = f"""
import threading, time
from pathlib import Path
from animat.link import Worker
def start():
    worker = Worker(
        {SERVED!r}, title="animat.brain orphans", python={str(nest_mpi.python)!r}, log=Path({str(tmp_path / "log")!r}),
        launch=[{str(nest_mpi.mpirun)!r}, "-n", "2"], processes=2,
    )
    worker.call("nothing")
    {'worker.start("fail", 1, "endless loop, others wait")' if call == "busy" else ""}
    print(worker.pid, *worker.ranks.values(), flush=True)
    time.sleep(60)
{"start()" if thread == "main" else "threading.Thread(target=start).start()"}
"""
    parent = subprocess.Popen([sys.executable, "-c", body], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    processes = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    assert len(processes) == 3
    parent.kill()
    parent.wait()
    parent.stdout.close()
    await_end(processes, STATED_S + GRACE_S)


@pytest.mark.parametrize(
    ("processes", "launched", "said"),
    [
        (1, 2, "`launch` started 2 processes of a brain that has one: set `processes: 2`"),
        (2, 3, "2 processes were asked for and MPI knows of 3: `launch` and `processes` must say the same"),
        (2, 1, "2 processes were asked for and MPI knows of 1: `launch` starts one only"),
    ],
)
def test_a_launcher_that_starts_another_number_is_told(
    start: Start, nest_mpi: Any, processes: int, launched: int, said: str
) -> None:
    with pytest.raises(WorkerDied) as caught:
        start(processes, launch=nest_mpi.launch(launched)).call("nothing")
    assert said in str(caught.value)


def test_a_launcher_of_another_mpi_is_named(start: Start) -> None:
    twice = ["sh", "-c", '"$@" & "$@" & wait', "twice"]
    with pytest.raises(WorkerDied, match=r"2 processes were asked for and MPI knows of 1: .* belongs to another MPI"):
        start(launch=twice).call("nothing")


def test_ranks_that_wait_leave_the_processor_alone(worker: Worker) -> None:
    before = worker.call("seconds_used")
    time.sleep(2.0)
    after = worker.call("seconds_used")
    assert max(b - a for a, b in zip(before, after, strict=True)) < 0.4


def test_a_round_trip_over_ranks_is_short(worker: Worker) -> None:
    times = []
    for _ in range(300):
        began = time.perf_counter()
        worker.call("nothing")
        times.append(time.perf_counter() - began)
    assert sorted(times)[len(times) // 2] < 10e-3, "about 0.3 ms on an idle machine"
