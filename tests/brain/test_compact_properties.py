"""Random small networks in the engine `compact`: they build, run, and never give what is no number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from compact_networks import MS, Loop, running
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from animat.brain.compact.models import MODELS
from animat.brain.network import (
    AllToAll,
    BoxMask,
    Constant,
    DiscMask,
    Drive,
    FixedIndegree,
    Gaussian,
    Lattice,
    LogNormal,
    Network,
    Normal,
    OneToOne,
    Pairs,
    PairwiseBernoulli,
    Population,
    Projection,
    Stdp,
    Uniform,
    network_faults,
)
from animat.brain.protocol import ProjectionName, Selection

CASES = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # to shrink what fails takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


def number(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high).map(lambda value: float(f"{value:.6g}"))


WEIGHTS = st.one_of(
    st.builds(Constant, number(-100.0, 100.0)),
    st.builds(Normal, number(-50.0, 50.0), number(0.0, 50.0)),
    st.builds(LogNormal, number(-3.0, 2.0), number(0.0, 1.0)),
    st.builds(lambda low, wide: Uniform(low, low + wide), number(-100.0, 100.0), number(0.0, 100.0)),
)
DELAYS = st.one_of(
    number(0.01, 400.0),
    st.builds(lambda low, wide: Uniform(low, low + wide), number(0.05, 5.0), number(0.0, 100.0)),
    st.builds(Normal, number(0.1, 5.0), number(0.0, 5.0)),
    st.builds(LogNormal, number(-3.0, 2.0), number(0.0, 1.0)),
)
MASKS = st.one_of(
    st.none(), st.builds(BoxMask, number(0.01, 1.5), number(0.01, 1.5)), st.builds(DiscMask, number(0.01, 1.0))
)
KERNELS = st.one_of(number(1e-4, 1.0), st.builds(Gaussian, number(1e-3, 1.0), number(0.01, 1.0)))
RULES = st.one_of(
    st.builds(AllToAll, autapses=st.booleans()),
    st.just(OneToOne()),
    st.builds(FixedIndegree, indegree=number(0.1, 20.0), autapses=st.booleans(), multapses=st.booleans()),
    st.builds(PairwiseBernoulli, p=KERNELS, mask=MASKS, autapses=st.booleans()),
    st.builds(
        PairwiseBernoulli,
        p=KERNELS,
        mask=st.builds(BoxMask, number(0.01, 1.5), number(0.01, 1.5)),
        images=st.just(True),
    ),
)
LEARNING = st.builds(
    Stdp,
    update=st.sampled_from(["additive", "multiplicative", "power_law"]),
    learning_rate=number(0.0, 0.2),
    alpha=number(0.0, 5.0),
    tau_plus_ms=number(0.5, 100.0),
    mu=number(0.0, 0.8),
    w_max=number(1.0, 1000.0),
)
SCALES = {
    "C_m": number(100.0, 1000.0),
    "tau_m": number(0.1, 100.0),
    "t_ref": number(0.0, 20.0),
    "g_L": number(0.1, 100.0),
    "I_e": number(-2000.0, 5000.0),
    "tau_syn_ex": number(0.1, 10.0),
    "tau_syn_in": number(0.1, 10.0),
    "V_th": number(-59.0, 20.0),
    "V_reset": number(-90.0, -69.5),
    "E_L": number(-80.0, -40.0),
    "V_min": number(-120.0, -91.0),
}


@st.composite
def populations(draw: Any, name: str) -> Population:
    model = draw(st.sampled_from(sorted(MODELS)))
    lattice = Lattice(
        shape=draw(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 2))),
        lower=(-0.4, -0.4, 0.0),
        upper=(0.4, 0.4, 0.1),
        per_site=draw(st.integers(1, 2)),
        extent_mm=draw(st.sampled_from([None, (1.0, 1.0)])),
    )
    names = sorted(set(SCALES) & set(MODELS[model].defaults))
    chosen = draw(st.lists(st.sampled_from(names), unique=True, max_size=6)) if names else []
    params: dict[str, Any] = {name: draw(SCALES[name]) for name in chosen}
    if "multi" in model:
        params["tau_syn"] = draw(st.lists(number(0.1, 50.0), min_size=1, max_size=4))
    drive = st.builds(
        Drive,
        rate_hz=number(0.0, 8000.0),
        weight=number(-50.0, 50.0),
        delay_ms=number(0.01, 30.0),
        start_ms=st.integers(0, 300).map(lambda tenths: tenths / 10),
        receptor=st.just(1 if "multi" in model else None),
    )
    start = {"V_m": Uniform(-75.0, -55.0)} if model != "parrot_neuron" and draw(st.booleans()) else {}
    return Population(
        name=name,
        model=model,
        size=lattice.size,
        layout=lattice,
        params=params,
        initial=start,
        drive=draw(st.none() | drive),
    )


@st.composite
def networks(draw: Any) -> Network:
    names = "ABC"[: draw(st.integers(1, 3))]
    made = {name: draw(populations(name)) for name in names}
    joined = []
    for _ in range(draw(st.integers(0, 4))):
        pre, post = draw(st.sampled_from(names)), draw(st.sampled_from(names))
        if made[pre].relay and made[post].relay:
            continue  # where relays excite each other, spikes multiply without end
        several = "multi" in made[post].model
        plastic = made[post].model != "parrot_neuron" and draw(st.booleans())
        fields: dict[str, Any] = {"weight": draw(WEIGHTS), "delay_ms": draw(DELAYS)}
        if plastic:
            fields = {"weight": Uniform(0.1, 1.0), "delay_ms": draw(number(0.01, 50.0)), "synapse": draw(LEARNING)}
        rule = draw(RULES)
        if isinstance(rule, OneToOne) and made[pre].size != made[post].size:
            rule = Pairs(sources=(0, 0, made[pre].size - 1), targets=(made[post].size - 1, 0, 0))
        projection = Projection(
            pre=pre,
            post=post,
            rule=rule,
            receptor=draw(st.integers(1, len(made[post].params["tau_syn"]))) if several else None,  # type: ignore[arg-type]
            **fields,
        )
        joined.append(projection)
    whole = Network(name="random", populations=tuple(made.values()))
    kept = [
        one
        for one in joined
        if not list(network_faults(Network(name="n", populations=whole.populations, projections=(one,))))
    ]
    return Network(name="random", populations=whole.populations, projections=tuple(kept))


def check_numbers(loop: Loop, network: Network) -> None:
    for population in network.populations:
        if not population.relay:
            potential = loop.get(population.name)
            assert np.isfinite(potential).all(), population
    for place, projection in enumerate(network.projections):
        _, _, weight, delay = loop.core.synapses_of(place)
        assert np.isfinite(weight).all() and np.all(delay >= 1), projection
        if isinstance(projection.synapse, Stdp):
            most = math.inf if projection.synapse.update == "power_law" else projection.synapse.w_max
            assert np.all(weight >= 0) and np.all(weight <= most * (1 + 1e-6)), projection


@CASES
@given(network=networks(), precision=st.sampled_from(["single", "double"]), threads=st.integers(1, 2))
def test_random_networks_run(network: Network, precision: str, threads: int) -> None:
    with running(network, options={"precision": precision}, threads=threads) as loop:
        loop.run(3)
        check_numbers(loop, network)
        for population in network.populations:
            if not population.relay:
                loop.attach("dc_source", population.name, amplitude=300.0)
            receptor = 1 if "multi" in population.model else None
            loop.attach("poisson", population.name, rate=1000.0, weight=10.0, receptor=receptor, delay_ms=77.0)
        for projection in network.projections[:1]:
            loop.engine.set(ProjectionName(projection.pre, projection.post), {"cut": True})
        loop.run(2)
        check_numbers(loop, network)


@CASES
@given(network=networks(), seed=st.integers(0, 2**32 - 1))
def test_threads_do_not_matter_for_random_networks(network: Network, seed: int) -> None:
    found = []
    for threads, portions in ((1, (20, 20)), (2, (3, 37))):
        with running(network, threads=threads, seed=seed) as loop:
            recorders = [loop.attach("spike_recorder", population.name) for population in network.populations]
            replies = [reply for portion in portions for reply in loop.run(1, step=portion * MS)]
            found.append(
                [
                    [b"".join(reply.spikes[recorder][part] for reply in replies) for part in (0, 1)]
                    for recorder in recorders
                ]
            )
    assert found[0] == found[1]


@CASES
@given(network=networks(), data=st.data())
def test_parameters_set_on_the_way_leave_numbers(network: Network, data: st.DataObject) -> None:
    with running(network) as loop:
        loop.run(1)
        for population in network.populations:
            if population.relay:
                continue
            names = sorted(set(SCALES) & set(MODELS[population.model].defaults) - {"V_th", "V_reset"})
            chosen = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=3))
            whole = Selection(population.name)
            loop.engine.set(whole, {name: data.draw(SCALES[name]) for name in chosen})
            name = data.draw(st.sampled_from(names))
            values = [data.draw(SCALES[name]) for _ in range(min(3, population.size))]
            loop.engine.set(Selection(population.name, stop=len(values)), {name: values})
            silent = Selection(population.name, stop=1)
            loop.engine.set(silent, {"silent": True})
            loop.run(1)
            loop.engine.set(silent, {"silent": False})
        loop.run(2)
        check_numbers(loop, network)
