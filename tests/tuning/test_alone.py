"""Populations by themselves: their input has the moments that it has in the network, and so they fire as fast."""

from __future__ import annotations

import math

import pytest

from animat.bench.rates import measure_rates
from animat.brain.distributions import mean_square
from animat.brain.network import (
    Constant,
    Drive,
    FixedIndegree,
    LogNormal,
    Network,
    Normal,
    PairwiseBernoulli,
    Population,
    Projection,
    Uniform,
    Values,
)
from animat.tuning.alone import alone


def projection(pre, post, indegree, weight, **rest):
    return Projection(pre=pre, post=post, rule=FixedIndegree(indegree=indegree), weight=weight, delay_ms=1.5, **rest)


def inputs(network, name):
    """Rate and weight of every train onto a population."""
    found = []
    for one in network.projections:
        if one.post == name:
            drive = network.population(one.pre).drive
            assert drive is not None
            found.append((one.receptor, drive.rate_hz, one.weight.value))
    return found


def test_trains_have_the_mean_and_variance_of_the_input():
    """Mean sum K r <w>, variance sum K r <w^2>, for each receptor and sign."""
    weights = {"a": Normal(2.0, 0.5), "b": LogNormal(0.1, 0.8), "c": Uniform(-4.0, -1.0)}
    rates, indegrees = {"a": 3.0, "b": 12.0, "c": 20.0, "d": 7.0}, {"a": 100, "b": 30, "c": 25, "d": 10}
    network = Network(
        name="inputs",
        populations=tuple(Population(name=name, model="iaf_psc_exp", size=500) for name in (*rates, "post")),
        projections=(
            *(projection(name, "post", indegrees[name], weight) for name, weight in weights.items()),
            projection("d", "post", 10, Constant(3.0), receptor=2),
        ),
    )
    found = alone(network, rates)
    trains = {(receptor, weight > 0): (rate, weight) for receptor, rate, weight in inputs(found, "post")}
    assert set(trains) == {(None, True), (None, False), (2, True)}
    rate, weight = trains[None, True]
    events = {name: indegrees[name] * rates[name] for name in rates}
    assert rate * weight == pytest.approx(events["a"] * 2.0 + events["b"] * math.exp(0.1 + 0.8**2 / 2))
    assert rate * weight**2 == pytest.approx(sum(events[name] * mean_square(weights[name]) for name in "ab"))
    rate, weight = trains[None, False]
    assert rate * weight == pytest.approx(events["c"] * -2.5)
    assert rate * weight**2 == pytest.approx(events["c"] * mean_square(weights["c"]))
    assert trains[2, True] == (pytest.approx(70), pytest.approx(3))
    assert {one.post for one in found.projections} == {"post"}


def test_drives_parameters_and_start_values_stay():
    """Of a drive that reaches some neurons only, the share; listed start values need all neurons."""
    drive = Drive(rate_hz=100, weight=2, delay_ms=1, neurons=(250, 1000))
    network = Network(
        name="kept",
        populations=(
            Population(name="some", model="iaf_psc_exp", size=1000, params={"I_e": 3.0}, drive=drive),
            Population(name="listed", model="iaf_psc_exp", size=3, initial={"V_m": Values((1.0, 2.0, 3.0))}),
        ),
    )
    some, listed = alone(network, {}).populations
    assert some.params == {"I_e": 3.0} and some.drive is not None and some.drive.neurons is not None
    first, end = some.drive.neurons
    assert end == some.size and first / some.size == pytest.approx(0.25, abs=0.01)
    assert (listed.size, listed.initial) == (3, network.populations[1].initial)


def test_onto_relays_every_spike_counts_once():
    network = Network(
        name="relay",
        populations=(
            Population(name="A", model="iaf_psc_exp", size=100),
            Population(name="relay", model="parrot_neuron", size=100),
        ),
        projections=(projection("A", "relay", 4, Constant(-30.0)), projection("A", "relay", 1, Constant(0.5))),
    )
    assert inputs(alone(network, {"A": 10.0}), "relay") == [(None, pytest.approx(50), 1.0)]


def quiet(_what, _done):
    return None


def test_populations_fire_alone_as_in_the_network():
    """In balance and out of step, at the rates that the network has.

    15 %: 3.5 standard deviations of the difference of two counts of 1,200 and 1,500 spikes, for I. Left out alone are
    in-degrees that differ, shared input and neurons that repeat their own past. Half of the inhibition shows.
    """
    neuron = {"C_m": 250.0, "tau_m": 20.0, "E_L": 0.0, "V_th": 20.0, "V_reset": 10.0, "tau_syn_ex": 0.5}
    neuron = {**neuron, "tau_syn_in": 0.5, "t_ref": 2.0}
    drive = Drive(rate_hz=9000, weight=50, delay_ms=1.5)
    rule, strong = PairwiseBernoulli(p=0.1), Constant(-500.0)
    network = Network(
        name="balanced",
        populations=(
            Population(name="E", model="iaf_psc_exp", size=800, params=dict(neuron), drive=drive),
            Population(name="I", model="iaf_psc_exp", size=200, params=dict(neuron), drive=drive),
        ),
        projections=tuple(
            Projection(pre=pre, post=post, rule=rule, weight=Constant(90.0) if pre == "E" else strong, delay_ms=1.5)
            for pre in "EI"
            for post in "EI"
        ),
    )

    def rates(what):
        found = measure_rates(what, quiet, engine="compact", after_ms=500, until_ms=2500)
        return {row.population: row.rate_hz for row in found.rows}

    together = rates(network)
    by_itself = rates(alone(network, together))
    for name, rate in together.items():
        assert by_itself[name] == pytest.approx(rate, rel=0.15)
    assert rates(alone(network, {**together, "I": together["I"] / 2}))["E"] > 1.3 * together["E"]
