from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animat.brain.network import (
    AllToAll,
    BoxMask,
    Constant,
    Distribution,
    Drive,
    FixedIndegree,
    Gaussian,
    Lattice,
    LogNormal,
    Network,
    Normal,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
    Uniform,
)
from animat.brain.network_file import parse_network, write_network
from animat.errors import AnimatError
from animat.library import load_network
from animat.yaml_lines import dump_yaml

TEXT = """\
name: two populations
extent: [1.2 mm, 1200 um]
populations:
  E:
    model: iaf_cond_alpha
    size: 100
    params: {C_m: 0.25 nF, g_L: 12.5 nS, V_th: -50, tau_syn: [1, 2 ms]}
    initial: {V_m: {uniform: {low: -70 mV, high: -50}}}
    layout: {shape: [10, 10, 1], lower: [-0.5 mm, -0.5 mm, 0 mm], upper: [0.5 mm, 0.5 mm, 0 mm]}
    drive: {rate: 0.8 kHz, weight: 4 nS, delay: 1.5 ms, start: 50 ms}
  I: {model: iaf_cond_alpha, size: 10}
projections:
  - from: E
    to: E
    rule:
      pairwise_bernoulli: {p: {gaussian: {p_center: 0.1, sigma: 0.4 mm}}, mask: {box: {half_x: 0.5 mm, half_y: 500 um}}}
    weight: {lognormal: {mu: -0.72, sigma: 1}}
    delay: 1.5 ms
  - {from: E, to: I, rule: all_to_all, weight: -0.5, delay: 2 ms, receptor: 1}
"""


def test_a_file_says_what_it_means() -> None:
    network = parse_network(TEXT)
    e, i = network.populations
    assert network.extent_mm == (1.2, pytest.approx(1.2))
    assert e.params == {"C_m": pytest.approx(250), "g_L": 12.5, "V_th": -50, "tau_syn": [1, 2]}
    assert e.initial == {"V_m": Uniform(-70, -50)}
    assert e.drive == Drive(rate_hz=pytest.approx(800), weight=4, delay_ms=1.5, start_ms=50)
    assert (i.name, i.size, i.layout) == ("I", 10, None)
    near, all_of_them = network.projections
    assert near.rule == PairwiseBernoulli(p=Gaussian(0.1, 0.4), mask=BoxMask(0.5, 0.5))
    assert near.weight == LogNormal(-0.72, 1)
    assert all_of_them == Projection(pre="E", post="I", rule=AllToAll(), weight=Constant(-0.5), delay_ms=2, receptor=1)


def test_the_library_network_reads_back() -> None:
    network = load_network({"library": "rodent-brain", "size": "0.3 mm"})
    assert parse_network(write_network(network)) == network


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("size: 100", "siez: 100", 6, ["siez", "Did you mean 'size'"]),
        ("size: 100", "size: many", 6, ["whole number", "many"]),
        ("size: 100", "size: 99", 4, ["E", "100 points"]),
        ("    size: 100\n", "", 4, ["needs 'size'"]),
        ("rate: 0.8 kHz", "rate: 800", 10, ["unit", "Hz"]),
        ("delay: 1.5 ms, start", "delay: 1.5 mV, start", 10, ["ms"]),
        ("g_L: 12.5 nS", "g_L: 12.5 apples", 7, ["apples"]),
        ("g_L: 12.5 nS", "g_L: true", 7, ["E.params.g_L", "True", "number"]),
        ("[10, 10, 1]", "[10, 10]", 9, ["3 values"]),
        ("{uniform: {low: -70 mV, high: -50}}", "{uniform: [0, 1]}", 8, ["low and high"]),
        ("{uniform: {low: -70 mV, high: -50}}", "{unifrom: {low: 0, high: 1}}", 8, ["uniform", "normal"]),
        ("sigma: 0.4 mm", "sigma: 0 mm", 13, ["sigma"]),
        ("from: E, to: I", "from: E, to: J", 19, ["J", "E, I"]),
        ("rule: all_to_all", "rule: all_to_none", 19, ["all_to_all", "one_to_one"]),
        ("delay: 2 ms", "delay: 0 ms", 19, ["positive"]),
        ("I: {model", "E: {model", 11, ["twice"]),
        ("I: {model", "I: {name: J, model", 11, ["key"]),
        ("  I: {model: iaf_cond_alpha, size: 10}", "  I: 3", 11, ["map"]),
        ("extent: [1.2 mm, 1200 um]", "extent: 1.2 mm", 2, ["list"]),
    ],
)
def test_mistakes_are_explained_with_their_line(old: str, new: str, line: int, words: list[str]) -> None:
    assert old in TEXT
    with pytest.raises(AnimatError) as caught:
        parse_network(TEXT.replace(old, new, 1), "net.yaml")
    assert str(caught.value).startswith(f"net.yaml:{line}: ")
    assert all(word in caught.value.what for word in words), caught.value.what


@pytest.mark.parametrize(
    "text", ["", "3", "[]", "populations:", "populations: [A]", "populations: {}", "projections: 3"]
)
def test_what_is_no_network_is_explained(text: str) -> None:
    with pytest.raises(AnimatError):
        parse_network(text)


numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
positive = st.floats(min_value=1e-6, max_value=1e6)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
distributions: st.SearchStrategy[Distribution] = st.one_of(
    st.builds(Constant, numbers),
    st.tuples(numbers, numbers).map(lambda ends: Uniform(min(ends), max(ends))),
    st.builds(Normal, numbers, positive),
    st.builds(LogNormal, numbers, positive),
)
rules = st.one_of(
    st.builds(AllToAll, autapses=st.booleans()),
    st.just(OneToOne()),
    st.builds(FixedIndegree, indegree=st.integers(1, 5), autapses=st.just(True), multapses=st.just(True)),
    st.builds(
        PairwiseBernoulli,
        p=st.floats(1e-6, 1) | st.builds(Gaussian, st.floats(1e-6, 1), positive),
        mask=st.none() | st.builds(BoxMask, positive, positive),
        autapses=st.booleans(),
    ),
)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    shape = draw(st.tuples(*[st.integers(1, 3)] * 3))
    size = shape[0] * shape[1] * shape[2]
    layout = Lattice(shape=shape, lower=(-0.5, -0.5, draw(st.floats(-1, 0))), upper=(0.5, 0.5, draw(st.floats(0, 1))))
    populations = [
        Population(
            name=name,
            model=draw(names),
            size=size,
            params=draw(st.dictionaries(names, numbers | st.lists(numbers, max_size=3), max_size=3)),
            initial=draw(st.dictionaries(names, distributions, max_size=2)),
            layout=layout,
            drive=draw(
                st.none() | st.builds(Drive, rate_hz=positive, weight=numbers, delay_ms=positive, start_ms=positive)
            ),
            full_size=draw(st.none() | st.integers(1, 100)),
        )
        for name in draw(st.lists(names, min_size=1, max_size=3, unique=True))
    ]
    ends = st.sampled_from([population.name for population in populations])
    projections = st.builds(
        Projection,
        pre=ends,
        post=ends,
        rule=rules,
        weight=distributions,
        delay_ms=positive,
        receptor=st.none() | st.integers(0, 3),
        synapse=names,
        synapse_params=st.dictionaries(names, numbers, max_size=2),
    )
    return Network(
        name=draw(names),
        populations=tuple(populations),
        projections=tuple(draw(st.lists(projections, max_size=3))),
        extent_mm=draw(st.none() | st.just((1.2, 1.5))),
    )


@settings(max_examples=60, deadline=None)
@given(networks())
def test_any_network_reads_back_as_it_was_written(network: Network) -> None:
    assert parse_network(write_network(network)) == network


anything: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(["1 ms", "A", "", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["uniform", "low", "shape"]), inner),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_damaged_file_is_explained(data: st.DataObject) -> None:
    content: Any = {
        "extent": ["1 mm", "1 mm"],
        "populations": {"A": {"model": "m", "size": 1, "params": {"a": 1}, "initial": {"V_m": 1}}},
        "projections": [{"from": "A", "to": "A", "rule": "all_to_all", "weight": 1, "delay": "1 ms"}],
    }
    place = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(anything)
    try:
        parse_network(dump_yaml(content))
    except AnimatError:
        pass
