"""Machines with other vector units compute the same bits."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

DIGEST = """
import hashlib
import numpy as np
from animat.brain.compact import _core
from animat.brain.compact.engine import CompactEngine
from animat.brain.protocol import BrainSettings, Selection
from animat.library import load_network

for spec in ({"library": "balanced-network", "scale": 0.1, "indegree_fraction": 0.05},
             {"library": "rodent-brain", "size": "0.1 mm"}):
    engine = CompactEngine()
    settings = BrainSettings(seed=1, step=20_000_000, options={"precision": "PRECISION"})
    info = engine.load(load_network(spec), settings, lambda what, done: None)
    digest, spikes = hashlib.sha256(), 0
    for step in range(1, 11):
        spikes += sum(engine.advance([], step * 20_000_000).counts)
    for population in info.populations:
        if population.model != "parrot_neuron":
            digest.update(np.asarray(engine.get(Selection(population.name), ["V_m"])["V_m"]).tobytes())
    if spec["library"] == "balanced-network":
        digest.update(engine._core.synapses_of(0)[2].tobytes())
    print(spikes, digest.hexdigest())
"""


def digest(instructions: str, precision: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", DIGEST.replace("PRECISION", precision)],
        env={**os.environ, "ANIMAT_INSTRUCTION_SET": instructions},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("precision", ["single", "double"])
def test_all_instruction_sets_give_the_same_bits(precision: str) -> None:
    found = {digest(instructions, precision) for instructions in ("avx512", "avx2", "plain")}
    assert len(found) == 1
    assert all(int(line.split()[0]) > 1000 for line in found.pop().splitlines())
