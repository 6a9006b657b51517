"""The OpenSim body engine (optional: needs the package `opensim`)."""

from animat.body.opensim.engine import OpenSimEngine, make_opensim_engine

__all__ = ["OpenSimEngine", "make_opensim_engine"]
