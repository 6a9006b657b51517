"""What a script may leave as its populations."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from nest_brain import nest

from animat.brain.nest.nodes import nodes_made
from animat.brain.nest.script_nodes import node_collections
from animat.errors import AnimatError


@pytest.fixture
def cells() -> Any:
    """Ten neurons with the ids 1 to 10; 11 is a generator, 12 a recorder."""
    nest.ResetKernel()
    made = nest.Create("iaf_psc_alpha", 10)
    nest.Create("poisson_generator")
    nest.Create("spike_recorder")
    return made


def ids(namespace: dict[str, Any], path: Path = Path("net.py")) -> dict[str, list[int]]:
    found, _ = node_collections(nest, namespace, path)
    return {name: nodes.tolist() for name, nodes in found.items()}


def test_all_nodes_are_found_by_kind(cells: Any) -> None:
    nest.CopyModel("poisson_generator", "mine")
    nest.Create("mine", 3)
    assert [(each.model, each.kind, each.first, each.last) for each in nodes_made(nest)] == [
        ("iaf_psc_alpha", "neuron", 1, 10),
        ("poisson_generator", "stimulator", 11, 11),
        ("spike_recorder", "recorder", 12, 12),
        ("mine", "stimulator", 13, 15),
    ]


def test_whatever_plainly_means_neurons(cells: Any) -> None:
    several = {
        "collection": cells[2:4],
        "every third": cells[::3],
        "numbers": [3, 4],
        "array": np.array([3, 4]),
        "grid": np.array([[3, 4], [5, 6]], np.uint8),
        "numpy numbers": (np.int64(3), np.int32(4)),
        "range": range(3, 5),
        "set": {4, 3},
        "one": 3,
        "list of collections": [cells[2:4], cells[6]],
        "pynn": SimpleNamespace(all_cells=np.array([3, 4])),
        "view": SimpleNamespace(node_collection=cells[2:4]),
        "list of pynn": [SimpleNamespace(all_cells=np.array([3, 4])), SimpleNamespace(all_cells=np.array([7]))],
        "values": {"a": cells[2], "b": cells[3]}.values(),
    }
    three_four = [3, 4]
    assert ids({"populations": several}) == {
        **dict.fromkeys(several, three_four),
        "every third": [1, 4, 7, 10],
        "grid": [3, 4, 5, 6],
        "one": [3],
        "list of collections": [3, 4, 7],
        "list of pynn": [3, 4, 7],
    }


def test_dictionaries_within_give_names(cells: Any) -> None:
    layers = {"L4": {"E": cells[:4], "I": cells[4:6]}, ("L5", "E"): cells[6:8], 6: {"E": cells[8:]}}
    assert list(ids({"populations": layers})) == ["L4_E", "L4_I", "L5_E", "6_E"]
    with pytest.raises(AnimatError, match="two populations that are called 'L4_E'"):
        ids({"populations": {**layers, "L4_E": cells}})


def test_a_circuit_may_be_one_population_or_a_dictionary_or_a_list(cells: Any) -> None:
    assert ids({"circuit": cells}) == {"circuit": cells.tolist()}
    assert ids({"circuit": [cells[:3], cells[5:6]]}) == {"circuit": [1, 2, 3, 6]}
    assert ids({"circuit": {"first": cells[:2], "second": cells[2:3]}}) == {"first": [1, 2], "second": [3]}
    assert ids({"populations": [cells], "circuit": cells[:2]}) == {"circuit": [1, 2]}


def test_another_order_than_that_of_the_ids_is_told(cells: Any) -> None:
    found, notes = node_collections(nest, {"populations": {"a": [7, 3, 5], "b": [3, 5]}}, Path("net.py"))
    assert found["a"].tolist() == [3, 5, 7]
    assert notes == ["the neurons of populations['a'] are counted by ascending id, not in the order of the script"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("cells", r"populations\['a'\] is or holds a str"),
        ([True], r"is or holds a bool"),
        ([1.5, 2.0], "is or holds a float"),
        (np.array([1.0]), "is or holds a float"),
        (None, "is or holds a NoneType"),
        ([[], ()], r"populations\['a'\] is empty"),
        (np.array([]), "is empty"),
        ([5, 5, 6], "names the neuron with the id 5 twice"),
        ([5, 99], "a node with the id 99; the script has made the ids 1 to 12"),
        (range(3), "a node with the id 0"),
        ([{}], "is or holds a dict"),
    ],
)
def test_what_is_no_population(cells: Any, value: Any, says: str) -> None:
    with pytest.raises(AnimatError, match=says) as caught:
        ids({"populations": {"a": value}})
    assert caught.value.file == "net.py"


def test_overlapping_collections_in_a_list_are_no_population(cells: Any) -> None:
    with pytest.raises(AnimatError, match="names the neuron with the id 4 twice"):
        ids({"populations": {"a": [cells[:4], cells[3:6]]}})


def test_devices_are_named_as_such(cells: Any) -> None:
    named = {"cells": cells, "noise": nest.NodeCollection([11]), "all": range(1, 13)}
    with pytest.raises(AnimatError) as caught:
        ids({"populations": named})
    assert caught.value.what.startswith(
        "populations['noise'] holds a poisson_generator, populations['all'] holds a poisson_generator, "
        "populations['all'] holds a spike_recorder: devices"
    )


def test_nodes_from_before_a_reset(cells: Any) -> None:
    nest.ResetKernel()
    after = nest.Create("iaf_psc_alpha", 10)
    assert ids({"populations": {"b": after}}) == {"b": after.tolist()}
    for value in (cells, [cells], cells[:0] if False else {"x": cells}):
        with pytest.raises(AnimatError, match=r"populations\['a.*was made before the script's last ResetKernel"):
            ids({"populations": {"a": value, "b": after}})


@pytest.mark.parametrize(
    ("text", "namespace", "says"),
    [
        ("x = 1\n", {}, 'as in populations = {"exc": exc, "inh": inh}$'),
        ("def main():\n    populations = {}\n", {}, "write `global populations` there$"),
        ("", {"populations": [1, 2]}, "populations is a list; it must be a dictionary that gives each a name"),
        ("", {"populations": {}}, "populations is empty"),
        ("", {"populations": {"L4": {}}}, "populations is empty"),
    ],
)
def test_no_populations(tmp_path: Path, cells: Any, text: str, namespace: dict[str, Any], says: str) -> None:
    file = tmp_path / "net.py"
    file.write_text(text)
    with pytest.raises(AnimatError, match=says):
        ids(namespace, file)
