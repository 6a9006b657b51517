"""Published regions that run alone fire as the published calls made them."""

from __future__ import annotations

from typing import Any

import pytest

from animat.bench.rates import RateRow, measure_rates, references
from animat.library import load_network

#: Spread of a rate between seeds (wiring and input), in Hz, where it is not that of a Poisson process; measured over
#: seeds 1 to 4: GPi 59.3, 58.2, 56.7, 57.0; STN 14.1, 14.8, 14.1, 14.2; GPe 39.8, 39.5, 38.9, 39.2; MSN 0.33 to 0.35.
SPREAD_HZ = {"BG_GPi": 1.2, "BG_STN": 0.35, "BG_GPe": 0.4, "BG_MSN": 0.01, "CB_M1_PKJ": 0.0, "CB_M1_VN": 0.3}


def quiet(_what: str, _done: float) -> None:
    return None


def check(spec: dict[str, Any], after_ms: float) -> None:
    """Hold every rate against its reference: 4 sd of the difference of two runs, and the reference's last digit."""
    parameters = {"mode": "as-published", **spec}
    network = load_network({"library": "rodent-brain", **parameters})
    held_against = references("rodent-brain", parameters)
    found = measure_rates(network, quiet, until_ms=1000, after_ms=after_ms, threads=2, held_against=held_against)
    seconds = (found.until_ms - found.after_ms) / 1000
    assert held_against
    for row in found.rows:
        if row.reference is not None:
            assert abs(row.rate_hz - row.reference.low_hz) <= tolerance(row, seconds), row


def tolerance(row: RateRow, seconds: float) -> float:
    """A Poisson process is an upper bound for the spread of cells that a drive of strong single events makes fire."""
    spread = SPREAD_HZ.get(row.population, (row.rate_hz / row.size / seconds) ** 0.5)
    digit = 0.005 if row.rate_hz < 1 else 0.05
    return digit + 4 * 2**0.5 * spread


def test_basal_ganglia() -> None:
    check({"regions": ["BG"], "undriven": ["BG_CMPf"]}, after_ms=0)


def test_thalamus() -> None:
    check({"regions": ["TH_M1"]}, after_ms=100)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_cerebellum() -> None:
    """414,720 neurons and 313 million synapses; needs 22 GB and more than ten minutes on two cores."""
    check({"regions": ["CB_M1"]}, after_ms=100)
