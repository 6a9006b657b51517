"""What a viewer is given to draw of an MJCF file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from animat.body import load_body
from animat.body.mujoco import MujocoEngine
from animat.body.protocol import BodyInfo, BodyReply, Scene, Shape


def drawn(folder: Path, text: str, entries: str = "") -> tuple[Scene, BodyInfo, BodyReply]:
    (folder / "b.xml").write_text(f"<mujoco>{text}</mujoco>")
    (folder / "body.yaml").write_text(f"file: b.xml\n{entries}")
    engine = MujocoEngine()
    info = engine.load(load_body(folder))
    return info.scene, info, engine.read()


def triangles(shape: Shape) -> np.ndarray:
    """Return (n, 3, 3) corners in the link's frame; the shape lies at its origin."""
    points = np.frombuffer(shape.vertices, "<f4").reshape(-1, 3)
    return points[np.frombuffer(shape.faces, "<u4").reshape(-1, 3)]


def area(shape: Shape) -> float:
    a, b, c = triangles(shape).transpose(1, 0, 2)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def test_a_height_field(tmp_path: Path) -> None:
    scene, _, _ = drawn(
        tmp_path,
        '<asset><hfield name="h" nrow="2" ncol="3" size="2 1 .4 .1" elevation="0 1 0  0 1 .5"/></asset>'
        '<worldbody><geom type="hfield" hfield="h" rgba="0 .6 0 1"/></worldbody>',
    )
    (field,) = scene.shapes
    points = np.frombuffer(field.vertices, "<f4").reshape(-1, 3)
    assert field.kind == "mesh" and field.colour == pytest.approx((0, 0.6, 0, 1))
    expected = [[-2, -1, 0], [0, -1, 0.4], [2, -1, 0.2], [-2, 1, 0], [0, 1, 0.4], [2, 1, 0]]
    assert points == pytest.approx(np.array(expected), abs=1e-6), "the first row of the file is the farthest in y"
    assert len(triangles(field)) == 4


def test_colours_of_materials_and_textures(tmp_path: Path) -> None:
    scene, _, _ = drawn(
        tmp_path,
        '<asset><texture name="red" type="2d" builtin="flat" rgb1="1 0 0" width="8" height="8"/>'
        '<material name="textured" texture="red"/><material name="dim" texture="red" rgba=".5 1 1 1"/>'
        '<material name="blue" rgba="0 0 1 1"/></asset><worldbody>'
        '<geom size=".1" material="textured"/><geom size=".1" material="dim"/><geom size=".1" material="blue"/>'
        '<geom size=".1" material="blue" rgba="0 1 0 1"/><geom size=".1"/></worldbody>',
    )
    expected = [(1, 0, 0, 1), (0.5, 0, 0, 1), (0, 0, 1, 1), (0, 1, 0, 1), (0.5, 0.5, 0.5, 1)]
    for shape, colour in zip(scene.shapes, expected, strict=True):
        assert shape.colour == pytest.approx(colour, abs=0.01)


def test_hidden_groups_are_drawn_where_a_link_has_nothing_else(tmp_path: Path) -> None:
    scene, info, _ = drawn(
        tmp_path,
        '<worldbody><body name="a"><joint/><geom size=".1" group="1"/><geom size=".2" group="3"/></body>'
        '<body name="b"><joint/><geom size=".3" group="3"/><geom size=".4" group="3" rgba="0 0 0 0"/></body>'
        "</worldbody>",
    )
    assert [(info.links[shape.link], shape.size[0]) for shape in scene.shapes] == [("a", 0.1), ("b", 0.3)]


def test_tendons_that_motors_pull_are_cords(tmp_path: Path) -> None:
    text = """<worldbody><site name="o" pos="0 0 1"/><body name="a"><joint name="j" axis="0 1 0"/><geom size=".1"/>
    <site name="i" pos=".3 0 0"/></body></worldbody>
    <tendon><spatial name="pulled" width=".02" rgba="0 1 1 1"><site site="o"/><site site="i"/></spatial>
    <spatial name="hidden" group="4"><site site="o"/><site site="i"/></spatial>
    <spatial name="muscular"><site site="o"/><site site="i"/></spatial>
    <fixed name="fixed"><joint joint="j" coef="1"/></fixed></tendon>
    <actuator><motor tendon="pulled"/><muscle name="hinged" joint="j" lengthrange="-1 1"/>
    <muscle name="m" tendon="muscular" lengthrange=".3 2"/></actuator>"""
    scene, info, reply = drawn(tmp_path, text)
    assert info.muscles == ("hinged", "m") and scene.muscle_points == (0, 2)
    (cord,) = scene.cords
    assert (cord.points, cord.radius) == (2, 0.02) and cord.colour == pytest.approx((0, 1, 1, 1))
    assert reply.paths == pytest.approx(np.array([[0, 0, 1], [0.3, 0, 0]] * 2))


def test_a_skin_follows_its_bones(tmp_path: Path) -> None:
    scene, info, _ = drawn(
        tmp_path,
        '<worldbody><body name="left" pos="-1 0 1"/><body name="right" pos="1 0 1"><joint/><geom size=".1"/></body>'
        "</worldbody>"
        '<deformable><skin name="s" rgba="1 0 0 1" vertex="-2 0 1  -1 0 1  -1 1 1  1 0 1  2 0 1  1 1 1"'
        ' face="0 1 2  3 4 5"><bone body="left" bindpos="-1 0 1" bindquat="1 0 0 0" vertid="0 1 2"'
        ' vertweight="1 1 1"/><bone body="right" bindpos="1 0 1" bindquat="1 0 0 0" vertid="3 4 5"'
        ' vertweight="1 1 1"/></skin></deformable>',
    )
    left, right = (shape for shape in scene.shapes if shape.kind == "mesh")
    assert (info.links[left.link], info.links[right.link]) == ("left", "right")
    assert triangles(left)[0] == pytest.approx(np.array([[-1, 0, 0], [0, 0, 0], [0, 1, 0]]))
    assert triangles(right)[0] == pytest.approx(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]]))


@pytest.mark.parametrize("dof", ["full", "trilinear"])
def test_a_flex_is_covered_by_patches_on_the_bodies_that_move_it(tmp_path: Path, dof: str) -> None:
    scene, info, reply = drawn(
        tmp_path,
        '<worldbody><flexcomp name="f" type="grid" count="3 3 3" spacing=".1 .1 .1" pos="0 0 1" radius=".01" dim="3"'
        f' rgba="1 0 1 1" dof="{dof}"/></worldbody>',
    )
    assert sum(map(area, scene.shapes)) == pytest.approx(6 * 0.2**2, rel=1e-4), "the surface of a cube of 0.2 m"
    ends = np.concatenate([triangles(shape).reshape(-1, 3) + reply.poses[shape.link, :3] for shape in scene.shapes])
    assert (ends.min(axis=0), ends.max(axis=0)) == (
        pytest.approx([-0.1, -0.1, 0.9], abs=1e-6),
        pytest.approx([0.1, 0.1, 1.1], abs=1e-6),
    )
    assert len({shape.link for shape in scene.shapes}) == len(scene.shapes) > 7 and len(info.links) > 8
