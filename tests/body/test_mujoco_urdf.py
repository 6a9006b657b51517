"""URDF files as robots come: packages, COLLADA meshes, and whether the base is welded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from animat.body import load_body
from animat.body.mujoco import MujocoEngine
from animat.body.protocol import BodyInfo
from animat.errors import AnimatError

INERTIA = '<inertial><mass value="1"/><inertia ixx=".01" ixy="0" ixz="0" iyy=".01" iyz="0" izz=".01"/></inertial>'
ROVER = f"""<robot name="rover"><link name="base_link">{INERTIA}<collision><geometry><box size=".5 .5 .2"/></geometry>
</collision></link><link name="wheel">{INERTIA}</link><joint name="w" type="continuous"><parent link="base_link"/>
<child link="wheel"/><origin xyz="0 .3 -.1"/><axis xyz="0 1 0"/></joint></robot>"""
MESHED = f"""<robot name="r"><link name="base">{INERTIA}<collision><geometry><mesh filename="NAME" scale="2 2 2"/>
</geometry></collision></link></robot>"""
DAE = """<?xml version="1.0"?><COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
<asset><unit meter="0.01" name="cm"/><up_axis>Z_UP</up_axis></asset>
<library_geometries><geometry id="g"><mesh><source id="p"><float_array id="pa" count="12">
0 0 0 10 0 0 0 10 0 0 0 10</float_array><technique_common><accessor source="#pa" count="4" stride="3">
<param name="X" type="float"/><param name="Y" type="float"/><param name="Z" type="float"/></accessor></technique_common>
</source><vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
<triangles count="4"><input semantic="VERTEX" source="#v" offset="0"/><p>0 2 1 0 1 3 0 3 2 1 2 3</p></triangles>
</mesh></geometry></library_geometries>
<library_visual_scenes><visual_scene id="s"><node><translate>0 0 50</translate><instance_geometry url="#g"/></node>
</visual_scene></library_visual_scenes><scene><instance_visual_scene url="#s"/></scene></COLLADA>"""


def load(folder: Path, text: str, **entries: object) -> tuple[MujocoEngine, BodyInfo]:
    (folder / "r.urdf").write_text(text)
    engine = MujocoEngine()
    return engine, engine.load(load_body({"file": "r.urdf", **entries}, folder))


def test_a_rover_is_free_unless_it_is_welded(tmp_path: Path) -> None:
    engine, info = load(tmp_path, ROVER)
    assert info.links == ("world", "base_link", "wheel") and info.joints == ("w",)
    (remark,) = info.remarks
    assert "base_link" in remark and "`base: fixed`" in remark
    fallen = engine.advance(info.rest(), 200_000_000).poses[1, 2]
    assert fallen == pytest.approx(-9.81 * 0.2**2 / 2, rel=0.02), "it falls"
    _, info = load(tmp_path, ROVER, base="free")
    assert info.links == ("world", "base_link", "wheel") and not info.remarks
    _, info = load(tmp_path, ROVER, base="fixed")
    assert info.links == ("world", "wheel") and not info.remarks


def test_a_root_without_mass_or_called_world_is_fixed(tmp_path: Path) -> None:
    for text in (ROVER.replace("base_link", "world"), ROVER.replace(INERTIA, "", 1)):
        _, info = load(tmp_path, text)
        assert "base_link" not in info.links and not info.remarks
        with pytest.raises(AnimatError, match="base: free needs a root link"):
            load(tmp_path, text, base="free")
    with pytest.raises(AnimatError, match=r"unknown base: 'loose'.*free"):
        load(tmp_path, ROVER, base="loose")


@pytest.mark.parametrize("name", ["package://my_robot/meshes/t.obj", "../meshes/t.obj", "file:///made/there/t.obj"])
def test_meshes_are_found_in_packages_and_neighbouring_folders(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "my_robot" / "urdf"
    (tmp_path / "my_robot" / "meshes").mkdir(parents=True)
    folder.mkdir()
    place = folder if "made" in name else tmp_path / "my_robot" / "meshes"
    (place / "t.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n")
    _, info = load(folder, MESHED.replace("NAME", name))
    (shape,) = info.scene.shapes
    points = np.frombuffer(shape.vertices, "<f4").reshape(-1, 3)
    assert np.ptp(points, axis=0).max() > 1.5, "twice the size"


def test_a_mesh_that_is_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnimatError, match=r"t\.obj"):
        load(tmp_path, MESHED.replace("NAME", "package://my_robot/meshes/t.obj"))
    with pytest.raises(AnimatError, match=r"t\.dae"):
        load(tmp_path, MESHED.replace("NAME", "package://my_robot/meshes/t.dae"))


def test_collada_meshes(tmp_path: Path) -> None:
    pytest.importorskip("collada")
    (tmp_path / "t.dae").write_text(DAE)
    engine, info = load(tmp_path, MESHED.replace("NAME", "t.dae"), base="fixed")
    (shape,) = info.scene.shapes
    faces = np.frombuffer(shape.faces, "<u4").reshape(-1, 3)
    a, b, c = np.frombuffer(shape.vertices, "<f4").reshape(-1, 3)[faces].transpose(1, 0, 2)
    volume = float((np.cross(a, b) * c).sum() / 6)
    assert volume == pytest.approx(0.2**3 / 6, rel=1e-4), "10 cm, twice the size, outward faces"
    assert shape.position[2] == pytest.approx(1.0 + 0.2 / 4, abs=1e-5), "50 cm up, twice the size, to its centre"
    engine.advance(info.rest(), 20_000_000)
    (tmp_path / "t.dae").write_text(DAE.replace("<triangles", "<lines").replace("</triangles", "</lines"))
    with pytest.raises(AnimatError, match="no triangles"):
        load(tmp_path, MESHED.replace("NAME", "t.dae"))
    (tmp_path / "t.dae").write_text("<COLLADA")
    with pytest.raises(AnimatError, match="cannot be read"):
        load(tmp_path, MESHED.replace("NAME", "t.dae"))


def test_collada_needs_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "collada", None)
    (tmp_path / "t.dae").write_text(DAE)
    with pytest.raises(AnimatError, match=r"pip install 'animat\[collada\]'"):
        load(tmp_path, MESHED.replace("NAME", "t.dae"))


def test_stl_meshes_written_as_text(tmp_path: Path) -> None:
    corners = [(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)]
    points = ["0 0 0", "1 0 0", "0 1 0", "0 0 1"]
    facets = "\n".join(
        "facet normal 0 0 0\nouter loop\n" + "\n".join(f"vertex {points[k]}" for k in face) + "\nendloop\nendfacet"
        for face in corners
    )
    (tmp_path / "t.stl").write_text(f"solid t\n{facets}\nendsolid t\n")
    _, info = load(tmp_path, MESHED.replace("NAME", "t.stl"))
    (shape,) = info.scene.shapes
    assert len(shape.faces) == 4 * 3 * 4
    (tmp_path / "t.stl").write_text("solid t\nfacet normal 0 0 0\nvertex 1 2 x\n")
    with pytest.raises(AnimatError, match="cannot be read"):
        load(tmp_path, MESHED.replace("NAME", "t.stl"))


def test_lines_in_errors_are_those_of_the_file(tmp_path: Path) -> None:
    text = '<?xml version="1.0"?>\n<!-- two\nlines -->\n<robot name="r">\n'
    text += f'<link name="a">\n{INERTIA}</link>\n<!-- and\n -->\n'
    text += '<link name="b"><inertial><mass value="1"/><inertia/></inertial></link></robot>'
    with pytest.raises(AnimatError, match="line 9"):
        load(tmp_path, text)
