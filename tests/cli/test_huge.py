"""A network of a billion neurons is described, counted and checked without a value for each of them."""

import subprocess
import sys
from pathlib import Path

import pytest

HUGE = """
name: a billion neurons
populations:
  E:
    model: iaf_psc_exp
    size: 1000000000
    layout: {lattice: {shape: [1000, 1000, 1000], lower: [0 mm, 0 mm, 0 mm], upper: [1 mm, 1 mm, 1 mm]}}
    drive: {rate: 8 kHz, weight: 40 pA, delay: 1.5 ms}
  I: {model: iaf_psc_exp, size: 1000000000}
projections:
  - {from: E, to: I, rule: {fixed_indegree: {indegree: 100.5}}, weight: 1 pA, delay: 1 ms}
  - {from: I, to: E, rule: {pairwise_bernoulli: {p: 0.001}}, weight: -1 pA, delay: 1 ms}
  - {from: E, to: E, rule: all_to_all, weight: 1 pA, delay: 1 ms}
  - {from: I, to: I, rule: one_to_one, weight: 1 pA, delay: 1 ms}
  - {from: E, to: I, rule: {pairs: {sources: [0, 5], targets: [7, 999999999]}}, weight: [1, 2], delay: 1 ms}
  - {from: E, to: E, weight: 1 pA, delay: 1 ms,
     rule: {pairwise_bernoulli: {p: {gaussian: {p_center: 0.1, sigma: 0.1 mm}}}}}
"""

LIMITED = """
import resource, sys
from animat.cli import main
sys.argv = ["animat", *sys.argv[1:]]
try:
    main()
finally:
    # Not getrusage: a process begins with the peak of the one that started it.
    mine = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
    theirs = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print("peak kB:", max(mine, theirs))
"""

#: What Python, numpy, NEST and animat take by themselves, and some room; a number for each neuron would be 8 GB.
MOST_KB = 300_000


def run(folder: Path, *arguments: str) -> tuple[str, int]:
    """Return what a command says and the most memory (kB) that it or a process of its takes."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *arguments], capture_output=True, text=True, cwd=folder, check=False
    )
    said, _, peak = done.stdout.rpartition("peak kB: ")
    return said + done.stderr, int(peak)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "network.yaml").write_text(HUGE)
    return tmp_path


def test_animat_network_counts_a_billion_neurons(folder: Path) -> None:
    said, peak = run(folder, "network", "network.yaml", "--projections")
    assert "2,000,000,000 neurons" in said
    for synapses in ("100,500,000,000", "1,000,000,000,000,000", "999,999,999,000,000,000", "5,310,826,678,4"):
        assert synapses in said
    assert peak < MOST_KB


@pytest.mark.parametrize("engine", ["nest", "compact"])
def test_animat_validate_checks_a_billion_neurons(folder: Path, engine: str) -> None:
    experiment = "animat: 1\nname: huge\nduration: 20 ms\nbrain:\n  network: network.yaml\n  launch: [env]\n"
    (folder / "experiment.yaml").write_text(f"{experiment}  engine: {engine}\nrecord: {{spikes: [E]}}\n")
    said, peak = run(folder, "validate", ".")
    assert "valid" in said and "2,000,000,000 neurons" in said
    assert peak < MOST_KB
