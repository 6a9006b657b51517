"""What the worker process of a NEST brain answers."""

from __future__ import annotations

from collections.abc import Callable

from animat.brain.nest.engine import NestEngine
from animat.brain.nest.parts import (
    Attachment,
    Done,
    Found,
    Step,
    merge_attached,
    merge_changed,
    merge_faults,
    merge_found,
    merge_infos,
)
from animat.brain.network import Fault, Network
from animat.brain.protocol import (
    BrainInfo,
    BrainScript,
    BrainSettings,
    Change,
    Device,
    ProjectionName,
    Selection,
)
from animat.link.collective import Collective, Handlers

__all__ = ["handlers"]

#: New values by name, as they cross.
Values = dict[str, bool | float | list[float]]


def handlers(progress: Callable[[str, float], None]) -> Handlers:
    """Return the requests that a NEST worker answers; their annotations say how arguments are decoded."""
    engine = NestEngine()

    def check(network: Network) -> list[Fault]:
        return engine.check(network)

    def load(network: Network | None, script: BrainScript | None, settings: BrainSettings) -> BrainInfo:
        brain = network or script
        assert brain is not None
        return engine.load(brain, settings, progress)

    def attach(devices: list[Device]) -> Attachment:
        return engine.attached(devices)

    def undo_attach() -> None:
        engine.undo_attach()

    def detach(devices: list[int]) -> None:
        engine.detach(devices)

    def advance(changes: list[Change], until: int) -> Step:
        return engine.step(changes, until)

    def get(target: Selection, names: list[str]) -> Found:
        return engine.found(target, names)

    def set_neurons(target: Selection, values: Values) -> Done:
        return engine.changed(target, values)

    def set_projection(target: ProjectionName, values: Values) -> Done:
        return engine.changed(target, values)

    def nothing() -> None:
        return None

    def reset() -> BrainInfo:
        return engine.reset()

    return {
        "check": Collective(check, merge_faults),
        "load": Collective(load, merge_infos),
        "attach": Collective(attach, merge_attached),
        "undo_attach": undo_attach,
        "detach": detach,
        "advance": Collective(advance, engine.merge_steps),
        "get": Collective(get, merge_found),
        "set": Collective(set_neurons, merge_changed),
        "set_projection": Collective(set_projection, merge_changed),
        "nothing": nothing,
        "reset": Collective(reset, merge_infos),
    }
