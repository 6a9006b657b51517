"""What a network's state belongs to: its description, seed and grid, as short texts that two can be compared by."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from animat.brain.network import Network, Population, Projection

__all__ = ["HASH", "differences", "fingerprint"]

#: How a text begins that is no value but a hash, of which an error only says that it is another.
HASH = "sha256:"

#: Differences that an error names; the rest are counted.
_SHOWN = 4


def fingerprint(network: Network, seed: int, resolution: int, options: Mapping[str, object]) -> dict[str, str]:
    """Return what must be the same for a state to be taken over, by what it is called in an error.

    A network that has crossed a link has the fingerprint of the one that was sent.
    """
    network = msgspec.msgpack.decode(msgspec.msgpack.encode(network), type=Network)
    found = {"seed": str(seed), "resolution": f"{resolution / 1e6:g} ms"}
    found |= {name: str(value) for name, value in options.items()}
    parts: list[Population | Projection] = [*network.populations, *network.projections]
    for place, part in enumerate(parts):
        name = f"{'population' if isinstance(part, Population) else 'projection'} {part.name}"
        found[name] = found.get(name, HASH) + hashlib.sha256(msgspec.msgpack.encode((place, part))).hexdigest()[:16]
    return found


def differences(saved: Mapping[str, str], mine: Mapping[str, str]) -> str:
    """Return what differs as one text, empty if nothing does."""
    names = [name for name in dict.fromkeys((*saved, *mine)) if saved.get(name) != mine.get(name)]
    texts = [_difference(name, saved.get(name), mine.get(name)) for name in names[:_SHOWN]]
    more = [f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return ", ".join(texts + more)


def _difference(name: str, saved: str | None, mine: str | None) -> str:
    if saved is None:
        return f"{name} is new"
    if mine is None:
        return f"{name} is gone"
    return f"{name} is another" if mine.startswith(HASH) else f"{name} was {saved} and is {mine}"
