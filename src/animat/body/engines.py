"""The body engines by name; a new one is one line here, or an entry point `animat.body_engines` of another package."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from animat.body.protocol import BodyEngine
from animat.errors import unknown_name

__all__ = ["make_body_engine"]

_ENGINES = {"mujoco": "animat.body.mujoco:MujocoEngine", "opensim": "animat.body.opensim:make_opensim_engine"}


def make_body_engine(engine: str = "mujoco", settings: Mapping[str, Any] = {}) -> BodyEngine:
    """Return an engine without a model; `settings` are its keyword arguments.

    Raises
    ------
    AnimatError
        If there is no such engine, it is not installed, or a setting is unknown or out of range.
    """
    known = _ENGINES | {point.name: point.value for point in entry_points(group="animat.body_engines")}
    if engine not in known:
        raise unknown_name("body engine", engine, known)
    module, _, name = known[engine].partition(":")
    make: Callable[..., BodyEngine] = getattr(import_module(module), name)
    parameters = inspect.signature(make).parameters
    if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        for setting in settings:
            if setting not in parameters:
                raise unknown_name(f"setting of the engine {engine}", setting, parameters)
    return make(**settings)
