"""The neuron models that `compact` has: parameters and defaults as NEST's, state variables, and step coefficients.

All subthreshold equations are linear. Where inputs are currents they are solved exactly on the time grid (Rotter &
Diesmann 1999, doi:10.1007/s004220050570); where they are conductances, these are solved exactly and the potential by
one Runge-Kutta step of fourth order, or several if a conductance decays within a step or is so large that a step is no
small change.

Units: mV, ms, pF, nS, pA. Inside, potentials are relative to E_L.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from animat.brain.compact.grid import refractory_steps

__all__ = ["MODELS", "Model"]

Params = Mapping[str, float | list[float]]

#: Times that parts of a step can be halved where conductances are large, and one.
_LEVELS = 7

#: Parts that a step begins with at most where conductances decay within it.
_MOST_PARTS = 64


@dataclass(frozen=True)
class Model:
    """A neuron model.

    `states` are named in the order of the core; the first is the potential. `coefficients` takes parameters and the
    resolution in ms and returns what the core's update takes. Weights onto `receptors` 0 (positive) and 1 (negative)
    are told apart by their sign; `listed` parameters have one entry for every receptor, which are then numbered from 1.
    """

    core: str
    defaults: Params
    states: tuple[str, ...]
    coefficients: Callable[[Params, float], list[float]]
    #: Parameters that must be positive.
    positive: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    #: A negative weight is a conductance of its size.
    magnitude: bool = False
    #: Time constants of conductances.
    conductances: tuple[str, ...] = ()
    #: Where potentials begin that nobody sets.
    start_mv: float = -70.0

    def receptors(self, params: Params) -> int:
        """Return how many receptors neurons with these parameters have in the core."""
        if self.core == "relay":
            return 1
        if not self.listed:
            return 2
        values = {**self.defaults, **params}[self.listed[0]]
        assert isinstance(values, list)
        return len(values)

    def state_names(self, params: Params) -> tuple[str, ...]:
        """Return the names of the core's states, those of listed receptors with their number."""
        if not self.listed:
            return self.states
        each = [f"{name}_{number + 1}" for number in range(self.receptors(params)) for name in ("dI_syn", "I_syn")]
        return (self.states[0], *each)

    def step_fault(self, params: Params, h: float) -> str:
        """Return what is wrong with a step of `h` ms for neurons with these parameters; empty if nothing is."""
        for name in self.conductances:
            shortest = h / _MOST_PARTS
            if _number(params, name) < shortest * (1 - 1e-9):
                return (
                    f"{name} is {_number(params, name):g} ms, too short for a resolution of {h:g} ms: it must be at "
                    f"least {shortest:g} ms there, or `resolution` at most {_number(params, name) * _MOST_PARTS:g} ms"
                )
        return ""

    @property
    def settable(self) -> list[str]:
        """Names that a description or a running experiment may set."""
        return [*self.defaults, *(name for name in self.states if name not in self.defaults)]


def _number(params: Params, name: str) -> float:
    value = params[name]
    assert not isinstance(value, list)
    return float(value)


def _numbers(params: Params, *names: str) -> list[float]:
    return [_number(params, name) for name in names]


def _refractory_steps(params: Params, h: float) -> float:
    return float(refractory_steps(_number(params, "t_ref"), h))


def _lowest(params: Params) -> float:
    """Return the potential that none falls below."""
    return _number(params, "V_min") - _number(params, "E_L")


def _alpha(tau_m: float, tau_s: float, c_m: float, h: float) -> list[float]:
    """Return how an alpha-shaped current and its derivative decay and charge the membrane in a step of `h` ms.

    P11 = P22 = exp(-h / tau_s), P21 = h P11, then what the derivative (P31) and the current (P32) add to the
    potential, and the jump of the derivative that lets the current peak at 1.
    """
    decay = math.exp(-h / tau_s)
    rate = 1 / tau_s - 1 / tau_m
    if abs(rate) * tau_m < 1e-4:
        slow = math.exp(-h / tau_m)
        p32 = h * slow * (1 - rate * h / 2 + (rate * h) ** 2 / 6) / c_m
        p31 = h * h / 2 * slow * (1 - 2 / 3 * rate * h + (rate * h) ** 2 / 4) / c_m
    else:
        once = -math.exp(-h / tau_m) * math.expm1(-rate * h) / rate
        p32 = once / c_m
        p31 = (once - h * decay) / rate / c_m
    return [decay, h * decay, p31, p32, math.e / tau_s]


def _exponential(tau_m: float, tau_s: float, c_m: float, h: float) -> list[float]:
    """Return the decay of an exponential current in a step of `h` ms, and what it adds to the potential."""
    alpha = _alpha(tau_m, tau_s, c_m, h)
    return [alpha[0], alpha[3]]


def _psc_alpha(params: Params, h: float) -> list[float]:
    e_l, reset, tau_m, c_m, tau_e, tau_i = _numbers(
        params, "E_L", "V_reset", "tau_m", "C_m", "tau_syn_ex", "tau_syn_in"
    )
    leak = math.expm1(-h / tau_m)
    head = [reset - e_l, -leak * tau_m / c_m, leak, _refractory_steps(params, h), _lowest(params)]
    return head + _alpha(tau_m, tau_e, c_m, h) + _alpha(tau_m, tau_i, c_m, h)


def _psc_exp(params: Params, h: float) -> list[float]:
    e_l, reset, tau_m, c_m, tau_e, tau_i = _numbers(
        params, "E_L", "V_reset", "tau_m", "C_m", "tau_syn_ex", "tau_syn_in"
    )
    head = [reset - e_l, -math.expm1(-h / tau_m) * tau_m / c_m, math.exp(-h / tau_m), _refractory_steps(params, h)]
    return head + _exponential(tau_m, tau_e, c_m, h) + _exponential(tau_m, tau_i, c_m, h)


def _psc_alpha_multi(params: Params, h: float) -> list[float]:
    e_l, reset, tau_m, c_m = _numbers(params, "E_L", "V_reset", "tau_m", "C_m")
    head = [reset - e_l, -math.expm1(-h / tau_m) * tau_m / c_m, math.exp(-h / tau_m), _refractory_steps(params, h)]
    head.append(_lowest(params))
    taus = params["tau_syn"]
    assert isinstance(taus, list)
    return head + [value for tau in taus for value in _alpha(tau_m, tau, c_m, h)]


def _conductances(params: Params, h: float, *, alpha: bool) -> list[float]:
    """Return reset, refractory steps, jumps, leak, driving forces, parts of a step, and decays in 1, 1/2, 1/4, .. part.

    No part is longer than a conductance's time constant: the integral of one that decays by a factor e within it is
    right to 4e-4, by Simpson's rule, which the Runge-Kutta step follows.
    """
    e_l, reset, c_m, g_l, e_ex, e_in, tau_e, tau_i = _numbers(
        params, "E_L", "V_reset", "C_m", "g_L", "E_ex", "E_in", "tau_syn_ex", "tau_syn_in"
    )
    found = [reset - e_l, _refractory_steps(params, h), math.e / tau_e, math.e / tau_i, g_l, e_ex - e_l, e_in - e_l]
    parts = 1
    while h / parts > min(tau_e, tau_i) * (1 + 1e-9) and parts < _MOST_PARTS:
        parts *= 2
    found.append(float(parts))
    for level in range(_LEVELS):
        part = h / parts / 2**level
        decays = [math.exp(-part / (2 * tau_e)), math.exp(-part / tau_e)]
        decays += [math.exp(-part / (2 * tau_i)), math.exp(-part / tau_i)]
        found += [part / c_m, part / 2 if alpha else 0.0, part if alpha else 0.0, *decays]
    return found


def _cond_alpha(params: Params, h: float) -> list[float]:
    return _conductances(params, h, alpha=True)


def _cond_exp(params: Params, h: float) -> list[float]:
    return _conductances(params, h, alpha=False)


_PSC: Params = {
    "C_m": 250.0,
    "tau_m": 10.0,
    "t_ref": 2.0,
    "E_L": -70.0,
    "V_th": -55.0,
    "V_reset": -70.0,
    "I_e": 0.0,
}

_COND: Params = {
    "C_m": 250.0,
    "g_L": 16.6667,
    "t_ref": 2.0,
    "E_L": -70.0,
    "V_th": -55.0,
    "V_reset": -60.0,
    "E_ex": 0.0,
    "E_in": -85.0,
    "I_e": 0.0,
}

_RELAY = Model("relay", {}, (), lambda _params, _h: [0.0])

#: Models by NEST's names, with NEST's defaults.
MODELS = {
    "iaf_psc_alpha": Model(
        "psc_alpha",
        {**_PSC, "V_min": -math.inf, "tau_syn_ex": 2.0, "tau_syn_in": 2.0},
        ("V_m", "dI_syn_ex", "I_syn_ex", "dI_syn_in", "I_syn_in"),
        _psc_alpha,
        positive=("C_m", "tau_m", "tau_syn_ex", "tau_syn_in"),
    ),
    "iaf_psc_exp": Model(
        "psc_exp",
        {**_PSC, "tau_syn_ex": 2.0, "tau_syn_in": 2.0},
        ("V_m", "I_syn_ex", "I_syn_in"),
        _psc_exp,
        positive=("C_m", "tau_m", "tau_syn_ex", "tau_syn_in"),
    ),
    "iaf_psc_alpha_multisynapse": Model(
        "psc_alpha_multi",
        {**_PSC, "V_min": -math.inf, "tau_syn": [2.0]},
        ("V_m",),
        _psc_alpha_multi,
        positive=("C_m", "tau_m", "tau_syn"),
        listed=("tau_syn",),
    ),
    "iaf_cond_alpha": Model(
        "cond_alpha",
        {**_COND, "tau_syn_ex": 0.2, "tau_syn_in": 2.0},
        ("V_m", "g_ex", "g_in", "dg_ex", "dg_in"),
        _cond_alpha,
        positive=("C_m", "g_L", "tau_syn_ex", "tau_syn_in"),
        magnitude=True,
        conductances=("tau_syn_ex", "tau_syn_in"),
    ),
    "iaf_cond_exp": Model(
        "cond_exp",
        {**_COND, "tau_syn_ex": 0.2, "tau_syn_in": 2.0},
        ("V_m", "g_ex", "g_in"),
        _cond_exp,
        positive=("C_m", "g_L", "tau_syn_ex", "tau_syn_in"),
        magnitude=True,
        conductances=("tau_syn_ex", "tau_syn_in"),
    ),
    "parrot_neuron": _RELAY,
}
