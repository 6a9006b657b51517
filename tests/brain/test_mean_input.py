"""Mean potentials from the description, against NEST, and why populations are silent."""

from __future__ import annotations

import numpy as np
import pytest

from animat.brain.mean_input import mean_input, why_silent
from animat.brain.network import (
    Constant,
    Drive,
    FixedIndegree,
    Network,
    Population,
    Projection,
)
from animat.brain.protocol import BrainSettings, Selection
from animat.brain.remote import BrainLink

CONDUCTANCE: dict[str, float | list[float]] = {
    "E_L": -70.0, "g_L": 10.0, "C_m": 250.0, "E_ex": 0.0, "E_in": -85.0, "tau_syn_ex": 0.5, "tau_syn_in": 3.0,
    "V_th": -30.0, "V_reset": -70.0, "I_e": 20.0,
}  # fmt: skip
CURRENT: dict[str, float | list[float]] = {
    "E_L": -65.0, "C_m": 100.0, "tau_m": 10.0, "tau_syn_ex": 2.0, "tau_syn_in": 5.0, "V_th": -30.0, "V_reset": -65.0,
    "I_e": 10.0,
}  # fmt: skip
SEVERAL: dict[str, float | list[float]] = {
    "E_L": 0.0, "C_m": 14.0, "tau_m": 14.0, "tau_syn": [1.8, 36.8], "V_th": 30.0, "V_reset": 0.0, "I_e": 5.0,
}  # fmt: skip


def driven(name: str, model: str, params: dict[str, float | list[float]], weight: float) -> tuple[Population, ...]:
    several = "multisynapse" in model
    drive = Drive(rate_hz=4000, weight=weight, delay_ms=1.0, receptor=1 if several else None)
    return (Population(name=name, model=model, size=200, params=params, drive=drive),)


NETWORK = Network(
    name="driven",
    populations=(
        Population(name="relay", model="parrot_neuron", size=50, drive=Drive(rate_hz=40, weight=1, delay_ms=1)),
        *driven("cond_alpha", "iaf_cond_alpha", CONDUCTANCE, 0.5),
        *driven("cond_exp", "iaf_cond_exp", CONDUCTANCE, 0.5),
        *driven("psc_alpha", "iaf_psc_alpha", CURRENT, 2.0),
        *driven("psc_exp", "iaf_psc_exp", CURRENT, 2.0),
        *driven("several", "iaf_psc_alpha_multisynapse", SEVERAL, 0.2),
    ),
    projections=tuple(
        Projection(
            pre="relay",
            post=post,
            rule=FixedIndegree(indegree=20),
            weight=Constant(weight),
            delay_ms=1.0,
            receptor=2 if post == "several" else None,
        )
        for post, weight in (
            ("cond_alpha", -1.0),
            ("cond_exp", -1.0),
            ("psc_alpha", -1.0),
            ("psc_exp", -1.0),
            ("several", 0.05),
        )
    ),
)


def test_mean_potentials_are_those_of_nest() -> None:
    """Mean of 200 neurons at 40 times; 0.15 mV is 5 standard errors of the slowest, and 1 % of the shift."""
    expected = mean_input(NETWORK, {"relay": 40.0})
    names = [population.name for population in NETWORK.populations[1:]]
    link = BrainLink("nest")
    try:
        link.load(NETWORK, BrainSettings(seed=3, step=20_000_000))
        seen: dict[str, list[float]] = {name: [] for name in names}
        for step in range(50):
            reply = link.advance([], (step + 1) * 20_000_000)
            assert not any(reply.counts[1:])
            for name in names if step >= 10 else ():
                seen[name] += link.get(Selection(name), ["V_m"])["V_m"]
    finally:
        link.close()
    for name in names:
        assert expected[name].potential_mv == pytest.approx(np.mean(seen[name]), abs=0.15), name
    assert expected["several"].excitatory_hz == 4800 and expected["cond_exp"].inhibitory_hz == 800


def test_an_unknown_model_has_no_potential() -> None:
    network = Network(name="n", populations=(Population(name="A", model="hh_psc_alpha", size=1),))
    found = mean_input(network, {})["A"]
    assert (found.potential_mv, found.threshold_mv, found.excitatory_hz) == (None, None, 0)
    assert why_silent(network, "A", {}, found) == "nothing excites it: it has no source and it has no exciting drive"


def test_why_populations_are_silent() -> None:
    silent = {**CONDUCTANCE, "I_e": 0.0}
    network = Network(
        name="n",
        populations=(
            Population(name="A", model="iaf_cond_exp", size=10, params=silent),
            Population(name="B", model="iaf_cond_exp", size=10, params=silent),
            Population(name="C", model="iaf_cond_exp", size=10, params=silent),
        ),
        projections=(
            Projection(pre="A", post="B", rule=FixedIndegree(indegree=5), weight=Constant(1.0), delay_ms=1.0),
            Projection(pre="C", post="A", rule=FixedIndegree(indegree=5), weight=Constant(-1.0), delay_ms=1.0),
            Projection(pre="A", post="C", rule=FixedIndegree(indegree=5), weight=Constant(0.01), delay_ms=1.0),
        ),
    )

    def reason(name: str, rates: dict[str, float]) -> str:
        return why_silent(network, name, rates, mean_input(network, rates)[name])

    assert "its sources A are silent" in reason("B", {"C": 5.0})
    assert "mean potential -70.0 mV, threshold -30 mV" in reason("B", {"C": 5.0})
    assert "all that fires onto it (C) inhibits it" in reason("A", {"C": 5.0})
    assert reason("C", {"A": 20.0}).startswith("100 exciting and 0 inhibiting events a second; mean potential -70.0")
