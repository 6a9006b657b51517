import numpy as np
import pytest

from animat.body import load_body, make_body_engine

STEP = 20_000_000


class Rig:
    """A library body in MuJoCo with its ports by name."""

    def __init__(self, **spec):
        self.engine = make_body_engine("mujoco", {})
        self.info = self.engine.load(load_body(spec))
        self.controls = {port.name: port for port in self.info.controls}
        self.sensors = {port.name: port for port in self.info.sensors}
        self.vector = self.info.rest()
        self.reply = self.engine.read()

    def tell(self, name, value):
        port = self.controls[name]
        self.vector[port.offset : port.offset + port.size] = value

    def run(self, seconds):
        for _ in range(round(seconds * 1e9 / STEP)):
            self.reply = self.engine.advance(self.vector, self.reply.time + STEP)
        return self

    def sense(self, name):
        port = self.sensors[name]
        found = self.reply.sensors[port.offset : port.offset + port.size]
        return found if port.shape else float(found[0])

    def image(self, name):
        return self.engine.read().images[name].astype(int)


def test_the_forelimb_has_the_muscles_and_joints_of_the_original():
    rig = Rig(library="mouse-forelimb")
    assert rig.info.muscles == (
        "Foot1",
        "Foot2",
        "Radius1",
        "Radius2",
        "Humerus1",
        "Humerus2",
        "Humerus3",
        "Humerus4",
    )
    assert set(rig.info.joints) == {
        "world_humerus",
        "humerus_helper_joint",
        "humerus_radius",
        "radius_foot",
        "joystick_world_joint",
        "joystick_helper_joint",
        "tongue_joint",
    }
    assert rig.info.timestep == 500_000


def test_muscles_at_the_reference_pose_have_the_lengths_of_the_original():
    rig = Rig(library="mouse-forelimb")
    expected = [5.22452, 5.15439, 6.72171, 5.26335, 11.79441, 10.07078, 11.16337, 9.56496]
    found = [rig.sense(f"length/{name}") * 1e3 for name in rig.info.muscles]
    assert np.allclose(found, expected, atol=2e-5)


def test_the_loop_stays_closed():
    rig = Rig(library="mouse-forelimb")
    rig.tell("activation/Humerus3", 1.0)
    rig.tell("activation/Radius1", 1.0)
    rig.run(0.5)
    foot = rig.info.links.index("foot")
    position, (w, *xyz) = rig.reply.poses[foot, :3], rig.reply.poses[foot, 3:]
    point, axis = np.array([0.005, -0.0003, 0.0]), np.array(xyz)
    turned = point + 2 * np.cross(axis, np.cross(axis, point) + w * point)
    assert np.linalg.norm(position + turned - rig.sense("position/joystick")) < 2e-6


def test_the_paw_feels_the_joystick():
    """Pushed back (+y), the joystick presses the paw back."""
    rig = Rig(library="mouse-forelimb")
    rest = rig.run(0.5).sense("closure/foot_joystick")
    rig.tell("wrench/joystick", [0, 0.01, 0, 0, 0, 0])
    pressed = rig.run(0.5).sense("closure/foot_joystick")
    assert 0.002 < pressed[1] - rest[1] < 0.02


@pytest.mark.parametrize(
    ("muscle", "way"), [("Humerus1", -1), ("Humerus3", -1), ("Radius2", -1), ("Humerus2", 1), ("Radius1", 1)]
)
def test_each_muscle_pushes_the_joystick_its_way(muscle, way):
    """Forward is -y: the mouse looks along -y."""
    rig = Rig(library="mouse-forelimb")
    start = rig.sense("position/joystick")[1]
    for name in rig.info.muscles:
        rig.tell(f"activation/{name}", 0.05)
    rig.tell(f"activation/{muscle}", 1.0)
    rig.tell("effort/joystick_world_joint", -0.001)
    moved = rig.run(0.5).sense("position/joystick")[1] - start
    assert 2e-3 < way * moved < 5e-3


def test_the_tongue_reaches_the_spout_and_a_reward_brings_a_drop():
    rig = Rig(library="mouse-forelimb")
    assert rig.run(0.1).sense("contact/lickometer") == 0
    rig.tell("actuator/tongue", 1.0)
    rig.run(0.3)
    assert rig.sense("contact/lickometer") > 0
    drop = rig.info.links.index("drop")
    before = rig.reply.poses[drop, :3]
    rig.tell("reward/lickometer", 1.0)
    rig.run(0.02)
    assert np.linalg.norm(rig.reply.poses[drop, :3] - before) > 1e-3
    rig.tell("actuator/tongue", 0.0)
    assert rig.run(0.5).sense("contact/lickometer") == 0


def test_husky_keeps_the_commanded_speeds_with_the_twist_drive():
    rig = Rig(library="husky")
    rig.run(0.5)
    rig.tell("twist/drive", [0.5, 0.0])
    start = rig.run(0.5).sense("position/base_link")
    end = rig.run(1.0).sense("position/base_link")
    assert np.linalg.norm(end[:2] - start[:2]) == pytest.approx(0.5, rel=0.01)
    rig.tell("twist/drive", [0.0, 0.8])
    rig.run(0.5)
    yaw = [heading(rig.sense("orientation/base_link"))]
    rig.run(1.0)
    yaw.append(heading(rig.sense("orientation/base_link")))
    assert yaw[1] - yaw[0] == pytest.approx(0.8, rel=0.01)


def test_husky_drives_straight_on_its_wheels_and_turns_less_than_told():
    rig = Rig(library="husky", drive="wheels")
    assert rig.run(0.5).sense("position/base_link")[2] == pytest.approx(0.1428, abs=0.002)
    rig.tell("twist/drive", [0.5, 0.0])
    start = rig.run(1.0).sense("position/base_link")
    end = rig.run(1.0).sense("position/base_link")
    assert np.linalg.norm(end[:2] - start[:2]) == pytest.approx(0.5, rel=0.03)
    rig.tell("twist/drive", [0.0, 1.0])
    before = heading(rig.run(0.5).sense("orientation/base_link"))
    after = heading(rig.run(1.0).sense("orientation/base_link"))
    assert 0.1 < after - before < 0.6


def test_husky_sees_a_red_screen_on_its_left_and_a_blue_one_on_its_right():
    rig = Rig(library="husky")
    image = rig.image("image/eye")
    red = (image[..., 0] > image[..., 2] + 60) & (image[..., 0] > image[..., 1] + 60)
    blue = (image[..., 2] > image[..., 0] + 60) & (image[..., 2] > image[..., 1] + 60)
    half = image.shape[1] // 2
    assert red[:, :half].sum() > 20
    assert not red[:, half:].any()
    assert blue[:, half:].sum() > 20
    assert not blue[:, :half].any()


def test_a_screen_changes_its_colour():
    rig = Rig(library="husky")
    rig.tell("colour/left_screen", [0.0, 1.0, 0.0, 1.0])
    rig.run(0.04)
    image = rig.image("image/eye")
    assert ((image[..., 1] > image[..., 0] + 60) & (image[..., 1] > image[..., 2] + 60)).sum() > 20


def heading(orientation):
    w, x, y, z = orientation
    return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))
