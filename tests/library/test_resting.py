"""The rodent brain at rest, as `clean` has it: every population fires, every region as fast as a rodent's."""

import pytest

from animat.bench.rates import measure_rates
from animat.brain.adjustments import adjusted, read_adjustments
from animat.library import library_path, load_network
from animat.tuning import read_targets

TARGETS = {
    target.population: target for target in read_targets(library_path("networks", "rodent-brain") / "resting_rates.csv")
}


@pytest.fixture(scope="module")
def rates():
    network = load_network({"library": "rodent-brain", "size": "0.2 mm"})
    return measure_rates(network, lambda *_: None, until_ms=5500, after_ms=500, seed=3, threads=2, engine="compact")


def test_no_population_is_silent(rates):
    assert not [row.population for row in rates.rows if not row.rate_hz]


def test_every_population_has_a_target():
    network = load_network({"library": "rodent-brain"})
    assert [one.name for one in network.populations if not one.relay] == list(TARGETS)


def test_every_adjustment_names_something_of_the_whole_brain():
    """Parts of the brain leave rows out; a row that is left out everywhere would be a mistake."""
    table = read_adjustments(library_path("networks", "rodent-brain") / "resting.csv")
    untuned = load_network({"library": "rodent-brain", "size": "0.2 mm", "drive": "untuned"})
    resting = load_network({"library": "rodent-brain", "size": "0.2 mm"})
    tuned = adjusted(untuned, table)
    assert (tuned.populations, tuned.projections) == (resting.populations, resting.projections)


@pytest.mark.parametrize("region", ["S1", "M1", "TH_M1", "TH_S1", "CB_S1", "CB_M1", "BG"])
def test_every_region_fires_as_fast_as_its_references(rates, region):
    """Means over the region's neurons, and over its populations, differ by less than a factor of two."""
    rows = [row for row in rates.rows if row.region == region and row.population in TARGETS]
    spikes = sum(row.rate_hz * row.size for row in rows)
    wanted = sum(TARGETS[row.population].rate_hz * row.size for row in rows)
    assert 0.5 < spikes / wanted < 2
    ratios = [row.rate_hz / TARGETS[row.population].rate_hz for row in rows]
    assert 0.5 < sum(ratios) / len(ratios) < 2
