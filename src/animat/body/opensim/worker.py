"""The OpenSim engine's side of a link: what `animat.link.serve` offers to the parent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from animat.body.model import BodyModel
from animat.body.opensim.engine import OpenSimEngine
from animat.body.opensim.settings import OpenSimSettings
from animat.body.opensim.wire import PackedReply, pack
from animat.body.protocol import BodyInfo
from animat.errors import AnimatError

__all__ = ["handlers"]


def handlers(progress: Callable[[str, float], None]) -> dict[str, Callable[..., Any]]:
    """Return the calls that the worker answers."""
    del progress
    engines: list[OpenSimEngine] = []

    def engine() -> OpenSimEngine:
        if not engines:
            raise AnimatError("this body engine has no model; call load first")
        return engines[0]

    def load(model: BodyModel, settings: OpenSimSettings) -> BodyInfo:
        engines[:] = [OpenSimEngine(settings)]
        return engines[0].load(model)

    def read() -> PackedReply:
        return pack(engine().read())

    def advance(controls: bytes, until: int) -> PackedReply:
        return pack(engine().advance(np.frombuffer(controls), until))

    def reset() -> None:
        engine().reset()

    def save() -> bytes:
        return engine().save()

    def restore(state: bytes) -> None:
        engine().restore(state)

    return {"load": load, "read": read, "advance": advance, "reset": reset, "save": save, "restore": restore}
