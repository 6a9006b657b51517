from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from animat.brain.network import (
    AllToAll,
    BoxMask,
    Constant,
    DiscMask,
    Distribution,
    Drive,
    Explicit,
    FixedIndegree,
    Gaussian,
    Lattice,
    Layout,
    LogNormal,
    Network,
    Normal,
    OneToOne,
    Pairs,
    PairwiseBernoulli,
    Population,
    Projection,
    Random,
    Static,
    Stdp,
    SynapseModel,
    Tsodyks,
    Uniform,
    Values,
)
from animat.brain.network_file import parse_network, write_network
from animat.errors import AnimatError
from animat.library import load_network
from animat.yaml_lines import dump_yaml

TEXT = """\
name: two populations
modules: [mymodule]
populations:
  E:
    model: iaf_cond_alpha
    size: 100
    params: {C_m: 0.25 nF, g_L: 12.5 nS, V_th: -50, tau_syn: [1, 2 ms]}
    initial: {V_m: {uniform: {low: -70 mV, high: -50}}}
    layout:
      {lattice: {shape: [10, 10, 1], lower: [-500 um, 0 m, 0 m], upper: [0 m, 1 mm, 0 m], extent: [1.2 mm, 1200 um]}}
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
  - from: I
    to: E
    rule: {pairs: {sources: [0, 1], targets: [99, 0]}}
    weight: [1 nS, 2]
    delay: {uniform: {low: 1 ms, high: 2000 us}}
    synapse: {stdp: {update: additive, tau_plus: 0.02 s, w_max: 3 nS}}
"""


def test_a_file_says_what_it_means() -> None:
    network = parse_network(TEXT)
    e, i = network.populations
    assert network.modules == ("mymodule",)
    assert isinstance(e.layout, Lattice) and e.layout.lower[0] == -0.5
    assert e.layout.extent_mm == (1.2, pytest.approx(1.2))
    assert e.params == {"C_m": pytest.approx(250), "g_L": 12.5, "V_th": -50, "tau_syn": [1, 2]}
    assert e.initial == {"V_m": Uniform(-70, -50)}
    assert e.drive == Drive(rate_hz=pytest.approx(800), weight=4, delay_ms=1.5, start_ms=50)
    assert (i.name, i.size, i.layout) == ("I", 10, None)
    near, all_of_them, listed = network.projections
    assert near.rule == PairwiseBernoulli(p=Gaussian(0.1, 0.4), mask=BoxMask(0.5, 0.5))
    assert near.weight == LogNormal(-0.72, 1)
    assert all_of_them == Projection(pre="E", post="I", rule=AllToAll(), weight=Constant(-0.5), delay_ms=2, receptor=1)
    assert listed.rule == Pairs(sources=(0, 1), targets=(99, 0))
    assert (listed.weight, listed.delay_ms) == (Values((1.0, 2.0)), Uniform(1.0, 2.0))
    assert listed.synapse == Stdp(update="additive", tau_plus_ms=20.0, w_max=3.0)


def test_the_library_network_reads_back() -> None:
    network = load_network({"library": "rodent-brain", "regions": ["M1"], "size": "0.3 mm"})
    assert parse_network(write_network(network)) == network


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("size: 100", "siez: 100", 6, ["siez", "Did you mean 'size'"]),
        ("size: 100", "size: many", 6, ["whole number", "many"]),
        ("size: 100", "size: 99", 9, ["E", "100 neurons"]),
        ("    size: 100\n", "", 4, ["needs 'size'"]),
        ("rate: 0.8 kHz", "rate: 800", 11, ["unit", "Hz"]),
        ("delay: 1.5 ms, start", "delay: 1.5 mV, start", 11, ["ms"]),
        ("g_L: 12.5 nS", "g_L: 12.5 apples", 7, ["apples"]),
        ("g_L: 12.5 nS", "g_L: 12.5 mV", 7, ["E.params.g_L", "nS"]),
        ("V_th: -50", "V_th: -50 pA", 7, ["E.params.V_th", "mV"]),
        ("{low: -70 mV, high: -50}", "{low: -70 ms, high: -50}", 8, ["V_m", "mV"]),
        (
            "weight: -0.5, delay: 2 ms",
            "weight: -0.5 pA, delay: 2 ms",
            20,
            ["weights onto I (iaf_cond_alpha) are in nS"],
        ),
        ("weight: [1 nS, 2]", "weight: [1 nS, 2 mV]", 24, ["weights onto E", "nS"]),
        ("g_L: 12.5 nS", "g_L: true", 7, ["E.params.g_L", "True", "number"]),
        ("[10, 10, 1]", "[10, 10]", 10, ["3 values"]),
        ("{uniform: {low: -70 mV, high: -50}}", "{uniform: [0, 1]}", 8, ["needs {low: .., high: ..}"]),
        ("{uniform: {low: -70 mV, high: -50}}", "{unifrom: {low: 0, high: 1}}", 8, ["uniform", "normal"]),
        ("sigma: 0.4 mm", "sigma: 0 mm", 16, ["sigma"]),
        ("from: E, to: I", "from: E, to: J", 20, ["J", "E, I"]),
        ("rule: all_to_all", "rule: all_to_none", 20, ["all_to_all", "one_to_one"]),
        ("delay: 2 ms", "delay: 0 ms", 20, ["positive"]),
        ("I: {model", "E: {model", 12, ["twice"]),
        ("I: {model", "I: {name: J, model", 12, ["key"]),
        ("  I: {model: iaf_cond_alpha, size: 10}", "  I: 3", 12, ["map"]),
        ("extent: [1.2 mm, 1200 um]", "extent: 1.2 mm", 10, ["list"]),
        ("modules: [mymodule]", "modules: mymodule", 2, ["list"]),
        ("update: additive", "update: addative", 26, ["additive, multiplicative, power_law", "addative"]),
        (
            "w_max: 3 nS",
            "w_max: 3 nS, mu: 0.4",
            26,
            ["mu means nothing with additive; it belongs to power_law"],
        ),
        ("update: additive", "update: power_law", 26, ["w_max means nothing with power_law"]),
        ("populations:", "population:", 3, ["unknown entry in a network: 'population'. Did you mean 'populations'?"]),
        ("weight: 4 nS", "weight: 4 pA", 11, ["weights onto E (iaf_cond_alpha) are in nS"]),
        ("w_max: 3 nS", "w_max: 3 mV", 26, ["weights onto E (iaf_cond_alpha) are in nS"]),
        ("weight: [1 nS, 2]", "weight: [1 nS]", 24, ["needs 2 values, got 1"]),
        ("targets: [99, 0]", "targets: [100, 0]", 23, ["no target neuron 100"]),
        ("{lattice: {shape", "{latice: {shape", 10, ["explicit, lattice, random"]),
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
masks = st.none() | st.builds(BoxMask, positive, positive, st.none() | positive) | st.builds(DiscMask, positive)
rules = st.one_of(
    st.builds(AllToAll, autapses=st.booleans()),
    st.just(OneToOne()),
    st.just(Pairs(sources=(0, 0), targets=(0, 0))),
    st.builds(FixedIndegree, indegree=st.floats(0.1, 5), mask=masks, autapses=st.just(True), multapses=st.just(True)),
    st.builds(
        PairwiseBernoulli,
        p=st.floats(1e-6, 1) | st.builds(Gaussian, st.floats(1e-6, 1), positive),
        mask=masks,
        autapses=st.booleans(),
    ),
    st.builds(
        PairwiseBernoulli, p=st.floats(1e-6, 1), mask=st.builds(BoxMask, positive, positive), images=st.just(True)
    ),
)
synapses = st.one_of(
    st.just(Static()),
    st.builds(
        Stdp,
        update=st.sampled_from(["additive", "multiplicative", "power_law"]),
        learning_rate=numbers,
        tau_plus_ms=positive,
        w_max=positive,
    ).map(lambda stdp: msgspec.structs.replace(stdp, w_max=100.0) if stdp.update == "power_law" else stdp),
    st.builds(Tsodyks, utilization=st.floats(0.01, 1), tau_rec_ms=positive, tau_fac_ms=positive),
    st.builds(SynapseModel, name=names, params=st.dictionaries(names, numbers, max_size=2)),
)


def learnable(**fields: Any) -> Projection:
    """Return a projection whose weight its synapse can keep."""
    synapse = fields["synapse"]
    return Projection(**fields | ({"weight": Constant(synapse.w_max / 2)} if isinstance(synapse, Stdp) else {}))


@st.composite
def networks(draw: st.DrawFn) -> Network:
    shape = draw(st.tuples(*[st.integers(1, 3)] * 3))
    per_site = draw(st.integers(1, 2))
    size = shape[0] * shape[1] * shape[2] * per_site
    lower, upper = (-0.5, -0.5, draw(st.floats(-1, 0))), (0.5, 0.5, draw(st.floats(0, 1)))
    extent = draw(st.none() | st.just((1.2, 1.5)) | st.just((1.2, 1.5, 2.5)))

    def layouts(place: int) -> st.SearchStrategy[Layout]:
        return st.sampled_from(
            [
                Lattice(shape=shape, lower=lower, upper=upper, per_site=per_site, extent_mm=extent),
                Random(lower=lower, upper=upper, seed=place, extent_mm=extent),
                Explicit(points=((0.1, 0.2, 0.3),) * size, extent_mm=extent),
            ]
        )

    populations = [
        Population(
            name=name,
            model=draw(names),
            size=size,
            params=draw(st.dictionaries(names, numbers | st.lists(numbers, max_size=3), max_size=3)),
            initial=draw(st.dictionaries(names, distributions | st.just(Values(tuple([0.5] * size))), max_size=2)),
            layout=draw(layouts(place)),
            drive=draw(
                st.none()
                | st.builds(
                    Drive,
                    rate_hz=positive,
                    weight=numbers,
                    delay_ms=positive,
                    start_ms=positive,
                    neurons=st.none() | st.just((0, 1)),
                )
            ),
            full_size=draw(st.none() | st.integers(1, 100)),
            region=draw(names),
        )
        for place, name in enumerate(draw(st.lists(names, min_size=1, max_size=3, unique=True)))
    ]
    ends = st.sampled_from([population.name for population in populations])
    projections = st.builds(
        learnable,
        pre=ends,
        post=ends,
        rule=rules,
        weight=distributions,
        delay_ms=positive | st.builds(Normal, positive, positive),
        receptor=st.none() | st.integers(0, 3),
        synapse=synapses,
    )
    return Network(
        name=draw(names),
        populations=tuple(populations),
        projections=tuple(draw(st.lists(projections, max_size=3))),
        modules=draw(st.just(()) | st.just(("one", "two"))),
        notes=tuple(draw(st.lists(names, max_size=2))),
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
        "populations": {
            "A": {
                "model": "m",
                "size": 1,
                "params": {"a": 1},
                "initial": {"V_m": 1},
                "layout": {"explicit": {"points": [["1 mm", "0 mm", "0 mm"]]}},
            }
        },
        "projections": [
            {"from": "A", "to": "A", "rule": "all_to_all", "weight": 1, "delay": "1 ms", "synapse": "static"}
        ],
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
