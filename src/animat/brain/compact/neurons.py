"""The neurons of one population: their parameters, which may differ, and what the core makes of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.compact.capabilities import parameter_faults
from animat.brain.compact.models import Model
from animat.errors import AnimatError, unknown_name

__all__ = ["Neurons"]

_Array = NDArray[np.float64]

#: Parameters that the core keeps for every neuron; others that differ divide a population into groups.
_FOR_EACH = ("V_th", "I_e")

#: What a coefficient is at most, in either precision.
_LARGEST = 1e30


class Neurons:
    """Parameters and states of a population by NEST's names.

    A parameter is one value, or an array with one for every neuron. Potentials in the core are relative to E_L.
    """

    def __init__(self, core: Any, place: int, what: str, model: Model, size: int, params: dict[str, Any], h: float):
        self._core, self._place, self._what, self._h = core, place, what, h
        self.model, self.size = model, size
        self.params: dict[str, Any] = {**model.defaults, **params}
        self.silent = np.zeros(size, bool)
        self._states = {name: number for number, name in enumerate(model.state_names(self.params))}
        self._check(self.params)
        if "V_m" in self._states:
            start = model.start_mv - self._all("E_L")
            self._core.set_state(self._place, 0, np.ascontiguousarray(start))
        self._configure()

    @property
    def names(self) -> list[str]:
        """All that `get` and `set` know, lists of receptors aside."""
        return [*(name for name in self.params if name not in self.model.listed), *self._states]

    def check_names(self, target: str, names: Any) -> None:
        """Refuse names that are no parameters or states."""
        for name in names:
            if name not in self.names:
                raise unknown_name(f"parameter of {target}", name, self.names)

    def get(self, name: str) -> _Array:
        """Return a parameter or state of all neurons."""
        if name in self._states:
            found = np.asarray(self._core.state(self._place, self._states[name], self.size))
            return found + self._all("E_L") if name == "V_m" else found
        return self._all(name)

    def set(self, places: NDArray[np.int64], values: dict[str, _Array | float]) -> None:
        """Set parameters or states of neurons at these places: one value, or one for each.

        Raises
        ------
        AnimatError
            If a value has no meaning; then nothing is changed.
        """
        fresh: dict[str, _Array] = {}
        for name, value in values.items():
            fresh[name] = self.get(name).copy()
            fresh[name][places] = value
            if not np.all(np.isfinite(fresh[name][places])):
                raise AnimatError(f"{self._what}: {name} must be a finite number")
        params = {name: _merged(array) for name, array in fresh.items() if name in self.params}
        self._check({**self.params, **params})
        potential = self.get("V_m") if "V_m" in self._states else None
        self.params.update(params)
        if potential is not None:
            fresh.setdefault("V_m", potential)
        for name, array in fresh.items():
            if name in self._states:
                shifted = array - self._all("E_L") if name == "V_m" else array
                self._core.set_state(self._place, self._states[name], np.ascontiguousarray(shifted))
        if params:
            self._configure()

    def silence(self, places: NDArray[np.int64], silent: bool) -> None:
        """Let neurons never reach their threshold, or fire again; none bursts when it comes back."""
        if "V_th" not in self.params:
            raise AnimatError(f"{self._what} cannot be silenced: its neurons have no threshold; cut its projections")
        changed = places[self.silent[places] != silent]
        self.silent[changed] = silent
        if not silent:
            potential, threshold, reset = (self.get(name).copy() for name in ("V_m", "V_th", "V_reset"))
            above = changed[potential[changed] >= threshold[changed]]
            potential[above] = np.minimum(reset, threshold)[above]
            self._core.set_state(self._place, 0, potential - self._all("E_L"))
        self._configure()

    def save(self) -> dict[str, Any]:
        """Return parameters and which neurons are silent, for `restore`; states are the core's own."""
        return {"params": self.params, "silent": self.silent}

    def restore(self, saved: dict[str, Any]) -> None:
        """Take what `save` returned for the same population."""
        self.params, self.silent = saved["params"], saved["silent"]
        self._configure()

    def _all(self, name: str) -> _Array:
        return np.broadcast_to(np.asarray(self.params[name], float), (self.size,))

    def _check(self, params: dict[str, Any]) -> None:
        varied = {name: value for name, value in params.items() if isinstance(value, np.ndarray)}
        rows = np.unique(np.stack(list(varied.values()), axis=1), axis=0) if varied else np.zeros((1, 0))
        for row in rows:
            one = {**params, **dict(zip(varied, row.tolist(), strict=True))}
            for fault in parameter_faults(self.model, one):
                raise AnimatError(f"{self._what}: {fault}")
            fault = self.model.step_fault(one, self._h)
            if fault:
                raise AnimatError(f"{self._what}: {fault}")
            if any(abs(value) > _LARGEST and value != -math.inf for value in self.model.coefficients(one, self._h)):
                raise AnimatError(
                    f"{self._what}: with these parameters a step of {self._h:g} ms has no finite effect; time "
                    "constants and C_m must be such as a membrane can have"
                )

    def _configure(self) -> None:
        """Hand parameters to the core: one set of coefficients for every run of neurons that share them."""
        varied = {
            name: value
            for name, value in self.params.items()
            if isinstance(value, np.ndarray) and name not in _FOR_EACH
        }
        starts = np.zeros(1, np.int64)
        if varied:
            rows = np.stack(list(varied.values()), axis=1)
            starts = np.flatnonzero(np.r_[True, np.any(rows[1:] != rows[:-1], axis=1)])
        uniform = {name: value for name, value in self.params.items() if not isinstance(value, np.ndarray)}
        coefficients = []
        for start in starts.tolist():
            params = {**uniform, **{name: float(value[start]) for name, value in varied.items()}}
            coefficients.append(self.model.coefficients(params, self._h))
        self._core.set_coefficients(self._place, starts.tolist(), coefficients)
        if "V_th" in self.params:
            threshold = np.where(self.silent, np.inf, self._all("V_th") - self._all("E_L"))
            self._core.set_threshold(self._place, threshold)
            self._core.set_current(self._place, np.ascontiguousarray(self._all("I_e")))


def _merged(values: _Array) -> _Array | float:
    """Return one number if all are the same."""
    return float(values[0]) if np.all(values == values[0]) else values
