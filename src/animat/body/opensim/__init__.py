"""The OpenSim body engine (optional: needs the package `opensim`)."""

from animat.body.opensim.remote import make_opensim_engine

__all__ = ["make_opensim_engine"]
