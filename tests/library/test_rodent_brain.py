import csv
import math
from pathlib import Path

import pytest

from animat.brain.draw import draw_pairs, generator
from animat.brain.expectation import expected_projection, expected_synapses, network_table
from animat.brain.network import Network, PairwiseBernoulli, Uniform, check_network
from animat.errors import AnimatError
from animat.library import load_network

#: Lattice and size of every population at 1 mm.
PUBLISHED = {
    "M1_L1_ENGC": ((16, 16, 2), 512),
    "M1_L1_SBC": ((20, 20, 3), 1200),
    "M1_L23_CC": ((36, 36, 11), 14256),
    "M1_L23_PV": ((16, 16, 5), 1280),
    "M1_L23_SST": ((15, 15, 5), 1125),
    "M1_L23_VIP": ((16, 16, 5), 1280),
    "M1_L5A_CC": ((20, 20, 4), 1600),
    "M1_L5A_CS": ((20, 20, 4), 1600),
    "M1_L5A_CT": ((20, 20, 4), 1600),
    "M1_L5A_PV": ((15, 15, 3), 675),
    "M1_L5A_SST": ((15, 15, 3), 675),
    "M1_L5B_CC": ((19, 19, 9), 3249),
    "M1_L5B_CS": ((19, 19, 9), 3249),
    "M1_L5B_PT": ((23, 23, 11), 5819),
    "M1_L5B_PV": ((15, 15, 7), 1575),
    "M1_L5B_SST": ((15, 15, 7), 1575),
    "M1_L6_CT": ((37, 37, 10), 13690),
    "M1_L6_PV": ((17, 17, 5), 1445),
    "M1_L6_SST": ((20, 20, 6), 2400),
}


def cortex(size: str) -> Network:
    return load_network({"library": "rodent-brain", "regions": ["M1"], "size": size})


def test_the_full_sheet_has_the_published_neurons() -> None:
    network = cortex("1 mm")
    found = {p.name: (p.layout.shape, p.size) for p in network.populations if p.layout is not None}
    assert found == PUBLISHED
    assert network.neurons == 58_805
    assert network.extent_mm == (1.2, 1.2)
    for population in network.populations:
        assert population.layout is not None
        assert population.layout.axis(0)[[0, -1]].tolist() == [-0.5, 0.5]
        assert population.full_size == population.size


def test_the_full_sheet_has_the_published_synapses() -> None:
    network = cortex("1 mm")
    with Path(__file__).with_name("rodent_brain_m1_synapses.csv").open() as file:
        published = {f"{row['pre']}->{row['post']}": float(row["synapses"]) for row in csv.DictReader(file)}
    found = {name: mean for name, (mean, _) in expected_synapses(network).items()}
    assert len(network.projections) == 226
    assert found == pytest.approx(published, abs=0.06)  # published to one digit after the point
    assert sum(found.values()) == pytest.approx(196_953_376, abs=1)


def test_neurons_are_the_published_models_with_drive_and_random_start() -> None:
    for population in cortex("1 mm").populations:
        assert population.model == "iaf_cond_alpha"
        assert population.params["g_L"] in (12.5, 25.0)
        assert population.initial == {"V_m": Uniform(-70.0, -50.0)}
        assert population.drive is not None
        assert 50 <= population.drive.start_ms <= 280
        assert 650 <= population.drive.rate_hz <= 1400
    engc = cortex("1 mm").population("M1_L1_ENGC").drive
    assert engc is not None and (engc.rate_hz, engc.weight, engc.start_ms) == (1100, 4.5, 130)


@pytest.mark.parametrize("size", ["0.2 mm", "0.4 mm", "500 um", "1.5 mm"])
def test_a_patch_keeps_density_layers_and_kernels(size: str) -> None:
    full, patch = cortex("1 mm"), cortex(size)
    check_network(patch)
    side = patch.extent_mm[0] / 1.2 if patch.extent_mm else math.nan
    assert patch.neurons == pytest.approx(full.neurons * side**2, rel=0.1)
    assert patch.projections == full.projections
    for small, large in zip(patch.populations, full.populations, strict=True):
        assert small.layout is not None and large.layout is not None
        assert small.layout.shape[2] == large.layout.shape[2]
        assert small.layout.lower[2] == large.layout.lower[2]
        assert small.full_size == large.size


def test_a_patch_has_fewer_partners_where_the_kernel_is_wide() -> None:
    full = {row.name: row.indegree for row in network_table(cortex("1 mm"))}
    part = {row.name: row.indegree / full[row.name] for row in network_table(cortex("0.5 mm"))}
    assert part["M1_L1_ENGC"] == pytest.approx(0.74, abs=0.01)
    assert all(0.3 < ratio < 0.8 for ratio in part.values())


def test_drawn_synapses_lie_within_four_standard_deviations() -> None:
    network = cortex("0.2 mm")
    total = expected = variance = 0.0
    for place, projection in enumerate(network.projections):
        assert isinstance(projection.rule, PairwiseBernoulli)
        ends = network.population(projection.pre), network.population(projection.post)
        blocks = draw_pairs(projection.rule, *ends, network.extent_mm, generator(1, place))
        count = sum(len(sources) for sources, _ in blocks)
        mean, sd = expected_projection(network, projection)
        assert abs(count - mean) <= 4 * sd + 1e-3 * mean * (sd == 0), projection.name
        total, expected, variance = total + count, expected + mean, variance + sd**2
    assert abs(total - expected) <= 4 * math.sqrt(variance)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"regions": ["M2"]}, ["M2", "M1"]),
        ({"regions": []}, ["M1"]),
        ({"regions": 3}, ["M1"]),
        ({"size": "1 s"}, ["mm"]),
        ({"size": 1}, ["unit"]),
        ({"size": "0.01 mm"}, ["size"]),
        ({"size": "-1 mm"}, ["size"]),
        ({"scale": 2}, ["scale", "size"]),
    ],
)
def test_wrong_parameters_are_explained(spec: dict[str, object], words: list[str]) -> None:
    with pytest.raises(AnimatError) as caught:
        load_network({"library": "rodent-brain", **spec})
    assert all(word in str(caught.value) for word in words)
