import msgspec
import numpy as np
import pytest

from animat.brain.network import (
    Constant,
    FixedIndegree,
    Network,
    Pairs,
    Population,
    Projection,
    Values,
    check_network,
)
from animat.brain.network_file import parse_network, write_network
from animat.brain.numbers import real_numbers, whole_numbers
from animat.errors import AnimatError


def network(**changes):
    fields = {"rule": Pairs(sources=(0, 1, 1), targets=(2, 0, 2)), "weight": Constant(2.0), "delay_ms": 1.5, **changes}
    populations = (Population(name="A", model="iaf_psc_alpha", size=3),)
    return Network(name="n", populations=populations, projections=(Projection(pre="A", post="A", **fields),))


def test_lists_and_arrays_are_the_same_numbers():
    assert Pairs(sources=[0, 1], targets=range(2)) == Pairs(sources=np.array([0, 1]), targets=(0, 1))
    assert Values([1, 2.5]) == Values(np.array([1.0, 2.5])) != Values((1.0, 2.0))
    assert hash(Values((1.0,))) == hash(Values(np.ones(1, np.float32)))
    assert list(Values((1.0, 2.5)).values) == [1.0, 2.5] and len(Pairs(sources=(), targets=()).sources) == 0
    assert list(whole_numbers([3, -1])) == [3, -1] and whole_numbers([2**40]).kind == "<i8"
    assert repr(real_numbers(range(9))) == "[0, 1, 2, 3, .. 9 in all]"


def test_indices_are_whole():
    with pytest.raises(AnimatError, match=r"whole numbers, got \[0, 1.5\]"):
        Pairs(sources=(0, 1.5), targets=(0, 1))


def test_arrays_are_no_copies_and_cannot_be_changed():
    numbers = real_numbers([1.0, 2.0])
    array = np.asarray(numbers)
    assert array.base is not None and not array.flags.writeable
    assert np.asarray(numbers, np.float32).dtype == np.float32 and np.array(numbers).flags.writeable


def test_they_cross_a_link_as_bytes():
    sent = network(weight=Values(np.linspace(0, 1, 3)), delay_ms=Values((1.0, 2.0, 0.5)))
    data = msgspec.msgpack.encode(sent)
    assert msgspec.msgpack.decode(data, type=Network) == sent
    many = Pairs(sources=np.arange(100_000), targets=np.arange(100_000))
    assert len(msgspec.msgpack.encode(many)) < 8 * 100_000 + 100
    # What was sent as lists is read, too.
    assert msgspec.msgpack.decode(msgspec.msgpack.encode({"type": "values", "values": [1.0]}), type=Values) == Values(
        (1.0,)
    )


def test_a_file_lists_them():
    wanted = network(weight=Values((1.0, 2.0, 3.0)), delay_ms=Values((1.0, 2.0, 0.5)))
    text = write_network(wanted)
    assert "delay: [1.0 ms, 2.0 ms, 0.5 ms]" in text and "sources: [0, 1, 1]" in text
    assert parse_network(text) == wanted
    with pytest.raises(AnimatError, match="sources must be a list, got 3"):
        parse_network(text.replace("sources: [0, 1, 1]", "sources: 3"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"delay_ms": Values((1.0, 2.0))}, "delay: needs 3 values, got 2"),
        ({"delay_ms": Values((1.0, 0.0, 2.0))}, "delay must be positive, got 0.0 ms"),
        ({"delay_ms": Values((1.0, np.nan, 2.0))}, "delay: values must be finite"),
        ({"rule": FixedIndegree(indegree=1), "delay_ms": Values((1.0,))}, "goes with an explicit list of pairs only"),
        ({"rule": Pairs(sources=(0, -1, 0), targets=(0, 0, 0))}, "there is no source neuron -1"),
        ({"rule": Pairs(sources=(0, 1, 0), targets=(0, 3, 4))}, r"no target neuron 3: there are 3 \(0 to 2\)"),
        ({"weight": Values((1.0, np.inf, 2.0))}, "weight: values must be finite"),
    ],
)
def test_faults(changes, words):
    with pytest.raises(AnimatError, match=words):
        check_network(network(**changes))


def test_parameters_may_be_true_or_false():
    text = "populations:\n  A: {model: glif_psc, size: 1, params: {adapting_threshold: true, V_th: -50 mV}}\n"
    found = parse_network(text)
    assert found.populations[0].params == {"adapting_threshold": True, "V_th": -50.0}
    assert parse_network(write_network(found)) == found
