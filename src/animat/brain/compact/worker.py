"""What the worker process of a `compact` brain answers."""

from __future__ import annotations

from collections.abc import Callable

from animat.brain.compact.engine import CompactEngine
from animat.brain.network import Network
from animat.brain.protocol import (
    BrainInfo,
    BrainReply,
    BrainScript,
    BrainSettings,
    Change,
    Device,
    ProjectionName,
    Selection,
)
from animat.link.collective import Handlers

__all__ = ["handlers"]

#: New values by name, as they cross.
Values = dict[str, bool | float | list[float]]


def handlers(progress: Callable[[str, float], None]) -> Handlers:
    """Return the requests that a worker answers; their annotations say how arguments are decoded."""
    engine = CompactEngine()

    def load(network: Network | None, script: BrainScript | None, settings: BrainSettings) -> BrainInfo:
        brain = network or script
        assert brain is not None
        return engine.load(brain, settings, progress)

    def check(network: Network) -> None:
        engine.check(network)

    def attach(devices: list[Device]) -> list[int]:
        return engine.attach(devices)

    def detach(devices: list[int]) -> None:
        engine.detach(devices)

    def advance(changes: list[Change], until: int) -> BrainReply:
        return engine.advance(changes, until)

    def get(target: Selection, names: list[str]) -> dict[str, list[float]]:
        return engine.get(target, names)

    def set_neurons(target: Selection, values: Values) -> None:
        engine.set(target, values)

    def set_projection(target: ProjectionName, values: Values) -> None:
        engine.set(target, values)

    def nothing() -> None:
        return None

    def reset() -> BrainInfo:
        return engine.reset()

    def save(folder: str) -> None:
        engine.save(folder)

    def restore(folder: str) -> None:
        engine.restore(folder)

    return {
        "check": check,
        "load": load,
        "attach": attach,
        "undo_attach": nothing,
        "detach": detach,
        "advance": advance,
        "get": get,
        "set": set_neurons,
        "set_projection": set_projection,
        "nothing": nothing,
        "reset": reset,
        "save": save,
        "restore": restore,
    }
