from pathlib import Path

import pytest

from animat.brain.network_file import parse_network
from animat.brain.protocol import BrainInfo, PopulationInfo
from animat.brain.sonata import circuit_files, write_sonata
from animat.errors import AnimatError
from animat.experiment.parts import load_parts
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


TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
ARM = (
    '<mujoco><compiler meshdir="../meshes"/><include file="../common/assets.xml"/><worldbody><body><joint name="j"/>'
    '<geom type="mesh" mesh="t" mass="1"/></body></worldbody><actuator><motor joint="j"/></actuator></mujoco>'
)
LINK = (
    '<robot name="r"><link name="b"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0"'
    ' iyz="0"/></inertial><collision><geometry><mesh filename="package://robot/meshes/t.obj"/></geometry></collision>'
    '</link><link name="c"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/>'
    '</inertial></link><joint name="j" type="continuous"><parent link="b"/><child link="c"/></joint></robot>'
)


@pytest.mark.parametrize(
    ("body", "files"),
    [
        ("models/arm/arm.xml", {"arm/arm.xml", "common/assets.xml", "meshes/t.obj"}),
        ("models/body.yaml", {"body.yaml", "arm/arm.xml", "common/assets.xml", "meshes/t.obj"}),
        ("robot/robot.urdf", {"robot.urdf", "meshes/t.obj"}),
        ("robot/urdf/robot.urdf", {"robot/urdf/robot.urdf", "robot/meshes/t.obj"}),
    ],
)
def test_a_body_is_copied_with_all_that_it_names(tmp_path, monkeypatch, body, files):
    monkeypatch.setattr("animat.experiment.scaffold.build_brain", _built)
    for name, text in {
        "net.yaml": NETWORK,
        "models/arm/arm.xml": ARM,
        "models/body.yaml": "file: arm/arm.xml\ncontacts: {touch: {on: world}}\n",
        "models/common/assets.xml": '<mujocoinclude><asset><mesh name="t" file="t.obj"/></asset></mujocoinclude>',
        "models/meshes/t.obj": TETRAHEDRON,
        "models/meshes/unnamed.obj": TETRAHEDRON,
        "robot/robot.urdf": LINK,
        "robot/urdf/robot.urdf": LINK,
        "robot/meshes/t.obj": TETRAHEDRON,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    folder = tmp_path / "made"
    scaffold(folder, tmp_path / "net.yaml", tmp_path / body, "pynest", lambda _what, _done: None)
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert written == files | {"experiment.yaml", "transfer.py", "net.yaml"}
    assert read_experiment(folder).part.body.model == next(name for name in files if name.endswith(body.split("/")[-1]))


@pytest.mark.parametrize("name", ["net", "net/circuit_config.json"])
def test_a_circuit_is_copied_with_all_its_files(tmp_path, monkeypatch, name):
    monkeypatch.setattr("animat.experiment.scaffold.build_brain", _built)
    (tmp_path / "arm.xml").write_text(PENDULUM)
    config = write_sonata(parse_network(NETWORK), tmp_path / "net", 1)
    (tmp_path / "net" / "unnamed.bin").write_text("")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    scaffold(Path("made"), Path("..") / name, Path("../arm.xml"), "pynest", lambda _what, _done: None)
    folder = Path("made")
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    files = {path.relative_to(tmp_path).as_posix() for path in circuit_files(config)}
    assert written == files | {"experiment.yaml", "transfer.py", "arm.xml"} and len(files) > 5
    experiment = read_experiment(folder)
    assert experiment.part.brain.network == name
    assert load_parts(experiment).brains["brain"].population("A").size == 20


def test_a_network_in_a_folder_of_its_own_is_copied_and_others_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("animat.experiment.scaffold.build_brain", _built)
    (tmp_path / "arm.xml").write_text(PENDULUM)
    (tmp_path / "net").mkdir()
    with pytest.raises(AnimatError, match=r"holds none of network\.py, network\.yaml, circuit_config\.json"):
        scaffold(tmp_path / "made", tmp_path / "net", tmp_path / "arm.xml", "pynest", lambda _what, _done: None)
    assert not (tmp_path / "made").exists()
    (tmp_path / "net" / "network.yaml").write_text(NETWORK)
    scaffold(tmp_path / "made", tmp_path / "net", tmp_path / "arm.xml", "pynest", lambda _what, _done: None)
    assert read_experiment(tmp_path / "made").part.brain.network == "net"
    assert (tmp_path / "made" / "net" / "network.yaml").read_text() == NETWORK
    (tmp_path / "net" / "network.py").write_text("from .cells import build\n")
    cells = "Population(name='A', model='iaf_psc_alpha', size=3),"
    (tmp_path / "net" / "cells.py").write_text(
        "from animat.brain.network import Network, Population\n\n\n"
        f"def build():\n    return Network(name='n', populations=({cells}))\n"
    )
    scaffold(tmp_path / "other", tmp_path / "net", tmp_path / "arm.xml", "pynest", lambda _what, _done: None)
    assert {path.name for path in (tmp_path / "other" / "net").iterdir()} == {"network.py", "cells.py"}
