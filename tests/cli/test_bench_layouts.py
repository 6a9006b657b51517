"""`animat bench scaling`, `kernel` and `exchange` from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from animat.brain.install import EngineInstall

pytest.importorskip("nest")

NETWORK = """\
name: tiny
populations:
  A: {model: iaf_psc_alpha, size: 40, drive: {rate: 8 kHz, weight: 40 pA, delay: 1 ms}}
projections:
  - {from: A, to: A, rule: {fixed_indegree: {indegree: 5}}, weight: 20 pA, delay: 1 ms}
"""


@pytest.fixture
def network(tmp_path: Path) -> str:
    (tmp_path / "tiny.yaml").write_text(NETWORK)
    return str(tmp_path / "tiny.yaml")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "animat.cli", "bench", *arguments], capture_output=True, text=True)


def test_scaling_prints_a_table_and_draws_it(network: str, tmp_path: Path, nest_mpi: EngineInstall) -> None:
    figure = tmp_path / "scaling.png"
    few = ["--layouts", "1x1,2x1", "--steps", "4", "--rounds", "1"]
    done = run("scaling", network, *few, "--figure", str(figure))
    assert done.returncode == 0, done.stderr
    assert "tiny: 40 neurons, 200 synapses" in done.stdout and "did not have the same spikes" not in done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith(("1x1", "2x1"))]
    assert [row[0] for row in rows] == 2 * ["1x1", "2x1"] and all(len(row) == 7 for row in rows)
    assert max(map(len, done.stdout.splitlines())) <= 80 and "…" not in done.stdout
    assert figure.stat().st_size > 10_000


def test_scaling_prints_json(network: str) -> None:
    done = run("scaling", network, "--layouts", "1x1", "--steps", "3", "--rounds", "2", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["same_spikes"] and len(found["runs"]) == 2
    assert found["layouts"][0]["layout"] == {"processes": 1, "threads": 1}


def test_kernel_says_how_the_two_compare(network: str) -> None:
    done = run("kernel", network, "--steps", "2", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "times as long as in one call of a bare script" in said and "both had the same" in said


def test_what_cannot_be_measured_is_explained(network: str) -> None:
    done = run("scaling", network, "--layouts", "2by1")
    assert done.returncode != 0 and "PROCESSESxTHREADS" in done.stderr and "Traceback" not in done.stderr
    done = run("exchange", "--http", "--launch", "srun -n {processes}")
    assert done.returncode != 0 and "leave out --launch" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("figure", "said"), [("no/such/folder/x.png", "no such folder"), ("x.txt", ".png, .svg or .pdf")]
)
def test_a_figure_that_cannot_be_written_is_refused_before_anything_is_measured(figure: str, said: str) -> None:
    done = run("scaling", "--layouts", "1x1", "--figure", figure)
    assert done.returncode == 1
    assert said in " ".join(done.stderr.split())
