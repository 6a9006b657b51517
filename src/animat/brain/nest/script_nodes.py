"""What a script names as its populations: whatever plainly means neurons, as node collections by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, ValuesView
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.nest.kernel import reason
from animat.brain.nest.nodes import Nodes, nodes_made
from animat.errors import AnimatError

__all__ = ["node_collections"]

_NAMING = 'populations = {"exc": exc, "inh": inh}'


def node_collections(nest: Any, namespace: Mapping[str, Any], path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return what a script's names leave as populations, and what a user should know of them.

    Values of `populations` (or `circuit`) are node collections, PyNN populations, views and assemblies, ids as
    numbers, lists or arrays, and lists of these; dictionaries in it give names such as ``L4_E``.

    Raises
    ------
    AnimatError
        With the script's file: no populations, no neurons, devices among them, nodes that a ResetKernel removed.
    """
    label, named = _named(namespace, path)
    made = nodes_made(nest)
    known = max((each.last for each in made), default=0)
    nodes, notes, devices = {}, [], []
    for name, value in named.items():
        what = f"{label}[{name!r}]" if label else name
        try:
            found = _node_collection(nest, value, what, known)
        except AnimatError as error:
            raise error.at(path) from None
        except nest.NESTError as error:
            raise AnimatError(f"{what} is no population: {reason(error)}", file=path) from None
        ids = np.asarray(found.tolist(), np.int64)
        devices += [f"{what} holds a {model}" for model in _devices(ids, made)]
        if not isinstance(value, nest.NodeCollection) and not _ascending(nest, value, what):
            notes.append(f"the neurons of {what} are counted by ascending id, not in the order of the script")
        nodes[name] = found
    if devices:
        raise AnimatError(
            f"{', '.join(devices)}: devices, no neurons. Leave them out; they go on working as the script connected "
            "them, and transfer functions attach sources and sinks of their own",
            file=path,
        )
    return nodes, notes


def _named(namespace: Mapping[str, Any], path: Path) -> tuple[str, dict[str, Any]]:
    """Return what is named, flat, and the name of the dictionary that it stood in ("": none)."""
    found = namespace.get("populations")
    label = "populations"
    if not isinstance(found, Mapping) and "circuit" in namespace:
        found, label = namespace["circuit"], "circuit"
        if not isinstance(found, Mapping):
            return "", {"circuit": found}
    if found is None:
        within = (
            "; it names `populations` inside of a function, where it ends with it: write `global populations` there"
            if _names_it_in_a_function(path)
            else ""
        )
        raise AnimatError(f"the script must leave a dictionary of its populations, as in {_NAMING}{within}", file=path)
    if not isinstance(found, Mapping):
        raise AnimatError(
            f"populations is a {type(found).__name__}; it must be a dictionary that gives each a name: {_NAMING}",
            file=path,
        )
    named: dict[str, Any] = {}
    for name, value in _flat(found):
        if name in named:
            raise AnimatError(f"{label} has two populations that are called {name!r}", file=path)
        named[name] = value
    if not named:
        raise AnimatError(f"{label} is empty; it must name the script's populations, as in {_NAMING}", file=path)
    return label, named


def _flat(named: Mapping[Any, Any], *above: str) -> Iterator[tuple[str, Any]]:
    for key, value in named.items():
        names = (*above, *map(str, key)) if isinstance(key, tuple) else (*above, str(key))
        if isinstance(value, Mapping):
            yield from _flat(value, *names)
        else:
            yield "_".join(names), value


def _node_collection(nest: Any, value: Any, what: str, known: int) -> Any:
    if isinstance(value, nest.NodeCollection):
        return _checked(nest, value, what)
    ids = np.sort(_ids(nest, value, what))
    if len(ids) == 0:
        raise AnimatError(f"{what} is empty")
    if np.any(ids[1:] == ids[:-1]):
        twice = ids[1:][ids[1:] == ids[:-1]][0]
        raise AnimatError(f"{what} names the neuron with the id {twice} twice")
    if ids[0] < 1 or ids[-1] > known:
        wrong = ids[0] if ids[0] < 1 else ids[-1]
        raise AnimatError(f"{what} names a node with the id {wrong}; the script has made the ids 1 to {known}")
    return nest.NodeCollection(ids.tolist())


def _checked(nest: Any, nodes: Any, what: str) -> Any:
    """Return a node collection that the kernel still has."""
    if len(nodes) == 0:
        raise AnimatError(f"{what} is empty")
    try:
        nodes[:1]
    except nest.NESTError:
        raise AnimatError(
            f"{what} was made before the script's last ResetKernel, which removes all nodes; name nodes made after it"
        ) from None
    return nodes


def _ids(nest: Any, value: Any, what: str) -> NDArray[np.int64]:
    """Return the ids of whatever plainly means neurons, in its order."""
    if isinstance(value, nest.NodeCollection):
        return np.asarray(_checked(nest, value, what).tolist(), np.int64) if len(value) else np.zeros(0, np.int64)
    for name in ("node_collection", "all_cells"):
        if hasattr(value, name):
            return _ids(nest, getattr(value, name), what)
    if isinstance(value, np.ndarray) and (value.dtype.kind in "iu" or value.size == 0):
        return np.asarray(value.ravel(), np.int64)
    if isinstance(value, list | tuple | range | set | frozenset | ValuesView | np.ndarray):
        items = sorted(value) if isinstance(value, set | frozenset) else list(value)
        if all(isinstance(item, Integral) and not isinstance(item, bool) for item in items):
            return np.array([int(item) for item in items], np.int64)
        return np.concatenate([_ids(nest, item, what) for item in items])
    if isinstance(value, Integral) and not isinstance(value, bool):
        return np.array([int(value)], np.int64)
    raise AnimatError(
        f"{what} is or holds a {type(value).__name__}; neurons are named by a NodeCollection, a PyNN population, "
        "their ids, or a list of these"
    )


def _ascending(nest: Any, value: Any, what: str) -> bool:
    return bool(np.all(np.diff(_ids(nest, value, what)) > 0))


def _devices(ids: NDArray[np.int64], made: list[Nodes]) -> list[str]:
    """Return the models of devices among these nodes."""
    return sorted(
        {each.model for each in made if each.kind != "neuron" and np.any((ids >= each.first) & (ids <= each.last))}
    )


def _names_it_in_a_function(path: Path) -> bool:
    functions = [node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.FunctionDef)]
    return any(
        isinstance(node, ast.Name) and node.id == "populations" and isinstance(node.ctx, ast.Store)
        for function in functions
        for node in ast.walk(function)
    )
