"""What came as JSON, turned into what NEST's functions take; imports no NEST."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from animat.brain.nest.dialect.calls import FILE_WORDS, RECORD_TO
from animat.errors import AnimatError

__all__ = ["Connection", "connections", "file_word", "is_connections", "node_ids", "with_numbers"]

_NUMBERS = {
    "inf": float("inf"),
    "+inf": float("inf"),
    "infinity": float("inf"),
    "-inf": float("-inf"),
    "-infinity": float("-inf"),
    "nan": float("nan"),
}

#: Parameters whose value is text, whatever it spells.
_TEXTS = frozenset({"label", "data_prefix", "model", "synapse_model"})

#: Largest id that NEST's nodes can have.
_LARGEST = 2**62


@dataclass(frozen=True)
class Connection:
    """What tells a connection from all others."""

    source: int
    target: int
    target_thread: int
    synapse_id: int
    port: int


_FIELDS = ("source", "target", "target_thread", "synapse_id", "port")


def with_numbers(value: Any) -> Any:
    """Return the value with the words inf, -inf and nan read as numbers, except where a text is wanted."""
    if isinstance(value, str):
        return _NUMBERS.get(value.lower(), value)
    if isinstance(value, list):
        return [with_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: item if key in _TEXTS else with_numbers(item) for key, item in value.items()}
    return value


def node_ids(value: Any, name: str) -> list[int]:
    """Return node ids, in the order given, from one id or a list of ids."""
    ids = value if isinstance(value, list) else [value]
    for node in ids:
        if isinstance(node, bool) or not isinstance(node, int) or not 0 < node < _LARGEST:
            raise AnimatError(f"{name} are given as ids, such as [1, 2, 3]; {_shown(node)} is none")
    return list(ids)


def is_connections(value: Any) -> bool:
    """Return whether a first argument of GetStatus or SetStatus means connections rather than nodes."""
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], list | dict))


def connections(value: Any) -> list[Connection]:
    """Return connections from the columns that GetConnections answers, or from a list of rows or of columns by name."""
    if isinstance(value, dict):
        if not value:
            return []
        columns = [value.get(field) for field in _FIELDS]
        if any(column is None for column in columns):
            missing = ", ".join(field for field, column in zip(_FIELDS, columns, strict=True) if column is None)
            raise AnimatError(f"connections are given as GetConnections answers them; {missing} is missing")
        lists = [column if isinstance(column, list) else [column] for column in columns]
        if len({len(column) for column in lists}) > 1:
            raise AnimatError(f"the columns {', '.join(_FIELDS)} of connections must be of equal length")
        return [_connection(row) for row in zip(*lists, strict=True)]
    return [_connection([item.get(f) for f in _FIELDS] if isinstance(item, dict) else item) for item in value]


def _connection(row: Any) -> Connection:
    good = isinstance(row, Sequence) and len(row) == len(_FIELDS)
    if not good or any(isinstance(n, bool) or not isinstance(n, int) or not 0 <= n < _LARGEST for n in row):
        raise AnimatError(f"a connection is [{', '.join(_FIELDS)}] in whole numbers; {_shown(row)} is not")
    return Connection(*row)


def file_word(values: Iterable[Any]) -> str | None:
    """Return the first parameter among arguments that would make NEST open a file, as the user wrote it."""
    return next((found for found in map(_file_word, values) if found), None)


def _file_word(value: Any) -> str | None:
    if isinstance(value, str):
        return value if value in FILE_WORDS or value == "record_to" else None
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in FILE_WORDS or (key == "record_to" and not _in_memory(item)):
                return str(key)
        return file_word(item for key, item in value.items() if key not in _TEXTS and key != "record_to")
    if isinstance(value, list):
        return file_word(value)
    return None


def _in_memory(item: Any) -> bool:
    return all(isinstance(one, str) and one in RECORD_TO for one in (item if isinstance(item, list) else [item]))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."
