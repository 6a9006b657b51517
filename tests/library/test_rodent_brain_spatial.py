"""The description of the published build against NEST's own spatial calls, oversized masks included."""

from __future__ import annotations

from typing import Any

import pytest

from animat.brain.expectation import expected_projection
from animat.brain.nest.kernel import import_nest
from animat.brain.network import BoxMask, Gaussian, Lattice, Network, PairwiseBernoulli, Population, positions
from animat.library import load_network


def layer(nest: Any, population: Population) -> Any:
    """Create a population as free positions in the box that the description states."""
    layout = population.layout
    assert isinstance(layout, Lattice) and layout.extent_mm is not None and len(layout.extent_mm) == 3
    places = positions(layout, population.size).tolist()
    spatial = nest.spatial.free(places, extent=list(layout.extent_mm), edge_wrap=True)
    return nest.Create(population.model, positions=spatial)


def connected(nest: Any, network: Network, name: str, nodes: dict[str, Any]) -> int:
    """Connect a projection by NEST's pairwise Bernoulli rule and return how many connections it made."""
    projection = next(one for one in network.projections if one.name == name)
    rule = projection.rule
    assert isinstance(rule, PairwiseBernoulli) and isinstance(rule.mask, BoxMask)
    half = [rule.mask.half_x_mm, rule.mask.half_y_mm, rule.mask.half_z_mm]
    p: Any = rule.p
    if isinstance(p, Gaussian):
        d, centre, sigma = nest.spatial.distance, p.p_center, p.sigma_mm
        p = centre * nest.math.exp(-(d.x * d.x + d.y * d.y) / (2 * sigma**2))
    spec = {
        "rule": "pairwise_bernoulli",
        "p": p,
        "mask": {"box": {"lower_left": [-side for side in half], "upper_right": half}},
        "allow_autapses": False,
        "allow_oversized_mask": True,
    }
    before = nest.num_connections
    nest.Connect(nodes[projection.pre], nodes[projection.post], spec)
    return int(nest.num_connections - before)


@pytest.mark.parametrize(
    ("region", "size", "names"),
    [
        (
            "M1",
            "0.3 mm",
            ["M1_L1_ENGC->M1_L23_CC", "M1_L23_PV->M1_L23_PV", "M1_L5B_PT->M1_L23_CC", "M1_L6_SST->M1_L6_PV"],
        ),
        ("S1", "0.2 mm", ["S1_L4_Pyr->S1_L4_PV", "S1_L6_PV->S1_L2_Pyr", "S1_L3_PV->S1_L3_PV"]),
        ("M1", "1 mm", ["M1_L1_ENGC->M1_L1_ENGC", "M1_L23_PV->M1_L5A_CC"]),
        ("TH_M1", "1 mm", ["TH_M1_EZ_TC->TH_M1_EZ_RE"]),
        ("CB_M1", "0.3 mm", ["CB_M1_GO->CB_M1_GR", "CB_M1_GR->CB_M1_PKJ", "CB_M1_GR->CB_M1_BS", "CB_M1_BS->CB_M1_PKJ"]),
    ],
)
def test_pairs_are_drawn_as_often_as_nest_does(region: str, size: str, names: list[str]) -> None:
    """4 sd for each of 15 projections: by chance one in a thousand runs would fail; the seed is fixed."""
    nest = import_nest()
    nest.ResetKernel()
    nest.rng_seed = 12
    network = load_network({"library": "rodent-brain", "regions": region, "size": size, "mode": "as-published"})
    wanted = {end for name in names for end in name.split("->")}
    nodes = {one.name: layer(nest, one) for one in network.populations if one.name in wanted}
    for name in names:
        projection = next(one for one in network.projections if one.name == name)
        ends = network.population(projection.pre), network.population(projection.post)
        mean, sd = expected_projection(projection, *ends)
        assert abs(connected(nest, network, name, nodes) - mean) <= 4 * sd + 1e-6 * mean, name
    nest.ResetKernel()


def test_how_far_rounding_at_the_mask_s_edge_goes() -> None:
    """In M1's layer 5A the mask of 2 mm is five periods wide, and NEST's search tree finds up to 1.5 % fewer pairs."""
    nest = import_nest()
    nest.ResetKernel()
    network = load_network({"library": "rodent-brain", "regions": "M1", "mode": "as-published"})
    pre, post = network.population("M1_L5B_PT"), network.population("M1_L5A_PV")
    nodes = {one.name: layer(nest, one) for one in (pre, post)}
    projection = next(one for one in network.projections if one.name == "M1_L5B_PT->M1_L5A_PV")
    mean, _ = expected_projection(projection, pre, post)
    assert 0.985 * mean < connected(nest, network, projection.name, nodes) < 0.995 * mean
    nest.ResetKernel()
