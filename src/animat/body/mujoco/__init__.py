"""The MuJoCo body engine."""

from animat.body.mujoco.engine import MujocoEngine

__all__ = ["MujocoEngine"]
