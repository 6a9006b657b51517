import pytest

from animat.brain.protocol import BrainInfo, PopulationInfo
from animat.experiment.read import read_experiment
from animat.experiment.scaffold import scaffold
from conftest import NETWORK, PENDULUM


@pytest.mark.parametrize("name", ["2024", "true", "a: b", "it's #1"])
def test_any_folder_and_file_name_gives_a_description_that_can_be_read(tmp_path, monkeypatch, name):
    monkeypatch.setattr("animat.experiment.scaffold.build_brain", _built)
    (tmp_path / f"{name}.yaml").write_text(NETWORK)
    (tmp_path / f"{name}.xml").write_text(PENDULUM)
    folder = tmp_path / "made" / name
    scaffold(folder, tmp_path / f"{name}.yaml", tmp_path / f"{name}.xml", "pynest", lambda _what, _done: None)
    part = read_experiment(folder).part
    assert part.name == name and part.body.model == f"{name}.xml" and part.brain.network == f"{name}.yaml"


def _built(*_):
    populations = (PopulationInfo("A", 20, "iaf_psc_alpha"), PopulationInfo("B", 10, "iaf_psc_alpha"))
    return BrainInfo(
        engine="none",
        version="0",
        populations=populations,
        neurons=30,
        synapses=0,
        min_delay_ms=1.0,
        max_delay_ms=1.0,
        build_s=0.0,
    )
