from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from animat.brain.network import (
    BoxMask,
    Constant,
    Drive,
    FixedIndegree,
    Gaussian,
    Lattice,
    LogNormal,
    Network,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
    Uniform,
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


def test_a_lattice_has_both_ends_and_z_fastest() -> None:
    lattice = Lattice(shape=(2, 3, 2), lower=(0, 0, 0), upper=(1, 2, 3))
    assert lattice.size == 12
    assert lattice.points()[:4].tolist() == [[0, 0, 0], [0, 0, 3], [0, 1, 0], [0, 1, 3]]
    assert np.array_equal(lattice.points()[-1], [1, 2, 3])
    assert Lattice(shape=(1, 1, 1), lower=(5, 6, 7), upper=(8, 9, 10)).points().tolist() == [[5, 6, 7]]


def test_a_sound_network_passes() -> None:
    check_network(network())
    check_network(network(extent_mm=(1.2, 1.2)))
    assert network().neurons == 12
    with pytest.raises(AnimatError, match="A, B"):
        network().population("C")


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
        (lambda: network(layout=SHEET, size=5), "3 x 2 x 1 has 6 points"),
        (lambda: network(layout=msgspec.structs.replace(SHEET, lower=(1, 0, 0))), "ascend"),
        (lambda: network(initial={"V_m": Uniform(1, 0)}), "initial V_m"),
        (lambda: network(drive=Drive(rate_hz=-1, weight=1, delay_ms=1)), "rate"),
        (lambda: network(drive=Drive(rate_hz=1, weight=1, delay_ms=0)), "delay"),
        (lambda: network(drive=Drive(rate_hz=1, weight=1, delay_ms=1, start_ms=-1)), "start"),
        (lambda: network(extent_mm=(1.0, 1.2)), "does not fit"),
        (lambda: network(extent_mm=(0.0, 1.2)), "extent"),
        (lambda: network(pre="C"), "Known: A, B"),
        (lambda: network(delay_ms=0.0), "A->B: delay must be positive"),
        (lambda: network(delay_ms=float("nan")), "delay"),
        (lambda: network(weight=LogNormal(0, -1)), "sigma"),
        (lambda: network(weight=Constant(float("inf"))), "finite"),
        (lambda: network(size=5), "equal sizes"),
        (lambda: network(rule=FixedIndegree(indegree=0)), "at least 1"),
        (lambda: network(rule=FixedIndegree(indegree=7, multapses=False)), "6 sources"),
        (lambda: network(rule=PairwiseBernoulli(p=1.5)), "probability"),
        (lambda: network(rule=PairwiseBernoulli(p=0.0)), "probability"),
        (lambda: network(rule=gaussian()), "'B' has no layout"),
        (lambda: network(rule=gaussian(sigma=0), layout=SHEET), "sigma"),
        (lambda: network(rule=gaussian(mask=BoxMask(0, 1)), layout=SHEET), "mask"),
    ],
)
def test_what_no_engine_could_build_is_named(build: Callable[[], Network], words: str) -> None:
    with pytest.raises(AnimatError, match=words):
        check_network(build())


def test_a_description_crosses_a_link_unchanged() -> None:
    one = network(rule=gaussian(), layout=SHEET, extent_mm=(1.2, 1.2))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Network) == one
