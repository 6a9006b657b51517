"""The MuJoCo engine on described bodies: mechanics with known answers, apparatus, errors, exact continuation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from animat.body import load_body
from animat.body.model import (
    Actuator,
    BodyModel,
    Closure,
    Contact,
    Eye,
    Joint,
    Link,
    Magnet,
    ModelShape,
    Muscle,
    PathPoint,
    Rangefinder,
    Reward,
    WorldObject,
)
from animat.body.mujoco import MujocoEngine
from animat.body.protocol import BodyReply
from animat.errors import AnimatError

MS = 1_000_000
BALL = (1e-3, 1e-3, 1e-3, 0.0, 0.0, 0.0)


class Bench:
    """An engine with its ports by name."""

    def __init__(self, model: BodyModel) -> None:
        self.engine = MujocoEngine()
        self.info = self.engine.load(model)
        self.controls = self.info.rest()
        self.time = 0
        self._controls = {port.name: port for port in self.info.controls}
        self._sensors = {port.name: port for port in self.info.sensors}

    def set(self, name: str, value: object) -> None:
        port = self._controls[name]
        self.controls[port.offset : port.offset + port.size] = value

    def run(self, ms: int) -> BodyReply:
        self.time += ms * MS
        self.reply = self.engine.advance(self.controls, self.time)
        return self.reply

    def get(self, name: str) -> float | np.ndarray:
        port = self._sensors[name]
        values = self.engine.read().sensors[port.offset : port.offset + port.size]
        return float(values[0]) if port.shape == () else values


def slider(**parts: object) -> BodyModel:
    """A block of 1 kg on a rail along x."""
    block = Link(name="block", mass=1.0, inertia=BALL, shapes=(ModelShape(kind="sphere", size=(0.05,)),))
    rail = Joint(name="rail", kind="slide", child="block", axis=(1.0, 0.0, 0.0))
    described: dict[str, object] = {"gravity": (0.0, 0.0, 0.0), "links": (block,), "joints": (rail,)}
    return BodyModel(name="slider", **(described | parts))  # type: ignore[arg-type]


def test_effort_wrench_and_motor_accelerate_alike() -> None:
    motor = Actuator(name="motor", joint="rail", gain=2.0)
    for port, value in (("effort/rail", 2.0), ("wrench/block", (2, 0, 0, 0, 0, 0)), ("actuator/motor", 1.0)):
        bench = Bench(slider(actuators=(motor,)))
        bench.set(port, value)
        bench.run(100)
        assert bench.get("velocity/rail") == pytest.approx(0.2, rel=1e-9)
        assert bench.get("angle/rail") == pytest.approx(0.01, rel=0.01)


def test_servos_reach_what_they_are_told() -> None:
    place = Actuator(name="place", joint="rail", kind="position", gain=100.0, damping=20.0)
    speed = Actuator(name="speed", joint="rail", kind="velocity", gain=50.0, max_effort=10.0)
    bench = Bench(slider(actuators=(place,)))
    bench.set("actuator/place", 0.3)
    bench.run(2000)
    assert bench.get("angle/rail") == pytest.approx(0.3, abs=1e-5)
    bench = Bench(slider(actuators=(speed,)))
    bench.set("actuator/speed", 0.5)
    bench.run(20)
    assert bench.get("velocity/rail") <= 0.2 + 1e-9
    bench.run(1000)
    assert bench.get("velocity/rail") == pytest.approx(0.5, rel=1e-6)


def test_limits_hold() -> None:
    rail = Joint(name="rail", kind="slide", child="block", axis=(1.0, 0.0, 0.0), limits=(-0.1, 0.1), damping=5.0)
    bench = Bench(slider(joints=(rail,)))
    bench.set("effort/rail", 3.0)
    bench.run(2000)
    assert bench.get("angle/rail") == pytest.approx(0.1, abs=1e-3)


def with_muscle(dynamics: bool = False) -> BodyModel:
    muscle = Muscle(
        name="pull",
        path=(PathPoint(link="world", position=(-0.11, 0, 0)), PathPoint(link="block", position=(0, 0, 0))),
        max_isometric_force=10.0,
        optimal_fibre_length=0.1,
        tendon_slack_length=0.01,
    )
    rail = Joint(name="rail", kind="slide", child="block", axis=(1.0, 0.0, 0.0), damping=1e4)
    return slider(muscles=(muscle,), joints=(rail,), activation_dynamics=dynamics)


def test_muscle_pulls_and_reads_itself() -> None:
    bench = Bench(with_muscle())
    assert bench.get("length/pull") == pytest.approx(0.11)
    bench.set("activation/pull", 1.0)
    reply = bench.run(1)
    assert bench.get("force/pull") == pytest.approx(10.0, rel=0.02)
    assert bench.get("speed/pull") < 0
    assert reply.paths == pytest.approx(np.array([[-0.11, 0, 0], [bench.get("angle/rail"), 0, 0]]))
    bench.set("clamp/pull", 0.5)
    bench.run(1)
    assert bench.get("activation/pull") == 0.5
    bench.set("clamp/pull", np.nan)
    bench.run(1)
    assert bench.get("activation/pull") == 1.0


def test_activation_dynamics_are_an_option() -> None:
    bench = Bench(with_muscle(dynamics=True))
    bench.set("activation/pull", 0.9)
    bench.run(20)
    assert bench.get("activation/pull") == pytest.approx(0.73, abs=0.02)
    bench.set("clamp/pull", 0.2)
    bench.run(1)
    assert bench.get("activation/pull") == 0.2


def test_magnet_follows_its_law_and_holds() -> None:
    magnet = Magnet(name="m", link="block", home=(0.02, 0.0, 0.0), reach=0.02)
    bench = Bench(slider(magnets=(magnet,)))
    bench.set("magnet/m", 16.0)
    bench.run(1)
    assert bench.get("velocity/rail") == pytest.approx(1e-3 * 16.0 / 2**4, rel=1e-3)
    rail = Joint(name="rail", kind="slide", child="block", axis=(1.0, 0.0, 0.0), damping=20.0)
    bench = Bench(slider(magnets=(magnet,), joints=(rail,)))
    bench.set("magnet/m", 16.0)
    bench.run(3000)
    assert bench.get("angle/rail") == pytest.approx(0.02, abs=1e-5)
    bench.set("magnet/m", 0.0)
    bench.set("effort/rail", 0.2)
    bench.run(1000)
    assert bench.get("velocity/rail") == pytest.approx(0.01, rel=0.05)


def falling() -> BodyModel:
    """A ball of 0.1 kg above a floor, seen and measured from beside it."""
    ball = Link(
        name="ball",
        position=(0.0, 0.0, 0.06),
        mass=0.1,
        inertia=(1e-4, 1e-4, 1e-4, 0.0, 0.0, 0.0),
        shapes=(ModelShape(kind="sphere", size=(0.05,), colour=(1.0, 0.0, 0.0, 1.0)),),
    )
    floor = WorldObject(name="floor", shapes=(ModelShape(kind="plane", size=(1.0, 1.0)),))
    drop = WorldObject(name="drop", shapes=(ModelShape(kind="sphere", size=(0.01,)),), collides=False)
    return BodyModel(
        name="falling",
        timestep=MS,
        links=(ball,),
        joints=(Joint(name="free", kind="free", child="ball"),),
        objects=(floor, drop),
        contacts=(Contact(name="touch", on="floor", by="ball"), Contact(name="drop", on="drop")),
        rewards=(Reward(name="water", drop="drop", offset=(0.0, 0.0, 0.3)),),
        rangefinders=(Rangefinder(name="ahead", link="world", position=(-1.0, 0.0, 0.05), far=3.0),),
        eyes=(Eye(name="eye", position=(-0.3, 0.0, 0.05), width=21, height=15, period=40 * MS),),
    )


def test_contact_reads_the_weight() -> None:
    bench = Bench(falling())
    bench.run(20)
    assert bench.get("contact/touch") == 0.0
    bench.run(1000)
    bench.run(20)
    assert bench.get("contact/touch") == pytest.approx(0.1 * 9.81, rel=1e-3)
    assert bench.get("contact/drop") == 0.0
    assert bench.get("range/ahead") == pytest.approx(0.95, abs=1e-3)
    bench.set("wrench/ball", (0, 0, 0.5, 0, 0, 0))
    bench.run(200)
    bench.run(20)
    assert bench.get("contact/touch") == pytest.approx(0.1 * 9.81 - 0.5, rel=1e-2)


def hanging(**parts: object) -> BodyModel:
    """A free ball of 0.1 kg hung by its centre at a point of the world."""
    ball = Link(name="ball", mass=0.1, inertia=(1e-4, 1e-4, 1e-4, 0.0, 0.0, 0.0))
    free = Joint(name="free", kind="free", child="ball")
    described: dict[str, object] = {"closures": (Closure(name="hook", first="ball", second="world"),)}
    return BodyModel(name="hanging", links=(ball,), joints=(free,), **(described | parts))  # type: ignore[arg-type]


def test_a_closure_carries_the_weight_and_reads_it_on_its_first_link() -> None:
    weight = 0.1 * 9.81
    bench = Bench(hanging())
    assert bench.get("closure/hook") == pytest.approx([0, 0, 0])
    bench.run(200)
    bench.run(20)
    assert bench.get("closure/hook") == pytest.approx([0, 0, weight], rel=1e-6, abs=1e-9)
    bench.set("wrench/ball", (0.3, -0.2, 0.5, 0, 0, 0))
    bench.run(200)
    bench.run(20)
    assert bench.get("closure/hook") == pytest.approx([-0.3, 0.2, weight - 0.5], rel=1e-6)


def test_a_closure_pulls_its_second_link_the_other_way() -> None:
    bench = Bench(hanging(closures=(Closure(name="hook", first="world", second="ball"),)))
    bench.run(200)
    bench.run(20)
    assert bench.get("closure/hook") == pytest.approx([0, 0, -0.1 * 9.81], rel=1e-6, abs=1e-9)


def test_a_closure_reads_the_mean_over_the_step() -> None:
    whole, parts = Bench(hanging()), Bench(hanging())
    for bench in (whole, parts):
        bench.set("wrench/ball", (30, 0, 0, 0, 0, 0))
    forces = []
    for _ in range(4):
        parts.run(1)
        forces.append(parts.get("closure/hook"))
    whole.run(4)
    assert np.ptp(forces, axis=0)[0] > 0.1
    assert whole.get("closure/hook") == pytest.approx(np.mean(forces, axis=0), rel=1e-9, abs=1e-12)


def test_closures_each_have_their_own_force_in_the_worlds_axes() -> None:
    """A bar held at both ends, turned against the world: each end carries its part of the weight."""
    bar = Link(name="bar", quaternion=(0.5, 0.5, 0.5, 0.5), mass=0.3, centre=(0, 0.1, 0), inertia=BALL)
    ends = tuple(
        Closure(name=name, first="bar", first_point=(0, at, 0), second="world", second_point=(0, 0, at))
        for name, at in (("near", 0.0), ("far", 0.3))
    )
    free = Joint(name="free", kind="free", child="bar")
    bench = Bench(BodyModel(name="bar", links=(bar,), joints=(free,), closures=ends, gravity=(0.0, -9.81, 0.0)))
    bench.run(200)
    bench.run(20)
    assert bench.get("closure/near") == pytest.approx([0, 0.3 * 9.81 * 2 / 3, 0], rel=1e-3, abs=1e-3)
    assert bench.get("closure/far") == pytest.approx([0, 0.3 * 9.81 / 3, 0], rel=1e-3, abs=1e-3)


def test_reward_moves_the_drop_and_objects_take_poses_and_colours() -> None:
    bench = Bench(falling())
    bench.set("reward/water", 1.0)
    bench.run(20)
    assert bench.get("position/drop") == pytest.approx([0, 0, 0.3])
    bench.set("pose/drop", (0.5, 0, 0, 1, 0, 0, 0))
    reply = bench.run(20)
    assert bench.get("position/drop") == pytest.approx([0.5, 0, 0.3])
    assert reply.poses[bench.info.links.index("drop"), :3] == pytest.approx([0.5, 0, 0.3])


def test_eye_sees_colours_when_due() -> None:
    bench = Bench(falling())
    first = bench.engine.read().images["image/eye"]
    assert first.shape == (15, 21, 3) and first.dtype == np.uint8
    red = first[7, 10].astype(int)
    assert red[0] > 200 and red[1] == red[2] == 0
    assert tuple(first[0, 0]) == tuple(np.round(255 * np.array([0.55, 0.65, 0.75])).astype(int))
    assert "image/eye" not in bench.run(20).images
    bench.set("colour/floor", (0.0, 1.0, 0.0, 1.0))
    seen = bench.run(20).images["image/eye"]
    assert seen[14, 0, 1] > 200 and seen[14, 0, 0] == 0


@pytest.mark.parametrize(
    "model", [falling, lambda: with_muscle(True), lambda: load_body({"library": "mouse-forelimb"})]
)
def test_save_and_restore_continue_bitwise(model: object) -> None:
    bench, other = Bench(model()), Bench(model())  # type: ignore[operator]
    random = np.random.default_rng(1)
    for name in (port.name for port in bench.info.controls):
        if name.startswith(("activation/", "wrench/")):
            bench.set(name, random.uniform(0, 0.5) * (1.0 if name.startswith("act") else 1e-3))
    for _ in range(6):
        bench.run(20)
    state = bench.engine.save()
    ahead = [bench.run(20) for _ in range(5)]
    for engine in (bench.engine, other.engine):
        engine.restore(state)
        present = engine.read()
        assert present.time == 120 * MS
        for number, expected in enumerate(ahead):
            reply = engine.advance(bench.controls, (140 + 20 * number) * MS)
            assert reply.sensors.tobytes() == expected.sensors.tobytes()
            assert reply.poses.tobytes() == expected.poses.tobytes()
            assert reply.images.keys() == expected.images.keys()
            assert all((reply.images[name] == expected.images[name]).all() for name in reply.images)
    bench.engine.reset()
    assert bench.engine.read().time == 0


def test_divergence_stops_and_says_where_and_when() -> None:
    bench = Bench(slider())
    bench.run(20)
    bench.set("effort/rail", 1e15)
    with pytest.raises(AnimatError, match=r"diverged between 20 ms and 40 ms of simulated time: .*joint rail"):
        bench.run(20)
    bench.engine.reset()
    bench.time = 0
    bench.set("effort/rail", 0.0)
    bench.run(20)
    assert bench.get("angle/rail") == 0.0


def test_bad_calls_are_refused_before_anything_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bench = Bench(with_muscle())
    for name, value in (("effort/rail", np.nan), ("activation/pull", np.inf), ("clamp/pull", np.inf)):
        controls = bench.info.rest()
        controls[next(port.offset for port in bench.info.controls if port.name == name)] = value
        with pytest.raises(AnimatError, match=f"control {name} is (nan|inf)"):
            bench.engine.advance(controls, 20 * MS)
    with pytest.raises(AnimatError, match="shape"):
        bench.engine.advance(np.zeros(3), 20 * MS)
    for until in (0, 20 * MS + 1):
        with pytest.raises(AnimatError, match="positive multiple"):
            bench.engine.advance(bench.info.rest(), until)
    assert bench.engine.read().time == 0
    with pytest.raises(AnimatError, match="not a saved state"):
        bench.engine.restore(b"nonsense")
    with pytest.raises(AnimatError, match="saved from 'slider'"):
        Bench(falling()).engine.restore(bench.engine.save())
    assert not list(tmp_path.iterdir())
    bench.engine.close()
    bench.engine.close()


def test_a_massless_link_fixed_to_a_moving_one_weighs_nothing() -> None:
    bare = slider()
    mount = Link(name="mount", position=(0.1, 0.0, 0.0), shapes=(ModelShape(kind="sphere", size=(0.01,)),))
    fixed = Joint(name="fixed", kind="fixed", parent="block", child="mount")
    bench = Bench(slider(links=(*bare.links, mount), joints=(*bare.joints, fixed)))
    bench.set("effort/rail", 2.0)
    bench.run(100)
    assert bench.get("velocity/rail") == pytest.approx(0.2, rel=1e-9)
