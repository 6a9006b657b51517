"""What one process answers, and how the answers of all become one; imports no NEST."""

from __future__ import annotations

from typing import Any

import msgspec

from animat.brain.nest.dialect.merge import merge_status, merge_values
from animat.brain.nest.dialect.protocol import Answer
from animat.errors import AnimatError, unknown_name

__all__ = ["Piece", "Share", "together"]


class Share(msgspec.Struct):
    """The statuses that one process has, by place in the request; `count` is the number asked for."""

    count: int
    places: list[int]
    statuses: list[dict[str, Any]]


class Piece(msgspec.Struct):
    """What one process found.

    `keys` choose from the merged status; a `quiet` answer is None; `error` is where the others can go on without it.
    """

    value: Any = None
    share: Share | None = None
    keys: str | list[str] | None = None
    quiet: bool = False
    printed: str = ""
    error: str | None = None


def together(pieces: list[Piece]) -> Answer:
    """Return one answer from the pieces of all processes, by rank."""
    failed = [piece.error for piece in pieces if piece.error is not None]
    if failed:
        return Answer(error=failed[0])
    shares = [piece.share for piece in pieces if piece.share is not None]
    keys = pieces[0].keys
    try:
        if shares:
            statuses = _statuses(shares)
            return Answer(None if pieces[0].quiet else [_chosen(status, keys) for status in statuses])
        data, notes = merge_values([piece.value for piece in pieces])
        return Answer(_chosen(data, keys), _printed([piece.printed for piece in pieces]), notes)
    except AnimatError as error:
        return Answer(error=error.what)
    except RecursionError:
        return Answer(error="what the call returns is nested too deeply")


def _statuses(shares: list[Share]) -> list[dict[str, Any]]:
    found: list[list[dict[str, Any]]] = [[] for _ in range(shares[0].count)]
    for share in shares:
        for place, status in zip(share.places, share.statuses, strict=True):
            found[place].append(status)
    if not all(found):
        raise AnimatError(f"there is no such connection as number {found.index([])} of the request, counted from 0")
    return [merge_status(statuses) for statuses in found]


def _chosen(status: Any, keys: str | list[str] | None) -> Any:
    """Return the whole status, one value of it, or a list of several."""
    if keys is None:
        return status
    for key in [keys] if isinstance(keys, str) else keys:
        if key not in status:
            whose = status.get("model", status.get("synapse_model", "the kernel"))
            raise unknown_name(f"parameter of {whose}", key, status)
    return status[keys] if isinstance(keys, str) else [status[key] for key in keys]


def _printed(texts: list[str]) -> str:
    """Return what the first process printed, and what others printed that differs."""
    first = texts[0]
    others = [f"[process {rank}]\n{text}" for rank, text in enumerate(texts) if rank and text and text != first]
    if others and first and not first.endswith("\n"):
        first += "\n"
    return first + "".join(others)
