"""Values as bytes that come back exactly as they were, without pickle: what a saved state is made of."""

from __future__ import annotations

import io
from collections import deque
from typing import Any

import msgspec
import numpy as np

from animat.errors import AnimatError

__all__ = ["pack", "unpack"]

_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


def pack(value: object, what: str) -> bytes:
    """Return `value` as msgpack.

    Kept are None, numbers, text, bytes, lists, tuples, sets, deques and maps of these, numpy arrays and numbers, and
    numpy's random generators.

    Parameters
    ----------
    what
        What the value is called in an error.

    Raises
    ------
    AnimatError
        Naming the part that cannot be kept.
    """
    try:
        return msgspec.msgpack.encode(_tagged(value, what))
    except RecursionError:
        raise AnimatError(f"{what} cannot be saved: it holds itself, or is nested too deeply") from None


def unpack(data: bytes) -> Any:
    """Return what `pack` made `data` from.

    Raises
    ------
    AnimatError
        If the data were not made by `pack`.
    """
    try:
        return _plain(msgspec.msgpack.decode(data))
    except (msgspec.DecodeError, ValueError, TypeError, IndexError, KeyError, EOFError) as error:
        raise AnimatError(f"this saved state cannot be read: {error}") from None


def _tagged(value: Any, what: str) -> Any:
    """Return scalars as they are, everything else as a list that begins with its kind."""
    kind = type(value)
    if value is None or kind in (bool, float, str, bytes):
        return value
    if kind is int:
        return value if -(2**63) <= value < 2**63 else ["int", str(value)]
    if kind in (list, tuple):
        return [kind.__name__, [_tagged(item, f"{what}[{place}]") for place, item in enumerate(value)]]
    if kind is set:
        return ["set", [_tagged(item, f"{what}{{...}}") for item in value]]
    if kind is deque:
        return ["deque", value.maxlen, [_tagged(item, f"{what}[{place}]") for place, item in enumerate(value)]]
    if kind is dict:
        return ["dict", [[_tagged(key, what), _tagged(item, f"{what}[{key!r}]")] for key, item in value.items()]]
    if (kind is np.ndarray or isinstance(value, np.generic)) and not value.dtype.hasobject:
        return ["array" if kind is np.ndarray else "number", _array_bytes(value)]
    if kind is np.random.Generator and value.bit_generator.state["bit_generator"] in _GENERATORS:
        return ["generator", _tagged(value.bit_generator.state, what)]
    raise AnimatError(
        f"{what} cannot be saved: it is a {kind.__name__}; saved are numbers, text, lists, tuples, sets, maps, numpy "
        "arrays and numpy's random generators"
    )


def _plain(found: Any) -> Any:
    if not isinstance(found, list):
        return found
    kind, *rest = found
    match kind:
        case "int":
            return int(rest[0])
        case "list":
            return [_plain(item) for item in rest[0]]
        case "tuple":
            return tuple(_plain(item) for item in rest[0])
        case "set":
            return {_plain(item) for item in rest[0]}
        case "deque":
            return deque((_plain(item) for item in rest[1]), rest[0])
        case "dict":
            return {_plain(key): _plain(item) for key, item in rest[0]}
        case "array":
            return np.lib.format.read_array(io.BytesIO(rest[0]), allow_pickle=False)
        case "number":
            return np.lib.format.read_array(io.BytesIO(rest[0]), allow_pickle=False)[()]
        case "generator":
            return _generator(_plain(rest[0]))
    raise ValueError(f"unknown kind {kind!r}")


def _array_bytes(value: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(value), allow_pickle=False)
    return file.getvalue()


def _generator(state: dict[str, Any]) -> np.random.Generator:
    if state["bit_generator"] not in _GENERATORS:
        raise ValueError(f"unknown random generator {state['bit_generator']!r}")
    bits = getattr(np.random, state["bit_generator"])()
    bits.state = state
    return np.random.Generator(bits)
