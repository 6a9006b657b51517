"""SDF files: frames, joints, loops, worlds, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

from animat.body import load_body
from animat.body.files import named_files
from animat.body.mujoco import MujocoEngine
from animat.body.protocol import BodyInfo, BodyReply
from animat.errors import AnimatError

INERTIAL = """<inertial><mass>2</mass><inertia>
<ixx>.1</ixx><iyy>.2</iyy><izz>.25</izz><ixy>0</ixy><ixz>0</ixz><iyz>0</iyz>
</inertia></inertial>"""
#: The arm's frame is turned by 90 degrees about z: its y axis is the world's -x.
ARM = """<sdf version="{version}"><model name="m"><pose>0 0 1 0 0 0</pose><link name="base">{base}</link>
<link name="arm"><pose>1 0 0 0 0 1.5707963267948966</pose>{inertial}<collision name="c"><geometry>
<box><size>.2 .4 .6</size></box></geometry></collision></link>
<joint name="j" type="revolute"><parent>base</parent><child>arm</child>{pose}
<axis><xyz>0 1 0</xyz>{frame}
<limit><lower>-1</lower><upper>2</upper></limit><dynamics><damping>0.5</damping></dynamics>
</axis></joint>{more}</model></sdf>"""


def load(folder: Path, text: str, name: str = "m.sdf") -> tuple[MujocoEngine, BodyInfo]:
    (folder / name).write_text(text)
    engine = MujocoEngine()
    return engine, engine.load(load_body(name, folder))


def arm(version: str = "1.6", base: str = INERTIAL, frame: str = "", pose: str = "", more: str = "") -> str:
    return ARM.format(version=version, base=base, inertial=INERTIAL, frame=frame, pose=pose, more=more)


def sensed(info: BodyInfo, reply: BodyReply, name: str) -> Any:
    port = next(port for port in info.sensors if port.name == name)
    return reply.sensors[port.offset : port.offset + port.size]


@pytest.mark.parametrize(
    ("version", "frame", "axis"),
    [
        ("1.6", "", (-1, 0, 0)),
        ("1.6", "<use_parent_model_frame>1</use_parent_model_frame>", (0, 1, 0)),
        ("1.4", "", (0, 1, 0)),
    ],
)
def test_an_axis_is_in_the_frame_that_its_version_says(
    tmp_path: Path, version: str, frame: str, axis: tuple[float, ...]
) -> None:
    engine, info = load(tmp_path, arm(version, frame=frame))
    assert info.links == ("world", "base", "arm") and info.joints == ("j",) and info.timestep == 1_000_000
    assert sensed(info, engine.read(), "position/arm") == pytest.approx([1, 0, 1])
    assert engine._data.xaxis[1] == pytest.approx(axis, abs=1e-9)
    compiled = engine._compiled
    assert compiled.jnt_range[1] == pytest.approx([-1, 2]) and compiled.dof_damping[6] == 0.5
    assert compiled.body_mass[2] == 2 and sorted(compiled.body_inertia[2]) == pytest.approx([0.1, 0.2, 0.25])
    (shape,) = info.scene.shapes
    assert shape.kind == "box" and shape.size == pytest.approx((0.1, 0.2, 0.3))


def test_the_anchor_is_the_joints_pose_in_the_childs_frame(tmp_path: Path) -> None:
    engine, _ = load(tmp_path, arm(pose="<pose>0 0.5 0 0 0 0</pose>"))
    assert engine._data.xanchor[1] == pytest.approx([0.5, 0, 1]), "y of the arm is -x of the world"


def test_models_are_free_unless_they_are_static_or_tied_to_the_world(tmp_path: Path) -> None:
    engine, info = load(tmp_path, arm())
    fallen = engine.advance(info.rest(), 100_000_000).poses[1, 2]
    assert fallen == pytest.approx(1 - 9.81 * 0.1**2 / 2, abs=2e-3)
    tied = '<joint name="t" type="fixed"><parent>world</parent><child>base</child></joint>'
    for text in (arm(more=tied), arm(more="<static>true</static>")):
        engine, info = load(tmp_path, text)
        assert engine.advance(info.rest(), 100_000_000).poses[1, 2] == 1.0
    assert info.joints == (), "nothing of a static model moves"


def test_inertia_with_products_in_a_turned_frame(tmp_path: Path) -> None:
    inertial = INERTIAL.replace("<mass>", "<pose>.1 0 0 0 0 1.5707963267948966</pose><mass>")
    engine, _ = load(tmp_path, arm(base=inertial.replace("<ixy>0", "<ixy>0.01")))
    compiled = engine._compiled
    turned = np.zeros(9)
    mujoco.mju_quat2Mat(turned, compiled.body_iquat[1])
    about = turned.reshape(3, 3) @ np.diag(compiled.body_inertia[1]) @ turned.reshape(3, 3).T
    assert about == pytest.approx(np.array([[0.2, -0.01, 0], [-0.01, 0.1, 0], [0, 0, 0.25]]), abs=1e-9)
    assert compiled.body_ipos[1] == pytest.approx([0.1, 0, 0])


def test_a_second_joint_of_a_child_closes_a_loop(tmp_path: Path) -> None:
    more = (
        f'<link name="rod"><pose>0 1 0 0 0 0</pose>{INERTIAL}</link>'
        '<joint name="k" type="revolute"><parent>base</parent><child>rod</child><axis><xyz>0 0 1</xyz></axis></joint>'
        '<joint name="loop" type="ball"><parent>rod</parent><child>arm</child></joint>'
    )
    engine, info = load(tmp_path, arm(frame="<use_parent_model_frame>1</use_parent_model_frame>", more=more))
    assert info.joints == ("j", "k") and engine._compiled.neq == 1
    reply = engine.advance(info.rest(), 200_000_000)
    apart = np.linalg.norm(sensed(info, reply, "position/arm") - sensed(info, reply, "position/rod"))
    assert apart == pytest.approx(2**0.5, abs=1e-3)
    for kind in ("prismatic", "universal"):
        with pytest.raises(AnimatError, match=f"a {kind} joint that closes a loop is not read"):
            load(tmp_path, arm(more=more.replace('type="ball"', f'type="{kind}"')))


def test_a_world_of_several_models_with_includes(tmp_path: Path) -> None:
    (tmp_path / "ball").mkdir()
    (tmp_path / "ball" / "model.sdf").write_text(
        f'<sdf version="1.6"><model name="ball"><link name="l">{INERTIAL}<visual name="v"><geometry><sphere><radius>.1'
        "</radius></sphere></geometry><material><diffuse>1 0 0 1</diffuse></material></visual>"
        '<sensor name="s" type="camera"/></link><plugin name="p" filename="p.so"/></model></sdf>'
    )
    text = """<sdf version="1.6"><world name="w"><gravity>0 0 -1</gravity>
    <physics><max_step_size>0.002</max_step_size></physics>
    <include><uri>model://ball</uri><pose>0 0 3 0 0 0</pose></include>
    <include><uri>model://ball</uri><name>other</name><static>1</static></include><include><uri>model://sun</uri></include>
    <model name="floor"><static>1</static><link name="f"><collision name="c"><geometry><plane><size>9 9</size></plane>
    </geometry></collision></link></model><model name="box"><link name="b"/></model></world></sdf>"""
    engine, info = load(tmp_path, text, "w.world")
    assert set(info.links) == {"world", "ball::l", "other::l", "floor::f", "box::b"} and info.timestep == 2_000_000
    (remark,) = info.remarks
    assert "<include> model://sun, which is not here" in remark and "sensors" in remark
    fallen = sensed(info, engine.advance(info.rest(), 200_000_000), "position/ball::l")[2]
    assert fallen == pytest.approx(3 - 0.2**2 / 2, abs=1e-3)
    red = [info.links[shape.link] for shape in info.scene.shapes if shape.colour == (1, 0, 0, 1)]
    assert red == ["ball::l", "other::l"]
    assert [item.path for item in named_files(tmp_path / "w.world")] == [tmp_path / "ball" / "model.sdf"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<sdf", "cannot read"),
        (arm().replace("<parent>base", "<parent>bass"), "names the link 'bass', which is not there"),
        (arm().replace('type="revolute"', 'type="screw"'), "screw joints are not read"),
        (arm().replace("<size>.2 .4 .6", "<size>.2 x .6"), "cannot read"),
        (arm().replace("<pose>0 0 1 0 0 0", "<pose>0 0"), "cannot read"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_file(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(AnimatError, match=words) as caught:
        load(tmp_path, text)
    assert caught.value.file == str(tmp_path / "m.sdf")


def test_meshes_in_packages(tmp_path: Path) -> None:
    (tmp_path / "robot" / "meshes").mkdir(parents=True)
    (tmp_path / "robot" / "meshes" / "t.obj").write_text(
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
    )
    mesh = "<mesh><uri>model://robot/meshes/{}.obj</uri></mesh>"
    text = arm().replace("<box><size>.2 .4 .6</size></box>", mesh.format("t"))
    text = text.replace("<collision", f'<visual name="v"><geometry>{mesh.format("gone")}</geometry></visual><collision')
    _, info = load(tmp_path / "robot", text)
    assert [shape.kind for shape in info.scene.shapes] == ["mesh"]
    assert info.remarks == ("m.sdf: left out are meshes that are not here",)
    with pytest.raises(AnimatError, match=r"gone\.obj"):
        load(tmp_path / "robot", arm().replace("<box><size>.2 .4 .6</size></box>", mesh.format("gone")))
