import pytest

from animat.experiment.read import read_experiment
from animat.experiment.scaffold import scaffold
from conftest import NETWORK, PENDULUM


@pytest.mark.parametrize("name", ["2024", "true", "a: b", "it's #1"])
def test_any_folder_and_file_name_gives_a_description_that_can_be_read(tmp_path, monkeypatch, name):
    monkeypatch.setattr("animat.experiment.scaffold.build_brain", _Sizes)
    (tmp_path / f"{name}.yaml").write_text(NETWORK)
    (tmp_path / f"{name}.xml").write_text(PENDULUM)
    folder = tmp_path / "made" / name
    scaffold(folder, tmp_path / f"{name}.yaml", tmp_path / f"{name}.xml", "pynest", lambda _what, _done: None)
    part = read_experiment(folder).part
    assert part.name == name and part.body.model == f"{name}.xml" and part.brain.network == f"{name}.yaml"


class _Sizes:
    def __init__(self, *_):
        pass

    def sizes(self):
        return {"A": 20, "B": 10}
