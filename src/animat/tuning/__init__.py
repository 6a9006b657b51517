"""Bring a network's populations to given rates by turning their background drive, currents and gains."""

from animat.tuning.procedure import Tuning, TuningRow, tune, write_tuning
from animat.tuning.targets import Target, read_targets

__all__ = ["Target", "Tuning", "TuningRow", "read_targets", "tune", "write_tuning"]
