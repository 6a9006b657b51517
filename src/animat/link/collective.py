"""A handler that every process of a worker carries out, and how their pieces become one answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Collective", "Handler", "Handlers"]


@dataclass(frozen=True)
class Collective:
    """A request whose answer is made of what every process found.

    `part` runs in all processes with the same arguments; its annotated parameters say how those are decoded and its
    annotated return type how the pieces are. `merge` gets the pieces by rank, in the first process alone. It only
    reads: what changes the simulator belongs into `part`, so that the processes never differ.
    """

    part: Callable[..., Any]
    merge: Callable[[list[Any]], Any]


#: A plain function is carried out by all processes as well; its answer is the first one's.
Handler = Callable[..., Any] | Collective

#: Handlers by method name.
Handlers = dict[str, Handler]
