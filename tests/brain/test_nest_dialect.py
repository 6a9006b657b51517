"""What the processes of a brain answer is put together, and what came as JSON is read, without NEST."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from animat.brain.nest.dialect import limits
from animat.brain.nest.dialect.arguments import (
    Connection,
    connections,
    file_word,
    is_connections,
    node_ids,
    with_numbers,
)
from animat.brain.nest.dialect.merge import merge_connections, merge_status, merge_values
from animat.brain.nest.dialect.pieces import Piece, Share, together
from animat.brain.nest.dialect.plain import CONNECTIONS, NODES, plain
from animat.errors import AnimatError

NAN = math.nan


@pytest.mark.parametrize(
    ("values", "merged"),
    [
        ([None, None], None),
        ([3, 3], 3),
        ([None, -65.0], -65.0),
        ([[None, 1.0], [2.0, None]], [2.0, 1.0]),
        ([[NAN, 1.0], [2.0, NAN]], [2.0, 1.0]),
        ([[[NAN, NAN], [1.0, 0.0]], [[0.5, 0.0], [NAN, NAN]]], [[0.5, 0.0], [1.0, 0.0]]),
        ([[1.0, 2.0], [1.5, 2.5]], [1.0, 2.0, 1.5, 2.5]),
        ([[1.0], [2.0, 3.0]], [1.0, 2.0, 3.0]),
        ([[0], [1]], [0, 1]),
        ([[[1.0], []], [[], [2.0]]], [[1.0], [2.0]]),
        ([{NODES: [1, 3]}, {NODES: [2, 4]}], [1, 2, 3, 4]),
        ([{NODES: [1, 2]}, {NODES: [1, 2]}], [1, 2]),
        ([{"n_events": 6}, {"n_events": 6}], {"n_events": 12}),
        ([{"n_events": [6, 1]}, {"n_events": [5, 0]}], {"n_events": [11, 1]}),
        ([{"mpi_rank": 0, "a": 1}, {"mpi_rank": 1, "a": 1}], {"mpi_rank": 0, "a": 1}),
        (
            [{"local": False, "global_id": 7}, {"local": True, "global_id": 7, "V_m": 1.0}],
            {"local": True, "global_id": 7, "V_m": 1.0},
        ),
        (
            [{"times": [2.0, 3.0], "senders": [4, 1]}, {"times": [2.0], "senders": [3]}],
            {"times": [2.0, 2.0, 3.0], "senders": [3, 4, 1]},
        ),
        (
            [{"events": [{"times": [], "senders": []}]}, {"events": [{"times": [1.0], "senders": [2]}]}],
            {"events": [{"times": [1.0], "senders": [2]}]},
        ),
    ],
)
def test_values_of_two_processes_become_one(values: list[Any], merged: Any) -> None:
    assert merge_values(values) == (merged, [])


def test_one_process_is_the_same_with_events_in_order() -> None:
    table = {"times": [2.0, 1.0], "senders": [1, 2], "V_m": [-60.0, -70.0]}
    assert merge_values([{"events": table, "n_events": 2}])[0] == {
        "events": {"times": [1.0, 2.0], "senders": [2, 1], "V_m": [-70.0, -60.0]},
        "n_events": 2,
    }


def test_what_cannot_be_merged_is_said() -> None:
    data, notes = merge_values([{"a": {"b": 1}}, {"a": {"b": 2}}])
    assert data == {"a": {"b": 1}}
    assert notes == ["a.b differs between processes (1, 2); the first is shown"]


def test_a_recorders_status_is_summed_and_a_neurons_is_its_owners() -> None:
    events = [{"senders": [3], "times": [5.0]}, {"senders": [2], "times": [4.0]}]
    found = [{"global_id": 9, "n_events": 1, "events": table, "vp": rank} for rank, table in enumerate(events)]
    assert merge_status(found) == {
        "global_id": 9,
        "n_events": 2,
        "events": {"senders": [2, 3], "times": [4.0, 5.0]},
        "vp": 0,
    }
    assert merge_status([{"V_m": -60.0}]) == {"V_m": -60.0}


def columns(*rows: tuple[int, int, float]) -> dict[str, list[Any]]:
    names = ("source", "target", "weight")
    found: dict[str, list[Any]] = {
        name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }
    return found | {name: [0] * len(rows) for name in ("synapse_id", "target_thread", "port")}


def test_connections_are_joined_sorted_and_each_counted_once() -> None:
    merged = merge_connections([columns((1, 4, 0.5), (2, 9, 1.0)), columns((1, 3, 0.25), (2, 9, 1.0))])
    assert (merged["source"], merged["target"], merged["weight"]) == ([1, 1, 2], [3, 4, 9], [0.25, 0.5, 1.0])
    assert merge_connections([{}, columns((1, 2, 3.0))])["source"] == 1
    assert merge_connections([{}, {}]) == {}
    assert merge_values([{CONNECTIONS: {}}, {CONNECTIONS: {}}]) == ({}, [])


def test_shares_are_put_in_the_order_asked_for() -> None:
    mine, other = Share(3, [0, 2], [{"V_m": 1.0}, {"V_m": 3.0}]), Share(3, [1], [{"V_m": 2.0}])
    assert together([Piece(share=mine, keys="V_m"), Piece(share=other)]).data == [1.0, 2.0, 3.0]
    assert together([Piece(share=mine, keys=["V_m"]), Piece(share=other)]).data == [[1.0], [2.0], [3.0]]
    wrong = together([Piece(share=mine, keys="V_n"), Piece(share=other)]).error
    assert wrong is not None and "Did you mean 'V_m'" in wrong
    gap = together([Piece(share=mine), Piece(share=Share(3, [], []))]).error
    assert gap is not None and "number 1" in gap


def test_an_error_of_any_process_is_the_answer_and_prints_are_told_apart() -> None:
    assert together([Piece(1), Piece(error="only here")]).error == "only here"
    assert together([Piece(printed="a\n"), Piece(printed="a\n")]).printed == "a\n"
    assert together([Piece(printed="a"), Piece(printed="b\n")]).printed == "a\n[process 1]\nb\n"


def test_words_for_infinities_are_numbers_except_in_texts() -> None:
    read = with_numbers({"V_min": "-inf", "label": "inf", "list": ["Infinity", "+inf", "x"]})
    assert read == {"V_min": -math.inf, "label": "inf", "list": [math.inf, math.inf, "x"]}
    assert math.isnan(with_numbers("NaN"))


@pytest.mark.parametrize("wrong", [0, -1, True, 1.0, "1", [1, None], [[1]], 2**63])
def test_nodes_are_ids(wrong: Any) -> None:
    with pytest.raises(AnimatError, match="ids"):
        node_ids(wrong, "nodes")
    assert node_ids(3, "nodes") == [3]
    assert node_ids([3, 1], "nodes") == [3, 1]


def test_connections_are_read_in_every_form_they_come_in() -> None:
    one = Connection(1, 2, 0, 6, 3)
    column = {"source": [1], "target": [2], "target_thread": [0], "synapse_id": [6], "port": [3], "weight": [1.0]}
    single = {key: value[0] for key, value in column.items()}
    for form in (column, single, [[1, 2, 0, 6, 3]], [single]):
        assert is_connections(form) and connections(form) == [one]
    assert connections({}) == []
    assert not is_connections([1, 2])
    for wrong in ({"source": [1]}, {**column, "port": []}, [[1, 2]], [[1, 2, 0, 6, "x"]], [{}]):
        with pytest.raises(AnimatError):
            connections(wrong)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["spike_recorder", 1, {"record_to": "memory"}], None),
        (["spike_recorder", 1, {"record_to": "ascii"}], "record_to"),
        ([[1], "record_to", "ascii"], "record_to"),
        ([[1], [{"V_m": 1.0}, {"record_to": ["memory", "ascii"]}]], "record_to"),
        ([{"data_path": "/tmp"}], "data_path"),
        ([{"a": {"stimulus_source": "mpi"}}], "stimulus_source"),
        ([{"label": "data_path"}], None),
    ],
)
def test_parameters_that_reach_files_are_found(arguments: list[Any], word: str | None) -> None:
    assert file_word(arguments) == word


def test_sizes_are_refused_by_what_they_would_take() -> None:
    limits.check_size(10**6, 1, 2 * 10**9)
    limits.check_size(10**12, 1, 0)
    with pytest.raises(AnimatError, match=r"1e\+12 nodes take 7.5e\+05 GB a process"):
        limits.check_size(10**12, 2, 10**9)
    with pytest.raises(AnimatError, match="connections"):
        limits.check_connections(10**6, 10**6, None, 1, 10**10)
    limits.check_connections(10**6, 10**6, {"rule": "fixed_indegree", "indegree": 10}, 1, 10**10)
    limits.check_connections(10**6, 10**6, {"rule": ["odd"]}, 1, 10**10)
    for wrong in ("1", -1.0, math.inf, NAN, 1e300, None, True):
        with pytest.raises(AnimatError, match="ms"):
            limits.check_duration(wrong)


def test_what_scripts_return_is_made_plain() -> None:
    class NodeCollection:
        def tolist(self) -> list[int]:
            return [1, 2]

    value = {1: np.float64(1.5), "a": np.arange(2), "t": (True, {2, 1}), "n": NodeCollection(), "r": range(2)}
    assert plain(value) == {"1": 1.5, "a": [0, 1], "t": [True, [1, 2]], "n": {NODES: [1, 2]}, "r": [0, 1]}
    for wrong in (object(), 1j, b"x", 2**70):
        with pytest.raises(AnimatError, match=r"x\['k'\]\[0\] is an? "):
            plain({"k": [wrong]}, "x")
