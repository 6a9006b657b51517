"""Which nodes the kernel has: of which model, of which kind, with which ids."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Nodes", "nodes_made", "of_each_model"]

#: How NEST writes nodes of one model, made together.
_MADE = re.compile(r"model=(\S+), size=\d+, first=(\d+)(?:, last=(\d+))?")


@dataclass(frozen=True)
class Nodes:
    """Nodes of one model with successive ids; `kind` is NEST's element type: neuron, stimulator, recorder or other."""

    model: str
    kind: str
    first: int
    last: int


def nodes_made(nest: Any) -> list[Nodes]:
    """Return all nodes of the kernel, in order."""
    found = [(model, int(first), int(last or first)) for model, first, last in _MADE.findall(str(nest.GetNodes()))]
    kinds = {model: str(nest.GetDefaults(model)["element_type"]) for model in {model for model, *_ in found}}
    return [Nodes(model, kinds[model], first, last) for model, first, last in found]


def of_each_model(made: Sequence[Nodes], ids: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Return those of the ids, which ascend, that are of each model."""
    for model, runs in groupby(sorted(made, key=lambda each: each.model), key=lambda each: each.model):
        bounds = [np.searchsorted(ids, [each.first, each.last + 1]) for each in runs]
        mine = np.concatenate([ids[first:last] for first, last in bounds])
        if len(mine):
            yield model, np.sort(mine)
