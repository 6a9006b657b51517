"""On which cores the processes of a brain run."""

from __future__ import annotations

import os

import pytest

from animat.brain.nest import kernel

FOUR = [0, 1, 2, 3]


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Pretend to have four cores; the sets of cores that were taken."""
    taken: list[list[int]] = []
    monkeypatch.setattr(kernel, "_CORES", FOUR)
    monkeypatch.setattr(os, "sched_setaffinity", lambda _pid, cores: taken.append(list(cores)), raising=False)
    for names in (kernel._PLACE_HERE, kernel._NUMBER_HERE):
        for name in names:
            monkeypatch.delenv(name, raising=False)
    return taken


@pytest.mark.parametrize(
    ("number", "place", "threads", "virtual_processes", "cores"),
    [
        pytest.param(1, 0, 2, 2, FOUR, id="one process, a core for each thread: the system decides"),
        pytest.param(1, 0, 2, 4, [0, 1], id="one process, more threads than it may use cores"),
        pytest.param(2, 1, 1, 1, FOUR, id="processes that leave cores free"),
        pytest.param(4, 2, 1, 1, [2], id="processes that fill the machine"),
        pytest.param(2, 1, 2, 2, [2, 3], id="processes of two threads that fill the machine"),
        pytest.param(8, 5, 1, 1, FOUR, id="more processes than cores"),
        pytest.param(2, 1, 1, 2, [1], id="processes with more threads than they may use cores"),
    ],
)
def test_processes_have_cores_of_their_own_where_it_matters(
    number: int,
    place: int,
    threads: int,
    virtual_processes: int,
    cores: list[int],
    chosen: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MPI_LOCALNRANKS", str(number))
    monkeypatch.setenv("MPI_LOCALRANKID", str(place))
    kernel.use_cores(threads, virtual_processes)
    assert chosen == [cores]


def test_all_cores_are_given_back(chosen: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPI_LOCALNRANKS", "4")
    kernel.use_cores()
    assert chosen == [FOUR]
