"""Eyes that cast rays and cameras that render see the same world."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from animat.body.model import BodyModel, Eye, ModelShape, WorldObject
from animat.body.mujoco import MujocoEngine

COMPARE = """
import numpy as np
from animat.body.mujoco import MujocoEngine
from animat.errors import AnimatError
from test_mujoco_eye import room
try:
    engine = MujocoEngine()
    engine.load(room("camera"))
except AnimatError as error:
    raise SystemExit(f"skip: {error}")
rendered = engine.read().images["image/eye"]
engine.load(room("rays"))
seen = engine.read().images["image/eye"]
engine.close()
dominant = lambda picture: np.where(picture.max(axis=2) > 60, picture.argmax(axis=2), -1)
walls = dominant(seen) >= 0
print((dominant(seen) == dominant(rendered))[walls].mean())
"""


def room(kind: str) -> BodyModel:
    """A red screen to the left of a blue one, a green one above, in a dark room."""

    def screen(name: str, y: float, z: float, colour: tuple[float, float, float, float]) -> WorldObject:
        return WorldObject(
            name=name,
            position=(2.0, y, z),
            shapes=(ModelShape(kind="box", size=(0.05, 0.4, 0.4), colour=colour),),
        )

    return BodyModel(
        name="room",
        objects=(
            screen("red", 0.8, 0.0, (1, 0, 0, 1)),
            screen("blue", -0.8, 0.0, (0, 0, 1, 1)),
            screen("green", 0.0, 0.9, (0, 1, 0, 1)),
        ),
        eyes=(Eye(name="eye", kind=kind, width=40, height=30, background=(0.0, 0.0, 0.0)),),  # type: ignore[arg-type]
    )


def test_left_is_left_and_up_is_up() -> None:
    engine = MujocoEngine()
    engine.load(room("rays"))
    picture = engine.read().images["image/eye"].astype(int)
    middle = 15
    assert picture[middle, :20, 0].max() > 200 and picture[middle, :20, 2].max() == 0
    assert picture[middle, 20:, 2].max() > 200 and picture[middle, 20:, 0].max() == 0
    assert picture[:12, :, 1].max() > 200 and picture[18:, :, 1].max() == 0


def test_rays_and_camera_agree() -> None:
    environment = {**os.environ, "MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl")}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), environment.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, "-c", COMPARE], env=environment, capture_output=True, text=True, timeout=60)
    if done.returncode:
        if "skip:" in done.stderr or "egl" in done.stderr.lower():
            pytest.skip("no OpenGL here")
        raise AssertionError(done.stderr)
    assert float(done.stdout.split()[-1]) > 0.97
