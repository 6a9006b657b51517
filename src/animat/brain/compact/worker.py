"""What the worker process of a `compact` brain answers."""

from __future__ import annotations

from collections.abc import Callable

from animat.brain.compact.engine import CompactEngine
from animat.brain.network import Network
from animat.brain.protocol import BrainInfo, BrainScript, BrainSettings, ProjectionName, Selection
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

    def set_neurons(target: Selection, values: Values) -> None:
        engine.set(target, values)

    def set_projection(target: ProjectionName, values: Values) -> None:
        engine.set(target, values)

    def nothing() -> None:
        return None

    return {
        "check": engine.check,
        "load": load,
        "attach": engine.attach,
        "undo_attach": nothing,
        "detach": engine.detach,
        "advance": engine.advance,
        "get": engine.get,
        "set": set_neurons,
        "set_projection": set_projection,
        "save": engine.save,
        "restore": engine.restore,
        "nothing": nothing,
        "reset": engine.reset,
    }
