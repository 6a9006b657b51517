"""What NEST cannot build is said before anything is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from nest_brain import nest, running

from animat.brain.nest.capabilities import KernelCatalogue, capability_faults
from animat.brain.nest.engine import NestEngine
from animat.brain.network import (
    Constant,
    Drive,
    Network,
    OneToOne,
    Population,
    Projection,
    Stdp,
    SynapseModel,
    Uniform,
)
from animat.errors import AnimatError


class Facts:
    """An engine of three models and two synapses."""

    nodes = ("simple", "several", "named", "generator")
    synapses = ("plain", "modulated")

    def defaults(self, model: str) -> Mapping[str, Any]:
        numbers = {"V_m": -70.0, "V_th": -55.0, "element_type": "neuron"}
        return {
            "simple": {**numbers, "tau_minus": 20.0},
            "several": {**numbers, "tau_syn": np.array([2.0])},
            "named": {**numbers, "receptor_types": {"AMPA": 1, "GABA": 3}},
            "generator": {"rate": 0.0, "element_type": "stimulator"},
            "plain": {"weight": 1.0, "U": 0.5},
            "modulated": {"weight": 1.0, "volume_transmitter": None},
        }[model]

    def settable(self, model: str) -> list[str]:
        return [name for name, value in self.defaults(model).items() if name != "element_type" and value is not None]


def faults(population: dict[str, Any], projection: dict[str, Any] | None = None) -> list[str]:
    one = Population(**{"name": "A", "model": "simple", "size": 2, **population})
    two = Projection(
        **{"pre": "A", "post": "A", "rule": OneToOne(), "weight": Constant(1.0), "delay_ms": 1.0, **(projection or {})}
    )
    network = Network(name="n", populations=(one,), projections=() if projection is None else (two,))
    return [fault for _, fault in capability_faults(network, Facts())]


@pytest.mark.parametrize(
    ("population", "projection", "message"),
    [
        ({"model": "smiple"}, None, "unknown neuron model of population A in NEST: 'smiple'. Did you mean 'simple'?"),
        ({"model": "smiple"}, None, "Known: named, several, simple."),
        ({"model": "generator"}, None, "population A (generator): this is a stimulator in NEST"),
        ({"model": "generator"}, None, "Background input is the `drive` of a population"),
        ({"params": {"V_th": [1.0, 2.0]}}, None, "V_th takes one number; what differs between neurons stands in"),
        ({"model": "several", "params": {"tau_syn": 2.0}}, None, "tau_syn takes a list, got 2.0"),
        (
            {},
            {"synapse": SynapseModel(name="plain", params={"weight": 1.0})},
            "projection A->A: weight stands in the projection, as `weight`",
        ),
        ({"params": {"V_ht": 1.0}}, None, "population A (simple): unknown parameter 'V_ht'. Did you mean 'V_th'?"),
        ({"initial": {"v": Uniform(0, 1)}}, None, "population A (simple): unknown parameter 'v'"),
        ({"model": "several"}, {}, "projection A->A: name the receptor: A (several) has 1"),
        (
            {"model": "several", "params": {"tau_syn": [1.0, 2.0]}},
            {"receptor": 3},
            "projection A->A: there is no receptor 3 in A (several), which has 1, 2",
        ),
        ({"model": "named"}, {"receptor": 2}, "no receptor 2 in A (named), which has 1 (AMPA), 3 (GABA)"),
        ({}, {"receptor": 1}, "there is no receptor 1 in A (simple), which has none to choose from"),
        (
            {"model": "named", "drive": Drive(rate_hz=1.0, weight=1.0, delay_ms=1.0)},
            None,
            "population A (named): drive: name the receptor: A (named) has 1 (AMPA), 3 (GABA)",
        ),
        ({}, {"synapse": SynapseModel(name="plian")}, "unknown synapse model in NEST: 'plian'. Did you mean 'plain'?"),
        (
            {},
            {"synapse": SynapseModel(name="plain", params={"u": 1.0})},
            "projection A->A: unknown parameter of plain 'u'",
        ),
        ({}, {"synapse": SynapseModel(name="plain", modulated_by="A")}, "plain is not modulated by a population"),
        ({}, {"synapse": SynapseModel(name="modulated")}, "modulated needs modulated_by"),
        ({"model": "named"}, {"receptor": 1, "synapse": Stdp(update="additive")}, "STDP needs neurons that remember"),
        (
            {"params": {"tau_minus": 5.0}},
            {"synapse": Stdp(update="additive")},
            "tau_minus is 20 ms in the synapse and 5.0 ms in population A",
        ),
    ],
)
def test_faults_say_what_and_where(population: dict[str, Any], projection: dict[str, Any] | None, message: str) -> None:
    (fault,) = faults(population, projection)
    assert message in fault


@pytest.mark.parametrize(
    ("population", "projection"),
    [
        ({"params": {"V_th": 1.0}, "initial": {"V_m": Uniform(0, 1)}}, {}),
        ({"model": "several", "params": {"tau_syn": [1.0, 2.0]}}, {"receptor": 2}),
        ({"model": "named"}, {"receptor": 3}),
        ({}, {"synapse": SynapseModel(name="modulated", modulated_by="A")}),
        ({"params": {"tau_minus": 5.0}}, {"synapse": Stdp(update="additive", tau_minus_ms=5.0)}),
        ({}, {"synapse": SynapseModel(name="plain", params={"U": 0.1})}),
    ],
)
def test_what_exists_is_let_through(population: dict[str, Any], projection: dict[str, Any]) -> None:
    assert faults(population, projection) == []


def check(population: dict[str, Any], synapse: SynapseModel | None = None) -> tuple[tuple[str | int, ...], str]:
    """Return the one thing that NEST cannot build."""
    one = Population(**{"name": "A", "model": "iaf_psc_alpha", "size": 1000, **population})
    projections = (
        []
        if synapse is None
        else [Projection(pre="A", post="A", rule=OneToOne(), weight=Constant(1.0), delay_ms=1.0, synapse=synapse)]
    )
    (fault,) = NestEngine().check(Network(name="n", populations=(one,), projections=tuple(projections)))
    return fault


def test_names_that_can_be_set_are_those_that_nest_takes() -> None:
    catalogue = KernelCatalogue(nest)
    assert set(catalogue.settable("iaf_psc_alpha")) == {
        *("C_m", "Ca", "E_L", "I_e", "V_m", "V_min", "V_reset", "V_th", "beta_Ca", "t_ref", "tau_Ca", "tau_m"),
        *("ignore_and_spike_interval", "ignore_and_spike_offset"),
        *("tau_minus", "tau_minus_triplet", "tau_syn_ex", "tau_syn_in"),
    }
    assert "V_th" not in catalogue.settable("mat2_psc_exp")
    assert {"num_connections", "sizeof", "synapse_modelid"}.isdisjoint(catalogue.settable("stdp_synapse"))


@pytest.mark.parametrize(
    ("population", "synapse", "where", "message"),
    [
        (
            {"params": {"tau_m": -1.0}},
            None,
            ("params",),
            "population A (iaf_psc_alpha): Membrane time constant must be",
        ),
        (
            {"model": "aeif_cond_alpha_multisynapse", "params": {"E_rev": [0.0], "tau_syn": [1.0, 2.0]}},
            None,
            ("params",),
            "arrays must have the same size",
        ),
        ({"params": {"vp": 3.0}}, None, ("params", "vp"), "vp can only be read; unknown parameter 'vp'."),
        ({"initial": {"t_spike": Uniform(0, 1)}}, None, ("initial", "t_spike"), "t_spike can only be read"),
        ({"initial": {"tau_m": Constant(-5.0)}}, None, ("initial", "tau_m"), "Membrane time constant must be > 0"),
        (
            {},
            SynapseModel(name="tsodyks_synapse", params={"U": 3.0}),
            ("synapse", "model", "params", "U"),
            "projection A->A: tsodyks_synapse: ",
        ),
    ],
)
def test_what_nest_refuses_is_told_in_its_words_with_its_place(
    population: dict[str, Any], synapse: SynapseModel | None, where: tuple[str, ...], message: str
) -> None:
    place, fault = check(population, synapse)
    assert place[2 : 2 + len(where)] == where
    assert message in fault and "node ID" not in fault


@pytest.mark.parametrize(
    ("model", "receptors"),
    [("iaf_psc_exp_multisynapse", [1]), ("ht_neuron", [1, 2, 3, 4]), ("iaf_cond_alpha", [None]), ("glif_psc", [1])],
)
def test_receptors_are_those_of_nest(model: str, receptors: list[int | None]) -> None:
    """What is let through NEST connects, and what is not it does not."""
    source = Population(name="A", model="iaf_psc_alpha", size=1)
    target = Population(name="B", model=model, size=1)
    for receptor in (None, 1, 2, 3, 4, 5):
        one = Projection(pre="A", post="B", rule=OneToOne(), weight=Constant(1.0), delay_ms=1.0, receptor=receptor)
        network = Network(name="n", populations=(source, target), projections=(one,))
        known = not list(capability_faults(network, KernelCatalogue(nest)))
        assert known == (receptor in receptors)
        nest.ResetKernel()
        nodes = nest.Create("iaf_psc_alpha"), nest.Create(model)
        try:
            nest.Connect(*nodes, syn_spec={"receptor_type": receptor or 0})
        except nest.NESTError:
            assert not known
        else:
            assert known


def test_a_module_that_is_not_there() -> None:
    network = Network(
        name="n", populations=(Population(name="A", model="made_up", size=1),), modules=("made_up_module",)
    )
    with (
        pytest.raises(AnimatError, match=r"(?s)module 'made_up_module' cannot be loaded into NEST .*LD_LIBRARY_PATH"),
        running(network),
    ):
        pass
