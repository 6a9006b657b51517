"""`animat bench engines` and `rates --engine` from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

NETWORK = """\
name: tiny
populations:
  A: {model: iaf_psc_alpha, size: 40, drive: {rate: 8 kHz, weight: 40 pA, delay: 1 ms}}
projections:
  - {from: A, to: A, rule: {fixed_indegree: {indegree: 5}}, weight: 20 pA, delay: 1 ms}
"""

FEW = ("--threads", "1", "--steps", "2", "--rounds", "2", "--builds", "1")


@pytest.fixture
def network(tmp_path: Path) -> str:
    (tmp_path / "tiny.yaml").write_text(NETWORK)
    return str(tmp_path / "tiny.yaml")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "animat.cli", "bench", *arguments], capture_output=True, text=True)


def test_engines_prints_tables_and_draws_them(network: str, tmp_path: Path) -> None:
    pytest.importorskip("nest")
    figure = tmp_path / "engines.png"
    done = run("engines", network, *FEW, "--precision", "double", "--figure", str(figure))
    assert done.returncode == 0, done.stderr
    assert "tiny: 40 neurons, 200 synapses" in done.stdout
    for said in ("a step's kernel, ms", "in times of compact double", "what limits compact", "A"):
        assert said in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80 and "…" not in done.stdout
    assert figure.stat().st_size > 10_000


def test_one_engine_alone_as_json(network: str) -> None:
    done = run("engines", network, *FEW, "--only", "compact", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [one["name"] for one in found["results"]] == ["compact"] and found["ratios"] == []
    assert found["limits"][0]["floor_s"] > 0 and found["synapses"] == 200


def test_what_cannot_be_measured_is_explained(network: str) -> None:
    done = run("engines", network, "--only", "neuron")
    assert done.returncode == 1 and "unknown brain engine 'neuron'" in done.stderr
    done = run("engines", network, "--figure", "x.txt")
    assert done.returncode == 1 and ".png, .svg or .pdf" in " ".join(done.stderr.split())


def test_rates_with_compact(network: str) -> None:
    done = run("rates", network, "--engine", "compact", "--duration", "100 ms", "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert "tiny, compact, seed 1" in done.stdout
