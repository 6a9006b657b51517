"""MJCF and URDF files of the user's in the MuJoCo engine: every part gets a port."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from animat.body import load_body
from animat.body.mujoco import MujocoEngine
from animat.errors import AnimatError

MJCF = """
<mujoco model="arm">
  <asset><mesh name="tetra" vertex="0 0 0  .1 0 0  0 .1 0  0 0 .1"/></asset>
  <worldbody>
    <geom type="plane" size="0 0 1"/>
    <camera name="side" pos="0 -2 1" xyaxes="1 0 0 0 0 1" fovy="60"/>
    <site name="origin" pos="0 0 1"/>
    <body name="upper" pos="0 0 1">
      <joint name="shoulder" axis="0 1 0" damping=".1"/>
      <geom type="capsule" fromto="0 0 0 0 0 -.3" size=".03" rgba="0 1 0 1"/>
      <site name="upper_end" pos="0.03 0 -.2"/>
      <body pos="0 0 -.3">
        <joint axis="0 1 0" damping=".1"/>
        <geom type="mesh" mesh="tetra"/>
      </body>
    </body>
  </worldbody>
  <tendon><spatial name="cord"><site site="origin"/><site site="upper_end"/></spatial></tendon>
  <actuator>
    <motor joint="shoulder" ctrlrange="-1 1"/>
    <muscle name="biceps" tendon="cord" force="20" lengthrange=".1 .3"/>
  </actuator>
  <sensor><jointpos name="shoulder_angle" joint="shoulder"/><framelinacc objtype="body" objname="upper"/></sensor>
</mujoco>
"""

URDF = """
<robot name="cart">
  <link name="base"/>
  <link name="pole">
    <inertial>
      <origin xyz="0 0 .5"/><mass value="1"/>
      <inertia ixx=".1" iyy=".1" izz=".1" ixy="0" ixz="0" iyz="0"/>
    </inertial>
    <visual><geometry><box size=".1 .1 1"/></geometry></visual>
  </link>
  <joint name="hinge" type="continuous"><parent link="base"/><child link="pole"/><axis xyz="0 1 0"/></joint>
</robot>
"""


def test_every_part_of_an_mjcf_file_gets_a_port(tmp_path: Path) -> None:
    (tmp_path / "arm.xml").write_text(MJCF)
    engine = MujocoEngine()
    info = engine.load(load_body("arm.xml", tmp_path))
    controls = {port.name: port for port in info.controls}
    sensors = {port.name: port for port in info.sensors}
    assert {"actuator/actuator_0", "activation/biceps", "clamp/biceps", "effort/shoulder", "effort/joint_1"} <= set(
        controls
    )
    assert "actuator/biceps" not in controls
    assert (controls["actuator/actuator_0"].low, controls["actuator/actuator_0"].high) == (-1, 1)
    assert {"force/biceps", "angle/joint_1", "sensor/shoulder_angle", "sensor/sensor_1", "position/upper"} <= set(
        sensors
    )
    assert info.links == ("world", "upper", "body_1")
    assert info.joints == ("shoulder", "joint_1")
    assert info.muscles == ("biceps",) and info.scene.muscle_points == (2,)
    assert [shape.kind for shape in info.scene.shapes] == ["plane", "capsule", "mesh"]
    mesh = info.scene.shapes[2]
    assert len(mesh.vertices) == 4 * 3 * 4 and len(mesh.faces) == 4 * 3 * 4
    vector = info.rest()
    vector[controls["activation/biceps"].offset] = 1.0
    reply = engine.advance(vector, 20_000_000)
    place = sensors["activation/biceps"].offset
    assert 0.5 < reply.sensors[place] <= 1.0
    assert reply.sensors[sensors["force/biceps"].offset] > 0
    assert reply.sensors[sensors["sensor/shoulder_angle"].offset] == reply.sensors[sensors["angle/shoulder"].offset]
    vector[controls["clamp/biceps"].offset] = 0.25
    reply = engine.advance(vector, 40_000_000)
    assert reply.sensors[place] == pytest.approx(0.25)


def test_parts_can_be_added_to_an_mjcf_file(tmp_path: Path) -> None:
    (tmp_path / "arm.xml").write_text(MJCF)
    (tmp_path / "body.yaml").write_text(
        "file: arm.xml\n"
        "timestep: 1 ms\n"
        "actuators: {elbow: {joint: joint_1, gain: 0.5}}\n"
        "closures: {held: {first: upper, first_point: [0, 0, -0.3], second: world, second_point: [0, 0, 0.7]}}\n"
        "eyes: {side: {camera: side, width: 17, height: 13}}\n"
        "objects: {ball: {position: [1, 0, 1], shapes: [{kind: sphere, size: [0.1]}]}}\n"
    )
    engine = MujocoEngine()
    info = engine.load(load_body(tmp_path))
    assert info.timestep == 1_000_000 and info.links[-1] == "ball"
    assert "actuator/elbow" in {port.name for port in info.controls}
    picture = engine.read().images["image/side"]
    assert (picture[..., 1] > picture[..., 0] + 100).any(), "the green upper arm is in the picture"
    place = next(port.offset for port in info.sensors if port.name == "closure/held")
    controls = info.rest()
    controls[next(port.offset for port in info.controls if port.name == "effort/shoulder")] = 0.3
    engine.advance(controls, 12_000_000_000)
    settled = engine.advance(controls, 12_020_000_000).sensors
    assert settled[place] == pytest.approx(1.0, rel=0.01), "held 0.3 m from the joint against 0.3 N m"
    (tmp_path / "body.yaml").write_text("file: arm.xml\nactuators: {elbow: {joint: elbow}}\n")
    with pytest.raises(AnimatError, match=r"unknown joint 'elbow'.*joint_1, shoulder"):
        engine.load(load_body(tmp_path))


def test_urdf_joints_become_motors(tmp_path: Path) -> None:
    (tmp_path / "cart.urdf").write_text(URDF)
    engine = MujocoEngine()
    info = engine.load(load_body("cart.urdf", tmp_path))
    assert [port.name for port in info.controls if port.name.startswith("effort/")] == ["effort/hinge"]
    vector = info.rest()
    vector[next(port.offset for port in info.controls if port.name == "effort/hinge")] = 0.5
    for step in range(1, 11):
        reply = engine.advance(vector, step * 20_000_000)
    angle = reply.sensors[next(port.offset for port in info.sensors if port.name == "angle/hinge")]
    assert angle > 0.01
    assert np.isfinite(reply.sensors).all()


@pytest.mark.parametrize("text", ["<mujoco><worldbody><body>", "<mujoco><nonsense/></mujoco>", "not xml", ""])
def test_unreadable_files_are_errors(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.xml").write_text(text)
    with pytest.raises(AnimatError, match="cannot read") as caught:
        MujocoEngine().load(load_body("bad.xml", tmp_path))
    assert caught.value.file == str(tmp_path / "bad.xml")


def test_mujoco_refuses_osim(tmp_path: Path) -> None:
    (tmp_path / "arm.osim").write_text("<OpenSimDocument/>")
    with pytest.raises(AnimatError, match="engine: opensim"):
        MujocoEngine().load(load_body("arm.osim", tmp_path))
