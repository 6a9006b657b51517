"""Carry out events that reach beyond the loop: parameters, lesions, messages, the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from animat.brain.protocol import ProjectionName
from animat.simulation.course import tell
from animat.simulation.events import Event
from animat.simulation.running import Running
from animat.simulation.targets import get_value, named_neurons, set_value, split_target

__all__ = ["carry_out"]


def carry_out(sim: Running, events: Iterable[Event]) -> None:
    """Do what events ask for and write them to the run's events."""
    for event in events:
        sim.writer.event(
            "event", sim.loop.time, action=event.kind, target=event.target, value=event.value, undo=event.undo
        )
        if event.kind == "message" and not event.undo:
            tell(sim, str(event.value))
        elif event.kind == "stop" and not event.undo:
            sim.asked.stop = str(event.value)
        else:
            _apply_event(sim, event)


def _apply_event(sim: Running, event: Event) -> None:
    """Carry out a set, silence or cut; with a duration, what was there comes back at its end."""
    for key, value in _pieces(event):
        owner = (event.at, event.until, str(value))
        if event.undo:
            _apply(sim, key, sim.overlays.lift(key, owner))
        elif event.until is not None:
            sim.overlays.lay(key, owner, value, lambda key=key: _present(sim, key))  # type: ignore[misc]
            _apply(sim, key, value)
        elif not sim.overlays.rebase(key, value):
            _apply(sim, key, value)


#: (kind, target, neuron parameter or "").
_Key = tuple[str, str, str]


def _pieces(event: Event) -> list[tuple[_Key, Any]]:
    if event.kind != "set":
        return [((event.kind, event.target, ""), True)]
    if split_target(event.target)[0] == "neurons":
        return [(("set", event.target, name), value) for name, value in event.value.items()]
    return [(("set", event.target, ""), event.value)]


def _apply(sim: Running, key: _Key, value: Any) -> None:
    kind, target, name = key
    if kind == "silence":
        link, selection = named_neurons(sim, target)
        link.set(selection, {"silent": value})
    elif kind == "cut":
        brain, projection = target.split("/", 1)
        pre, post = projection.split("->")
        sim.engines.link(brain).set(ProjectionName(pre, post), {"cut": value})
    else:
        set_value(sim, target, {name: value} if name else value)


def _present(sim: Running, key: _Key) -> Any:
    kind, target, name = key
    if kind != "set":
        return False
    found = get_value(sim, target, [name] if name else [])
    return found[name] if name else found
