"""animat: a brain, a body and a world in one closed loop.

Names are loaded when they are first used, so that a worker process that needs only one part stays small.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from animat.errors import AnimatError as AnimatError
    from animat.run.reader import open_run as open_run
    from animat.simulation.session import Simulation as Simulation
    from animat.simulation.session import attach as attach
    from animat.simulation.session import load as load
    from animat.studio.nest_client import NestClient as NestClient
    from animat.transfer.declare import actuator as actuator
    from animat.transfer.declare import colour as colour
    from animat.transfer.declare import control as control
    from animat.transfer.declare import image as image
    from animat.transfer.declare import joint as joint
    from animat.transfer.declare import joint_effort as joint_effort
    from animat.transfer.declare import muscle_feedback as muscle_feedback
    from animat.transfer.declare import muscles as muscles
    from animat.transfer.declare import parameter as parameter
    from animat.transfer.declare import sensor as sensor
    from animat.transfer.declare import shared as shared
    from animat.transfer.declare import spike_sink as spike_sink
    from animat.transfer.declare import spike_source as spike_source
    from animat.transfer.declare import transfer_function as transfer_function
    from animat.transfer.declare import variable as variable
    from animat.transfer.declare import wrench as wrench
    from animat.transfer.words import log as log
    from animat.transfer.words import message as message

_DECLARATIONS = (
    "actuator",
    "colour",
    "control",
    "image",
    "joint",
    "joint_effort",
    "muscle_feedback",
    "muscles",
    "parameter",
    "sensor",
    "shared",
    "spike_sink",
    "spike_source",
    "transfer_function",
    "variable",
    "wrench",
)
_WHERE = {
    "AnimatError": "animat.errors",
    "NestClient": "animat.studio.nest_client",
    "Simulation": "animat.simulation.session",
    "attach": "animat.simulation.session",
    "load": "animat.simulation.session",
    "log": "animat.transfer.words",
    "message": "animat.transfer.words",
    "open_run": "animat.run.reader",
    **dict.fromkeys(_DECLARATIONS, "animat.transfer.declare"),
}

__all__ = [*_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"animat has no {name!r}; it has {', '.join(sorted(_WHERE))}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted(_WHERE)
