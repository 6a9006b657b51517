"""A built patch of every region of the rodent brain holds what its description promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nest_brain import STEP

from animat.brain.draw import draw_pairs
from animat.brain.expectation import expected_projection
from animat.brain.nest import build
from animat.brain.nest.engine import NestEngine
from animat.brain.protocol import BrainSettings
from animat.library import load_network


def test_every_projection_of_every_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted by NEST, each within 4 sd: of right networks 3 % fail (450 projections vary)."""
    network = load_network({"library": "rodent-brain", "size": "0.1 mm"})
    known = {population.name: population for population in network.populations}
    engine = NestEngine()
    counts: list[int] = []

    def counted(*given: Any) -> Any:
        counts.append(int(engine._nest.num_connections))
        return draw_pairs(*given)

    monkeypatch.setattr(build, "draw_pairs", counted)
    try:
        info = engine.load(network, BrainSettings(seed=1, step=STEP, threads=2), lambda _what, _done: None)
        nodes = int(engine._nest.network_size)
    finally:
        engine.close()
    neurons = sum(population.size for population in network.populations)
    drives = [population.drive.count(population.size) for population in network.populations if population.drive]
    assert info.neurons == network.neurons and nodes == neurons + len(drives) + 1
    found = np.diff([*counts, info.synapses])
    mean, sd = np.array(
        [expected_projection(item, known[item.pre], known[item.post]) for item in network.projections]
    ).T
    varies = sd > 0
    assert len(found) == len(network.projections) == len(varies) and varies.sum() > 400
    assert np.array_equal(found[~varies], np.rint(mean[~varies]))
    z = (found - mean)[varies] / sd[varies]
    assert np.abs(z).max() < 4 and abs(z.mean()) < 4 / np.sqrt(len(z))
