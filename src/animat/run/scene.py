"""What a viewer needs to draw the bodies of a run, kept in `scene.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from animat.body.protocol import BodyInfo, Scene
from animat.errors import AnimatError
from animat.experiment.signal_names import port_signals
from animat.run.files import write_text
from animat.run.format import SCENE

__all__ = ["BodyScene", "read_scene", "scene_of", "write_scene"]


class BodyScene(msgspec.Struct, frozen=True, kw_only=True):
    """A body's drawable scene with the names of its links, muscles and joints.

    `prefix` stands before its columns and signals: empty when it is the only body, else ``NAME/``. `limits` has the
    lowest and highest value of its controls by signal, colours left out; None where there is none or it is the value
    at rest.
    """

    name: str
    prefix: str
    engine: str
    links: tuple[str, ...]
    muscles: tuple[str, ...]
    joints: tuple[str, ...]
    scene: Scene
    limits: dict[str, tuple[float | None, float | None]] = {}


def scene_of(bodies: Mapping[str, BodyInfo]) -> list[BodyScene]:
    """Return what a viewer draws of the named bodies."""
    return [
        BodyScene(
            name=name,
            prefix=f"{name}/" if len(bodies) > 1 else "",
            engine=info.engine,
            links=info.links,
            muscles=info.muscles,
            joints=info.joints,
            scene=info.scene,
            limits=_limits(info, f"{name}/" if len(bodies) > 1 else ""),
        )
        for name, info in bodies.items()
    ]


def _limits(info: BodyInfo, prefix: str) -> dict[str, tuple[float | None, float | None]]:
    found = {}
    for name, port, control in port_signals(info, prefix):
        low, high = (
            limit if math.isfinite(limit) and np.all(np.not_equal(port.rest, limit)) else None
            for limit in (port.low, port.high)
        )
        if control and (low, high) != (None, None) and not port.name.startswith("colour/"):
            found[name] = (low, high)
    return found


def write_scene(folder: Path, bodies: BodyInfo | Mapping[str, BodyInfo]) -> None:
    """Write `scene.json` of one body or of several by name."""
    named = {"body": bodies} if isinstance(bodies, BodyInfo) else bodies
    write_text(folder / SCENE, msgspec.json.encode(scene_of(named)).decode())


def read_scene(folder: Path) -> list[BodyScene]:
    """Return the bodies that a run can draw; none if it has no scene."""
    path = folder / SCENE
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[BodyScene])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as error:
        raise AnimatError(f"this scene cannot be read ({error})", file=path) from None
