"""The mean potential that a neuron's input would give it, from the description and the rates of its sources.

It says why a population is silent: nothing excites it, or its mean potential stays far below threshold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from animat.brain.distributions import mean
from animat.brain.expectation import expected_projection
from animat.brain.network import Network, Population

__all__ = ["MeanInput", "mean_input", "why_silent"]


class MeanInput(msgspec.Struct, frozen=True, kw_only=True):
    """Events per second onto one neuron, and its mean potential and threshold in mV (None: model not known)."""

    excitatory_hz: float
    inhibitory_hz: float
    potential_mv: float | None
    threshold_mv: float | None


def mean_input(network: Network, rates: Mapping[str, float]) -> dict[str, MeanInput]:
    """Return the mean input of every population, given the rates (Hz) of all of them.

    The potential is the fixed point of the membrane equation under the mean synaptic input, without spikes:
    conductances (I_e + g_L E_L + g_e E_ex + g_i E_in) / (g_L + g_e + g_i), currents E_L + R (I_e + I_syn). One event of
    weight w brings w tau_syn for an exponential and w e tau_syn for an alpha function, as NEST's models define them.
    """
    known = {population.name: population for population in network.populations}
    events: dict[str, list[tuple[float, float, int | None]]] = {name: [] for name in known}
    for projection in network.projections:
        pre, post = known[projection.pre], known[projection.post]
        indegree = expected_projection(projection, pre, post)[0] / post.size
        rate = indegree * rates.get(pre.name, 0.0)
        events[post.name].append((rate, mean(projection.weight), projection.receptor))
    for population in network.populations:
        if (drive := population.drive) is not None:
            share = drive.count(population.size) / population.size
            events[population.name].append((drive.rate_hz * share, drive.weight, drive.receptor))
    return {name: _one(known[name], found) for name, found in events.items()}


def _one(population: Population, events: list[tuple[float, float, int | None]]) -> MeanInput:
    return MeanInput(
        excitatory_hz=sum(rate for rate, weight, _ in events if weight > 0),
        inhibitory_hz=sum(rate for rate, weight, _ in events if weight < 0),
        potential_mv=_potential(population, events),
        threshold_mv=_number(population, "V_th"),
    )


def _potential(population: Population, events: list[tuple[float, float, int | None]]) -> float | None:
    params, model = population.params, population.model
    shape = math.e if "alpha" in model else 1.0
    current = _number(population, "I_e") or 0.0
    try:
        if model in ("iaf_cond_alpha", "iaf_cond_exp"):
            leak = _required(population, "g_L")
            excited, inhibited = (
                sum(
                    rate / 1000 * abs(weight) * shape * _required(population, tau)
                    for rate, weight, _ in events
                    if weight * sign > 0
                )
                for sign, tau in ((1, "tau_syn_ex"), (-1, "tau_syn_in"))
            )
            pull = excited * _required(population, "E_ex") + inhibited * _required(population, "E_in")
            return (current + leak * _required(population, "E_L") + pull) / (leak + excited + inhibited)
        if model in ("iaf_psc_alpha", "iaf_psc_exp", "iaf_psc_alpha_multisynapse"):
            taus = params.get("tau_syn")
            for rate, weight, receptor in events:
                if isinstance(taus, list):
                    tau = taus[(receptor or 1) - 1]
                else:
                    tau = _required(population, "tau_syn_ex" if weight > 0 else "tau_syn_in")
                current += rate / 1000 * weight * shape * tau
            return _required(population, "E_L") + current * _required(population, "tau_m") / _required(
                population, "C_m"
            )
    except KeyError:
        return None
    return None


def _number(population: Population, name: str) -> float | None:
    value = population.params.get(name)
    return value if isinstance(value, float | int) else None


def _required(population: Population, name: str) -> float:
    value = population.params[name]
    if isinstance(value, list):
        raise KeyError(name)
    return value


def why_silent(network: Network, name: str, rates: Mapping[str, float], found: MeanInput) -> str:
    """Return why a population does not fire, in a sentence that a reader can check."""
    sources = {projection.pre for projection in network.projections if projection.post == name}
    active = sorted(source for source in sources if rates.get(source, 0.0) > 0)
    silent = sorted(sources - set(active))
    if not found.excitatory_hz:
        which = f"its sources {', '.join(silent)} are silent" if silent else "it has no source"
        if found.inhibitory_hz:
            which = f"all that fires onto it ({', '.join(active)}) inhibits it"
        text = f"nothing excites it: {which} and it has no exciting drive"
    else:
        text = f"{found.excitatory_hz:,.0f} exciting and {found.inhibitory_hz:,.0f} inhibiting events a second"
    drive = network.population(name).drive
    if drive is not None and drive.start_ms > 0:
        text += f"; its drive starts at {drive.start_ms:g} ms"
    if found.potential_mv is not None and found.threshold_mv is not None:
        text += f"; mean potential {found.potential_mv:.1f} mV, threshold {found.threshold_mv:g} mV"
    return text
