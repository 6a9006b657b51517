from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from animat.brain.network import (
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
    Random,
    Stdp,
    SynapseModel,
    Tsodyks,
    Uniform,
    Values,
    check_network,
)
from animat.errors import AnimatError

SHEET = Lattice(shape=(3, 2, 1), lower=(-0.5, -0.5, 0.0), upper=(0.5, 0.5, 0.0))


def network(**changes: Any) -> Network:
    """Return a sound network with the stated fields of its second population or its projection replaced."""
    b = {key: changes.pop(key) for key in list(changes) if key in Population.__struct_fields__}
    on_sheet = {key: changes.pop(key) for key in list(changes) if key in Projection.__struct_fields__}
    projection = Projection(pre="A", post="B", rule=OneToOne(), weight=Constant(1.0), delay_ms=1.5)
    return Network(
        name="sound",
        populations=(
            Population(name="A", model="iaf_psc_alpha", size=6, layout=SHEET),
            msgspec.structs.replace(Population(name="B", model="iaf_psc_alpha", size=6), **b),
        ),
        projections=(msgspec.structs.replace(projection, **on_sheet),),
        **changes,
    )


def test_a_sound_network_passes() -> None:
    check_network(network())
    check_network(network(layout=msgspec.structs.replace(SHEET, extent_mm=(1.2, 1.2))))
    assert network().neurons == 12
    with pytest.raises(AnimatError, match="A, B"):
        network().population("C")
    assert network(model="parrot_neuron").neurons == 6


def gaussian(p: float = 0.5, sigma: float = 0.1, **more: Any) -> PairwiseBernoulli:
    return PairwiseBernoulli(p=Gaussian(p, sigma), **more)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Network(name="empty", populations=()), "no population"),
        (lambda: network(name="A"), "two populations"),
        (lambda: network(name=""), "name"),
        (lambda: network(model=""), "model"),
        (lambda: network(size=0), "at least 1"),
        (lambda: network(full_size=0), "full size"),
        (lambda: network(layout=SHEET, size=5), "3 x 2 x 1 holds 6 neurons"),
        (lambda: network(layout=msgspec.structs.replace(SHEET, lower=(1, 0, 0))), "ascend"),
        (lambda: network(initial={"V_m": Uniform(1, 0)}), "initial V_m"),
        (lambda: network(drive=Drive(rate_hz=-1, weight=1, delay_ms=1)), "rate"),
        (lambda: network(drive=Drive(rate_hz=1, weight=1, delay_ms=0)), "delay"),
        (lambda: network(drive=Drive(rate_hz=1, weight=1, delay_ms=1, start_ms=-1)), "start"),
        (lambda: network(drive=Drive(rate_hz=1, weight=1, delay_ms=1, neurons=(4, 7))), "range within 0 to 6"),
        (lambda: network(params={"C_m": float("nan")}), "C_m must be finite"),
        (lambda: network(initial={"V_m": Values((1.0, 2.0))}), "needs 6 values, got 2"),
        (lambda: network(pre="C"), "Known: A, B"),
        (lambda: network(delay_ms=0.0), "A->B: delay must be positive"),
        (lambda: network(delay_ms=float("nan")), "delay"),
        (lambda: network(weight=LogNormal(0, -1)), "sigma"),
        (lambda: network(weight=Constant(float("inf"))), "finite"),
        (lambda: network(size=5), "equal sizes"),
        (lambda: network(rule=FixedIndegree(indegree=0)), "must be positive"),
        (lambda: network(rule=FixedIndegree(indegree=7, multapses=False)), "6 sources"),
        (lambda: network(rule=PairwiseBernoulli(p=1.5)), "probability"),
        (lambda: network(rule=PairwiseBernoulli(p=0.0)), "probability"),
        (lambda: network(rule=gaussian()), "'B' has no layout"),
        (lambda: network(rule=gaussian(sigma=0), layout=SHEET), "sigma"),
        (lambda: network(rule=gaussian(mask=BoxMask(0, 1)), layout=SHEET), "mask"),
        (lambda: network(rule=gaussian(mask=DiscMask(0)), layout=SHEET), "radius"),
        (lambda: network(rule=gaussian(images=True), layout=SHEET), "box mask"),
        (lambda: network(rule=FixedIndegree(indegree=2, mask=DiscMask(1))), "'B' has no layout"),
        (lambda: network(rule=Pairs(sources=(0, 1), targets=(0,))), "2 and 1"),
        (lambda: network(rule=Pairs(sources=(0, 6), targets=(0, 1))), "no source neuron 6"),
        (lambda: network(rule=Pairs(sources=(0, 5), targets=(0, -1))), "no target neuron -1"),
        (lambda: network(weight=Values((1.0,))), "explicit list of pairs only"),
        (lambda: network(rule=Pairs(sources=(0, 1), targets=(0, 1)), weight=Values((1.0,))), "needs 2 values"),
        (lambda: network(delay_ms=Uniform(0.0, 1.0)), "delay must be positive"),
        (lambda: network(delay_ms=Normal(1.0, -1.0)), "delay: sd"),
        (lambda: network(synapse=Stdp(update="additive", tau_plus_ms=-1)), "tau_plus_ms must not be negative"),
        (lambda: network(synapse=Stdp(update="additive", w_max=0)), "w_max"),
        (lambda: network(synapse=Tsodyks(utilization=2)), "utilization"),
        (lambda: network(synapse=Stdp(update="additive"), weight=Constant(-5)), "between 0 and w_max"),
        (lambda: network(synapse=Stdp(update="multiplicative", w_max=10), weight=Constant(11)), "between 0 and w_max"),
        (lambda: network(synapse=Stdp(update="power_law"), weight=Normal(20, 15)), "needs positive weights"),
        (lambda: network(size=2**32), "index of 32 bits"),
        (lambda: network(synapse=SynapseModel(name="")), "needs the name"),
        (lambda: network(synapse=SynapseModel(name="stdp_dopamine_synapse", modulated_by="DA")), "Known: A, B"),
        (lambda: network(model="parrot_neuron", synapse=Stdp(update="additive")), "relay"),
    ],
)
def test_what_no_engine_could_build_is_named(build: Callable[[], Network], words: str) -> None:
    with pytest.raises(AnimatError, match=words):
        check_network(build())


def test_a_description_crosses_a_link_unchanged() -> None:
    one = network(rule=gaussian(), layout=SHEET, synapse=Stdp(update="power_law"), delay_ms=Normal(2.0, 0.1))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Network) == one


def test_projections_onto_a_population_share_its_depression_trace() -> None:
    one = network(synapse=Stdp(update="additive", tau_minus_ms=20))
    other = msgspec.structs.replace(one.projections[0], synapse=Stdp(update="power_law", tau_minus_ms=30))
    with pytest.raises(AnimatError, match="tau_minus is 30 ms here and 20 ms"):
        check_network(msgspec.structs.replace(one, projections=(*one.projections, other)))


def test_random_places_do_not_coincide() -> None:
    layout = Random(lower=(0, 0, 0), upper=(1, 1, 0))
    sound = network(layout=layout)
    both = tuple(msgspec.structs.replace(one, layout=layout) for one in sound.populations)
    with pytest.raises(AnimatError, match="random places begin with those of 'A'"):
        check_network(msgspec.structs.replace(sound, populations=both))
    other = msgspec.structs.replace(both[1], layout=msgspec.structs.replace(layout, seed=1))
    check_network(msgspec.structs.replace(sound, populations=(both[0], other)))
