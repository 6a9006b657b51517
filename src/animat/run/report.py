"""The report of a run: one self-contained page."""

from animat.run.scene import write_scene

__all__ = ["write_scene"]
