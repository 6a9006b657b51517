"""Engines that animat builds itself: where they are kept, which are there, and how one is built."""

from animat.brain.install.found import EngineInstall, engines_folder, installed_engines, nest_mpi

__all__ = ["EngineInstall", "engines_folder", "installed_engines", "nest_mpi"]
