"""What NEST and scripts return, turned into what msgpack and JSON can carry; imports no NEST."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import numpy as np

from animat.errors import AnimatError

__all__ = ["CONNECTIONS", "NODES", "columns", "plain"]

#: Under these keys, which no one writes, pieces keep apart what is merged in a way of its own.
NODES, CONNECTIONS = "\0nodes", "\0connections"


def plain(value: Any, where: str = "the answer") -> Any:
    """Return the value as None, bools, numbers, strings, lists and dictionaries.

    NodeCollections and SynapseCollections become marked lists of ids and columns, which merging unmarks.

    Raises
    ------
    AnimatError
        If something in it has no such form; `where` says where.
    """
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return str(value).encode(errors="replace").decode()
    if isinstance(value, enum.Enum):
        return plain(value.value, where)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise AnimatError(f"{where} is an integer of {value.bit_length()} bits; at most 64 can be sent")
        return int(value)
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist(), where)
    if isinstance(value, Mapping):
        return {_key(key): plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return _plain_list(list(value), where)
    if isinstance(value, set | frozenset):
        return _plain_list(sorted(value, key=repr), where)
    return _special(value, where)


def _plain_list(items: list[Any], where: str) -> list[Any]:
    if all(type(item) is float for item in items):
        return items
    return [plain(item, f"{where}[{index}]") for index, item in enumerate(items)]


def _special(value: Any, where: str) -> Any:
    kind = type(value).__name__
    if kind == "NodeCollection":
        return {NODES: value.tolist()}
    if kind == "SynapseCollection":
        return {CONNECTIONS: columns(value)}
    if kind == "SLILiteral":
        return str(value.name)
    raise AnimatError(
        f"{where} is a {kind}, which cannot be sent; numbers, texts, lists, dictionaries, arrays, "
        "nodes and connections can"
    )


def columns(connections: Any) -> dict[str, list[Any]]:
    """Return the status of a SynapseCollection as lists by name, also if it holds one connection or none."""
    if not len(connections):
        return {}
    values = connections.get()
    lists = {key: [column] if len(connections) == 1 else column for key, column in values.items()}
    return {key: plain(column, key) for key, column in lists.items()}


def _key(key: Any) -> str:
    return str(plain(key, "a key")) if isinstance(key, str | int | float | np.generic) else repr(key)
