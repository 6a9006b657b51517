import json
import re
import subprocess
import sys
from pathlib import Path

import libsonata
import pytest

from animat.brain.network_file import parse_network
from animat.library import load_network

NETWORK = """\
name: two populations
notes: [made for a test]
populations:
  E:
    model: iaf_psc_alpha
    size: 200
    full_size: 400
    drive: {rate: 8 kHz, weight: 40 pA, delay: 1.5 ms}
    region: cortex
  I: {model: iaf_psc_alpha, size: 50, region: cortex}
  relay: {model: parrot_neuron, size: 10, region: thalamus}
projections:
  - {from: E, to: I, rule: {fixed_indegree: {indegree: 20}}, weight: 60 pA, delay: 1.5 ms}
  - {from: relay, to: E, rule: {pairwise_bernoulli: {p: 0.5}}, weight: 60 pA, delay: 1.5 ms, receptor: 1}
"""

KEYS = {
    "name",
    "notes",
    "neurons",
    "relays",
    "synapses",
    "synapses_sd",
    "regions",
    "populations",
    "projections",
    "memory_bytes",
}

BUILD = '''\
"""A network of a user."""

from animat.brain.network import Network, Population


def build(cells, model="iaf_psc_alpha"):
    """Return a single population."""
    return Network(name="mine", populations=(Population(name="A", model=model, size=cells),))
'''


def run(*words, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "animat.cli", "network", *map(str, words)], capture_output=True, text=True, cwd=cwd
    )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "network.yaml"
    path.write_text(NETWORK)
    return path


def test_help_shows_an_example():
    done = run("--help")
    assert done.returncode == 0 and "Example: animat network" in done.stdout


def test_without_a_name_it_lists_what_ships():
    done = run()
    assert done.returncode == 0
    assert "rodent-brain: Return" in done.stdout and "--set mode=clean" in done.stdout


def test_what_the_engine_lacks_is_said_when_asked(tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("populations:\n  A: {model: iaf_psc_alpha, size: 2}\n", encoding="utf-8")
    assert run(wrong, "--check").returncode == 0
    wrong.write_text("populations:\n  A: {model: iaf_psc_alfa, size: 2}\n", encoding="utf-8")
    assert run(wrong).returncode == 0
    done = run(wrong, "--check")
    assert done.returncode == 1 and "Did you mean 'iaf_psc_alpha'" in done.stderr
    wrong.write_text("populations:\n  A: {model: iaf_psc_alpha, size: 2, params: {C_m: -250 pF}}\n", encoding="utf-8")
    done = run(wrong, "--check")
    assert done.returncode == 1 and f"{wrong}:2: population A (iaf_psc_alpha): Capacitance must be > 0" in done.stderr


def test_memory_is_said_for_so_many_virtual_processes():
    few, many = (
        json.loads(run("balanced-network", "--set", "scale=20", "--json", "--virtual-processes", n).stdout)
        for n in (2, 36)
    )
    assert few["memory_bytes"]["nest"] > 1.3 * many["memory_bytes"]["nest"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("balanced-network", "--set", "plastic=no"), "plastic must be true or false"),
        (("balanced-network", "--set", "scale=abc"), "scale must be a number"),
        (("balanced-network", "--set", "scale=1e9"), "32 bits"),
        (("rodent-brain", "--set", "golgi_to_granule_p=abc"), "must be a number"),
        (("rodent-brain", "--mode", "clean", "--set", "mode=as-published"), "contradict"),
    ],
)
def test_wrong_parameters_are_explained(words, said):
    done = run(*words)
    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr


def test_a_table_for_people(file):
    done = run(file, "--projections")
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[:2] == [
        "two populations",
        # 2,000 pairs with p = 1/2: standard deviation 22.4; the in-degree is exact.
        "250 neurons and 10 relays, 2,000 ± 22 synapses expected",
    ]
    assert "- made for a test" in lines
    assert "cortex 250 0 2,000 22" in lines and "thalamus 0 10 0 0" in lines
    assert "cortex E iaf_psc_alpha 200 400 5.0 1.6 8,000" in lines
    assert "E I in-degree 20 static 60 1.5 1,000 0" in lines
    assert "relay E p = 0.5 static, receptor 1 60 1.5 1,000 22" in lines
    assert "memory with nest" in done.stdout and "\x1b" not in done.stdout


def test_json_for_programs(file):
    done = run(file, "--json")
    found = json.loads(done.stdout)
    assert set(found) == KEYS
    assert (found["name"], found["neurons"], found["relays"], found["synapses"]) == ("two populations", 250, 10, 2000.0)
    assert found["notes"] == ["made for a test"] and found["synapses_sd"] == pytest.approx(500**0.5)
    assert found["regions"]["thalamus"]["relays"] == 10
    assert found["populations"][0]["drive_hz"] == 8000.0 and found["projections"][1]["receptor"] == 1
    assert found["memory_bytes"]["nest"] > 1e6


def test_settings_and_the_mode(tmp_path):
    words = ("rodent-brain", "--set", "network.regions=[M1]", "--set", "size=0.2 mm", "--json")
    clean, published = (json.loads(run(*words, "--mode", mode).stdout) for mode in ("clean", "as-published"))
    assert "clean" in clean["name"] and "as-published" in published["name"]
    assert clean["neurons"] == published["neurons"] and clean["synapses"] < published["synapses"]
    assert list(clean["regions"]) == ["M1"]


def test_a_python_file_in_a_folder(tmp_path):
    (tmp_path / "network.py").write_text(BUILD)
    assert json.loads(run(tmp_path, "--set", "cells=12", "--json").stdout)["neurons"] == 12
    assert "the network network.py needs 'cells'" in run("network.py", cwd=tmp_path).stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rodent-brian"], "Did you mean 'rodent-brain'"),
        (["rodent-brain", "--set", "sise=1 mm"], "Did you mean 'size'"),
        (["rodent-brain", "--set", "size"], "must look like"),
        (["rodent-brain", "--mode", "published"], "as-published"),
        (["balanced-network", "--mode", "clean"], "unknown parameter of the network balanced-network: 'mode'"),
        (["missing.yaml"], "there is no network file missing.yaml"),
        (["network.yaml", "--mode", "clean"], "takes no parameters"),
        (["network.yaml", "--sonata", "."], "new or empty folder"),
    ],
)
def test_mistakes_end_with_a_message_and_exit_code_1(words, said, file):
    done = run(*words, cwd=file.parent)
    assert done.returncode == 1
    assert said in done.stderr.replace("\n", " ") and "Traceback" not in done.stderr


def test_sonata_files_are_written(file, tmp_path):
    done = run(file, "--sonata", tmp_path / "out", "--seed", "3", "--json")
    assert done.returncode == 0 and set(json.loads(done.stdout)) == KEYS
    circuit = libsonata.CircuitConfig.from_file(str(tmp_path / "out" / "circuit_config.json"))
    assert circuit.edge_population("E__I").size == 1000
    assert json.loads((tmp_path / "out" / "circuit_config.json").read_text())["animat"]["seed"] == 3


PAGE = Path(__file__).parents[2] / "docs" / "network.md"


def test_the_networks_of_the_page_can_be_read():
    blocks = re.findall(r"```yaml\n(name: .*?)```", PAGE.read_text(), re.DOTALL)
    assert [parse_network(block).name for block in blocks] == ["two populations", "layouts", "synapses"]


def test_the_python_network_of_the_page_builds(tmp_path):
    (source,) = re.findall(r'```python\n(""".*?)```', PAGE.read_text(), re.DOTALL)
    (tmp_path / "network.py").write_text(source)
    network = load_network({"file": "network.py", "cells": 5}, tmp_path)
    assert network.name == "ring of 5" and len(network.projections[0].rule.sources) == 5


def test_a_sonata_circuit_is_described(tmp_path):
    (tmp_path / "network.yaml").write_text(NETWORK.replace(", receptor: 1", ""))
    assert run("network.yaml", "--sonata", "circuit", cwd=tmp_path).returncode == 0
    for name in ("circuit", "circuit/circuit_config.json", "circuit/simulation_config.json"):
        found = run(name, "--json", cwd=tmp_path)
        summary = json.loads(found.stdout)
        assert (summary["name"], summary["neurons"], summary["relays"]) == ("two populations", 250, 10), found.stderr
        assert summary["notes"] == ["made for a test"]
        assert [row["rule"] for row in summary["projections"]] == ["listed pairs", "listed pairs"]
        assert summary["populations"][0]["drive_hz"] == 8000
    (tmp_path / "circuit" / "nodes.h5").unlink()
    missing = run("circuit", cwd=tmp_path)
    assert missing.returncode == 1 and re.search(
        r"circuit_config.json:\d+: nodes_file: there is no file", missing.stderr
    )
