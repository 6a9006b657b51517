"""What a user's model file says is kept, what is added to it acts, and the rest is refused or named."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest

from animat.body import load_body
from animat.body.mujoco import MujocoEngine
from animat.body.protocol import BodyInfo, BodyReply
from animat.errors import AnimatError

#: A red pixel.
RED_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
BALL = """<mujoco><worldbody><body name="ball" pos="0 0 5"><freejoint/><geom size="0.1" mass="1"/></body></worldbody>
</mujoco>"""
FALLING_URDF = """<robot name="r"><link name="world"/><link name="ball"><inertial><mass value="1"/>
<inertia ixx=".01" iyy=".01" izz=".01" ixy="0" ixz="0" iyz="0"/></inertial></link>
<joint name="slide" type="prismatic"><parent link="world"/><child link="ball"/><axis xyz="0 0 1"/>
<limit lower="-9" upper="9" effort="1" velocity="1"/></joint></robot>"""
TWO_RODS = """<mujoco><option timestep="0.02" integrator="RK4"/><worldbody>
<body name="a" pos="0 0 2"><joint name="j" axis="0 1 0"/>
 <geom type="capsule" fromto="0 0 0 0.5 0 0" size="0.02" mass="1"/>
 <body name="b" pos="0.5 0 0"><joint name="k" axis="0 1 0"/>
  <geom type="capsule" fromto="0 0 0 0.5 0 0" size="0.02" mass="1"/></body></body></worldbody></mujoco>"""
MUSCLE = """<mujoco>{option}<worldbody><site name="o" pos="0 0 1"/>
<body name="a" pos="0 0 0"><joint name="j" axis="0 1 0" damping="1"/>
<geom type="capsule" fromto="0 0 0 0 0 .3" size=".02"/><site name="i" pos=".1 0 .3"/></body></worldbody>
<tendon><spatial name="t"><site site="o"/><site site="i"/></spatial></tendon>
<actuator><muscle name="m" tendon="t" force="1" lengthrange=".3 1.2"/>
<muscle name="hinged" joint="j" force="1" lengthrange="-1 1"/><motor name="off" joint="j" group="2"/></actuator>
</mujoco>"""


def load(
    folder: Path, text: str, body: str | dict[str, Any] = "", name: str = "b.xml"
) -> tuple[MujocoEngine, BodyInfo]:
    """Load a model file with entries of `model:`, or with a body.yaml that names it."""
    (folder / name).write_text(text)
    engine = MujocoEngine()
    if isinstance(body, dict):
        return engine, engine.load(load_body({"file": name, **body}, folder))
    (folder / "body.yaml").write_text(f"file: {name}\n{body}")
    return engine, engine.load(load_body(folder))


def sensed(info: BodyInfo, reply: BodyReply, name: str) -> Any:
    port = next(port for port in info.sensors if port.name == name)
    value = reply.sensors[port.offset : port.offset + port.size]
    return value if port.shape else float(value[0])


def run(engine: MujocoEngine, info: BodyInfo, until: int, step: int = 20_000_000, **controls: float) -> BodyReply:
    vector = info.rest()
    for port in info.controls:
        if port.name.replace("/", "_") in controls:
            vector[port.offset] = controls[port.name.replace("/", "_")]
    for tick in range(step, until + 1, step):
        reply = engine.advance(vector, tick)
    return reply


@pytest.mark.parametrize(("name", "text"), [("b.xml", BALL), ("b.urdf", FALLING_URDF)])
@pytest.mark.parametrize(("gravity", "fallen"), [([0, 0, 0], 0.0), ([0, 0, -5], 0.1), (None, 9.81 / 50)])
def test_gravity_acts_on_a_file(tmp_path: Path, name: str, text: str, gravity: Any, fallen: float) -> None:
    engine, info = load(tmp_path, text, {} if gravity is None else {"gravity": gravity}, name)
    before = sensed(info, engine.read(), "position/ball")[2]
    reply = run(engine, info, 200_000_000)
    assert before - sensed(info, reply, "position/ball")[2] == pytest.approx(fallen, rel=0.02), "g t^2 / 2"
    engine, info = load(tmp_path, text, "" if gravity is None else f"gravity: {gravity}", name)
    assert sensed(info, run(engine, info, 200_000_000), "position/ball")[2] == sensed(info, reply, "position/ball")[2]


def test_gravity_acts_where_the_file_switches_its_own_off(tmp_path: Path) -> None:
    text = BALL.replace("<mujoco>", '<mujoco><option><flag gravity="disable"/></option>')
    engine, info = load(tmp_path, text)
    assert sensed(info, run(engine, info, 200_000_000), "position/ball")[2] == 5.0
    engine, info = load(tmp_path, text, {"gravity": [0, 0, -9.81]})
    assert sensed(info, run(engine, info, 200_000_000), "position/ball")[2] < 4.9


def test_activation_dynamics_of_a_files_muscles(tmp_path: Path) -> None:
    text = MUSCLE.format(option="")
    engine, info = load(tmp_path, text)
    its_own = sensed(info, run(engine, info, 20_000_000, activation_m=0.8), "activation/m")
    assert 0.3 < its_own < 0.75, "the file's muscle rises over its time constants"
    engine, info = load(tmp_path, text, {"activation_dynamics": True})
    assert sensed(info, run(engine, info, 20_000_000, activation_m=0.8), "activation/m") == its_own
    engine, info = load(tmp_path, text, {"activation_dynamics": False})
    assert sensed(info, run(engine, info, 20_000_000, activation_m=0.8), "activation/m") == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("name", "text", "entries", "words"),
    [
        ("b.xml", BALL, "links: {x: {}}\njoints: {y: {kind: free, child: x}}", "a mjcf file has its own links"),
        ("b.xml", BALL, "joints: {y: {kind: free, child: ball}}", "a mjcf file has its own joints"),
        ("b.xml", BALL, "base: fixed", "whether a URDF file is welded"),
        ("b.urdf", FALLING_URDF, "keyframe: home", "only MJCF files have keyframes"),
        ("b.xml", BALL, "keyframe: home", "unknown keyframe 'home'"),
        ("b.xml", BALL, "contacts: {c: {on: bal}}", "unknown link 'bal'. Did you mean 'ball'"),
        ("b.xml", BALL, "objects: {ball: {}}", "MuJoCo cannot build.*repeated name 'ball'"),
        (
            "b.xml",
            BALL.replace("<mujoco>", '<mujoco><option><flag contact="disable"/></option>'),
            "contacts: {c: {on: ball}}",
            'contact="disable".*c could do nothing',
        ),
        (
            "b.xml",
            TWO_RODS.replace("<worldbody>", '<option><flag actuation="disable"/></option><worldbody>', 1),
            "actuators: {motor: {joint: j}}",
            'actuation="disable".*motor could do nothing',
        ),
    ],
)
def test_what_cannot_act_is_refused_by_name(tmp_path: Path, name: str, text: str, entries: str, words: str) -> None:
    with pytest.raises(AnimatError, match=words):
        load(tmp_path, text, entries, name)


@pytest.mark.parametrize(
    "entries",
    [
        "",
        "contacts: {tip: {on: b}}",
        "magnets: {m: {link: b, home: [0, 0, 9]}}",
        "muscles: {m: {max_isometric_force: 1e-9, optimal_fibre_length: 0.1, tendon_slack_length: 0.01, path:"
        " [{link: world, position: [0, 0, 2.5]}, {link: a, position: [0, 0, 0.1]}]}}",
    ],
)
def test_a_files_integrator_is_kept_whatever_is_added(tmp_path: Path, entries: str) -> None:
    engine, info = load(tmp_path, TWO_RODS, entries)
    magnet = {"magnet_m": 1e-12} if "magnets" in entries else {}
    reply = run(engine, info, 2_000_000_000, 100_000_000, **magnet)
    bare = mujoco.MjModel.from_xml_string(TWO_RODS)
    data = mujoco.MjData(bare)
    mujoco.mj_step(bare, data, 100)
    assert sensed(info, reply, "angle/j") == pytest.approx(data.qpos[0], abs=1e-6)


def test_a_contact_under_rk4_is_felt(tmp_path: Path) -> None:
    text = BALL.replace("<mujoco>", '<mujoco><option integrator="RK4"/>').replace('pos="0 0 5"', 'pos="0 0 .1"')
    text = text.replace("<worldbody>", '<worldbody><geom type="plane" size="1 1 1"/>')
    engine, info = load(tmp_path, text, "contacts: {floor: {on: ball}}")
    run(engine, info, 1_000_000_000)
    assert sensed(info, engine.read(), "contact/floor") == pytest.approx(9.81, rel=1e-3)


def test_switched_off_actuators_are_named_and_added_ones_act(tmp_path: Path) -> None:
    text = MUSCLE.format(option='<option actuatorgroupdisable="0 2"/>')
    engine, info = load(tmp_path, text, "actuators: {added: {joint: j}}")
    (remark,) = info.remarks
    assert remark.endswith("do nothing: m, hinged, off")
    still = sensed(info, run(engine, info, 20_000_000, actuator_off=1.0), "angle/j")
    engine.reset()
    assert sensed(info, run(engine, info, 20_000_000), "angle/j") == still
    engine.reset()
    assert abs(sensed(info, run(engine, info, 20_000_000, actuator_added=1.0), "angle/j") - still) > 1e-3


def test_lengths_of_muscles_on_hinges_are_angles(tmp_path: Path) -> None:
    _, info = load(tmp_path, MUSCLE.format(option=""))
    units = {port.name: port.unit for port in info.sensors}
    assert [units[f"{quantity}/hinged"] for quantity in ("length", "speed", "force")] == ["rad", "rad/s", "N m"]
    assert [units[f"{quantity}/m"] for quantity in ("length", "speed", "force")] == ["m", "m/s", "N"]


KEYED = """<mujoco><worldbody><body name="a" pos="0 0 1"><joint name="j" axis="0 1 0" damping="0.1"/>
<geom type="capsule" fromto="0 0 0 0 0 -.3" size="0.02"/></body></worldbody>
<actuator><position name="s" joint="j" kp="50" ctrlrange="0.5 1.5"/></actuator>
<keyframe><key name="home" qpos="1" ctrl="1"/><key qpos="0.7"/></keyframe></mujoco>"""


def test_a_keyframe_is_where_the_body_starts(tmp_path: Path) -> None:
    engine, info = load(tmp_path, KEYED, {"keyframe": "home"}, "b.xml")
    assert sensed(info, engine.read(), "angle/j") == 1.0 and not info.remarks
    assert next(port.rest for port in info.controls if port.name == "actuator/s") == 1.0
    reply = run(engine, info, 2_000_000_000)
    assert sensed(info, reply, "angle/j") == pytest.approx(1.0, abs=0.05)
    engine.reset()
    assert sensed(info, engine.read(), "angle/j") == 1.0
    engine, info = load(tmp_path, KEYED, "keyframe: key_1\nobjects: {ball: {position: [1, 2, 3]}}")
    assert sensed(info, engine.read(), "angle/j") == 0.7
    assert sensed(info, engine.read(), "position/ball") == pytest.approx([1, 2, 3])


def test_keyframes_that_are_not_used_are_named(tmp_path: Path) -> None:
    engine, info = load(tmp_path, KEYED)
    assert sensed(info, engine.read(), "angle/j") == 0.0
    (remark,) = info.remarks
    assert "(home, key_1)" in remark and "`keyframe: home`" in remark


def test_what_was_applied_is_read_beside_what_was_commanded(tmp_path: Path) -> None:
    engine, info = load(tmp_path, KEYED)
    port = next(port for port in info.controls if port.name == "actuator/s")
    assert (port.rest, port.low, port.high) == (0.5, 0.5, 1.5), "the nearest to 0 that its range allows"
    assert sensed(info, run(engine, info, 20_000_000, actuator_s=7.0), "applied/s") == 1.5
    engine, info = load(
        tmp_path,
        BALL.replace("freejoint", 'joint name="z" type="slide" axis="0 0 1"'),
        "actuators: {one_sided: {joint: z, low: 0}}",
    )
    assert sensed(info, run(engine, info, 20_000_000, actuator_one_sided=-3.0), "applied/one_sided") == 0.0


def test_a_mocap_body_moves_as_told(tmp_path: Path) -> None:
    text = BALL.replace("<body", '<body name="hand" mocap="true" pos="0 0 5"/><body', 1).replace(
        "</worldbody>", '</worldbody><equality><weld body1="hand" body2="ball"/></equality>'
    )
    engine, info = load(tmp_path, text)
    port = next(port for port in info.controls if port.name == "pose/hand")
    assert port.rest == (0, 0, 5, 1, 0, 0, 0)
    controls = info.rest()
    controls[port.offset] = 1.0
    reply = engine.advance(controls, 2_000_000_000)
    assert sensed(info, reply, "position/hand") == pytest.approx([1, 0, 5])
    assert sensed(info, reply, "position/ball") == pytest.approx([1, 0, 5], abs=0.01)
    engine.reset()
    assert np.array_equal(engine.advance(info.rest(), 20_000_000).poses[1, :3], [0, 0, 5])


def test_made_up_names_give_way_to_given_ones(tmp_path: Path) -> None:
    text = """<mujoco><worldbody><body name="a"><joint name="joint_1" axis="0 1 0"/><geom size="0.1"/>
    <body pos="0.3 0 0"><joint axis="0 1 0"/><geom size="0.1"/></body></body></worldbody></mujoco>"""
    _, info = load(tmp_path, text)
    assert info.joints == ("joint_1", "joint_1_")


def test_mujocos_warnings_are_remarks(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    (tmp_path / "sub.xml").write_text(
        '<mujoco model="sub"><visual><map zfar="30"/></visual><worldbody><body name="b"><joint/><geom size=".1"/>'
        "</body></worldbody></mujoco>"
    )
    text = """<mujoco model="top"><asset><model name="sub" file="sub.xml"/></asset><worldbody><body name="w">
    <attach model="sub" body="b" prefix="x_"/></body></worldbody></mujoco>"""
    _, info = load(tmp_path, text)
    assert not recwarn.list
    (remark,) = info.remarks
    assert "zfar" in remark and "\n" not in remark


def test_meshes_in_another_place_than_the_file_says_are_found(tmp_path: Path) -> None:
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes" / "t.obj").write_text(
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
    )
    text = """<mujoco><compiler meshdir="/home/somebody/assets"/><asset><mesh name="t" file="t.obj"/></asset>
    <worldbody><body><joint/><geom type="mesh" mesh="t"/></body></worldbody></mujoco>"""
    _, info = load(tmp_path, text)
    assert [shape.kind for shape in info.scene.shapes] == ["mesh"]
    with pytest.raises(AnimatError, match=r"Error opening file.*gone\.obj"):
        load(tmp_path, text.replace("t.obj", "gone.obj"))


def test_pictures_in_another_place_than_the_file_says_are_found(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "red.png").write_bytes(RED_PNG)
    text = """<mujoco><asset><texture name="a" type="2d" file="textures/red.png"/>
    <texture name="b" type="cube" fileright="../sky/red.png"/>
    <material name="m" texture="a"/></asset><worldbody><geom size=".1" material="m"/></worldbody></mujoco>"""
    _, info = load(tmp_path, text)
    assert info.scene.shapes[0].colour == pytest.approx((1, 0, 0, 1))


@pytest.mark.parametrize("name", ["b.mjcf", "b.XML"])
def test_endings_that_mujoco_does_not_know(tmp_path: Path, name: str) -> None:
    (tmp_path / "part.xml").write_text('<mujocoinclude><worldbody><geom size=".2"/></worldbody></mujocoinclude>')
    _, info = load(tmp_path, BALL.replace("<mujoco>", '<mujoco><include file="part.xml"/>'), name=name)
    assert [shape.size[0] for shape in info.scene.shapes] == [0.2, 0.1]
