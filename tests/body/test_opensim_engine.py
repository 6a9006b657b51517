import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from animat.body import load_body, make_body_engine
from animat.body.model import BodyModel, Closure, Joint, Link
from animat.body.opensim.quiet import import_opensim
from animat.errors import AnimatError
from animat.link import WorkerDied, WorkerHung

pytest.importorskip("opensim")
osim = import_opensim()

STEP = 20_000_000
FORELIMB = {"library": "mouse-forelimb"}


@pytest.fixture
def here():
    """Return an engine in this process."""
    engine = make_body_engine("opensim", {"process": False, "tendon": "rigid"})
    yield engine
    engine.close()


@pytest.fixture
def beside():
    """Return an engine in a process of its own."""
    engine = make_body_engine("opensim", {"tendon": "rigid"})
    yield engine
    engine.close()


def told(info, **values):
    vector = info.rest()
    places = {port.name: slice(port.offset, port.offset + port.size) for port in info.controls}
    for name, value in values.items():
        vector[places[name.replace("__", "/")]] = value
    return vector


def sensed(info, reply, name):
    return reply.sensors[next(port.offset for port in info.sensors if port.name == name)]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tendom": "rigid"}, "tendon"),
        ({"tendon": "stiff"}, "compliant, rigid"),
        ({"integrator": "rk-merson"}, "rk_merson"),
        ({"accuracy": 0}, "between 0 and 1"),
        ({"limit_stiffness": "1 N"}, "limit_stiffness"),
        ({"limit_transition": -1}, "positive"),
        ({"patience": "0 s"}, "patience must be positive"),
        ({"process": "no"}, "true or false"),
    ],
)
def test_a_wrong_setting_is_named(settings, words):
    with pytest.raises(AnimatError, match=words):
        make_body_engine("opensim", settings)


def test_a_setting_of_another_engine_is_refused():
    with pytest.raises(AnimatError, match="unknown setting of the engine mujoco 'tendon'"):
        make_body_engine("mujoco", {"tendon": "rigid"})


def test_without_opensim_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(AnimatError, match=r"pip install 'animat\[opensim\]'"):
        make_body_engine("opensim", {})


def test_a_broken_opensim_says_how_to_install_it(monkeypatch):
    import_opensim.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "opensim", None)
    with pytest.raises(AnimatError, match=r"pip install 'animat\[opensim\]'"):
        import_opensim()
    monkeypatch.undo()
    import_opensim.cache_clear()
    import_opensim()


BOTH_WAYS = """
import numpy as np
from animat.body import load_body, make_body_engine

model, replies = load_body({"library": "mouse-forelimb"}), []
for settings in ({"process": False}, {}):
    engine = make_body_engine("opensim", {**settings, "tendon": "rigid"})
    info = engine.load(model)
    controls = info.rest()
    controls[next(one.offset for one in info.controls if one.name == "activation/Humerus3")] = 0.7
    replies.append(engine.advance(controls, 20_000_000))
    engine.close()
for part in ("sensors", "poses", "paths"):
    assert np.array_equal(*(getattr(reply, part) for reply in replies)), part
"""


def test_both_ways_of_running_give_the_same():
    """In a fresh process: a NEST that was loaded before replaces functions that OpenSim calls, by ones that round
    otherwise."""
    done = subprocess.run([sys.executable, "-c", BOTH_WAYS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_excitation_is_followed_with_10_and_40_ms(here):
    info = here.load(load_body(FORELIMB | {"activation_dynamics": True}))
    reply = here.advance(told(info, activation__Humerus3=0.9), STEP)
    assert sensed(info, reply, "activation/Humerus3") == pytest.approx(0.73, abs=0.02)


def test_compliant_tendons_start_in_equilibrium():
    engine = make_body_engine("opensim", {"process": False})
    info = engine.load(load_body(FORELIMB))
    before = engine.read()
    reply = engine.advance(info.rest(), STEP)
    for name in info.muscles:
        assert sensed(info, before, f"force/{name}") == pytest.approx(sensed(info, reply, f"force/{name}"), rel=0.05)


def test_a_closure_carries_the_weight_in_the_worlds_axes(here):
    """A bob on an arm is tied to its mount, which is turned against the world, so that the arm cannot swing."""
    ball = {"mass": 0.1, "inertia": (1e-4, 1e-4, 1e-4, 0.0, 0.0, 0.0)}
    mount = Link(name="mount", quaternion=(0.5, 0.5, 0.5, 0.5), **ball)
    bob = Link(name="bob", position=(0.2, 0.0, 0.0), **ball)
    joints = (
        Joint(name="turning", kind="revolute", child="mount", limits=(-1e-3, 1e-3)),
        Joint(name="swinging", kind="revolute", parent="mount", child="bob", axis=(0.0, 1.0, 0.0), anchor=(-0.2, 0, 0)),
    )
    for first, second, weight in (("bob", "mount", 0.981), ("mount", "bob", -0.981)):
        points = {"bob": (0.0, 0.0, 0.0), "mount": (0.0, 0.0, 0.2)}
        closure = Closure(
            name="tie", first=first, second=second, first_point=points[first], second_point=points[second]
        )
        info = here.load(BodyModel(name="tied", links=(mount, bob), joints=joints, closures=(closure,)))
        reply = here.advance(told(info), STEP)
        place = next(port.offset for port in info.sensors if port.name == "closure/tie")
        assert reply.sensors[place + 2] == pytest.approx(weight, rel=1e-3)


def test_a_body_that_diverges_is_an_error_with_the_time(here, capfd):
    info = here.load(load_body(FORELIMB))
    with pytest.raises(AnimatError, match="20 ms"):
        here.advance(told(info, effort__radius_foot=1e9), STEP)
    here.reset()
    assert np.isfinite(here.advance(info.rest(), STEP).sensors).all()
    assert capfd.readouterr() == ("", "")


def test_an_integrator_that_stops_early_is_an_error(here, monkeypatch):
    class Halting(osim.Manager):
        def integrate(self, until):
            return super().integrate(until / 2)

    info = here.load(load_body(FORELIMB))
    monkeypatch.setattr(osim, "Manager", Halting)
    with pytest.raises(AnimatError, match="stopped at 10 ms"):
        here.advance(info.rest(), STEP)


def test_a_killed_worker_is_reported_at_once(beside):
    info = beside.load(load_body(FORELIMB))
    os.kill(beside.pid, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(WorkerDied, match=r"OpenSim's process of 'mouse-forelimb'.*SIGKILL"):
        beside.advance(info.rest(), STEP)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("call", ["advance", "save"])
def test_a_stopped_worker_is_killed_once_patience_is_over(call):
    engine = make_body_engine("opensim", {"tendon": "rigid", "patience": "1 s"})
    info = engine.load(load_body(FORELIMB))
    pid = engine.pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkerHung, match="OpenSim's process of 'mouse-forelimb' is lost"):
        engine.advance(info.rest(), STEP) if call == "advance" else engine.save()
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(WorkerHung, match="is lost"):
        engine.read()
    engine.close()


def test_a_model_that_takes_for_ever_to_build_is_given_up(tmp_path):
    """A fifo that nobody writes to: OpenSim waits for its text."""
    path = tmp_path / "endless.osim"
    path.write_text("<OpenSimDocument/>")
    model = load_body(path)
    path.unlink()
    os.mkfifo(path)
    engine = make_body_engine("opensim", {"patience": 0.2})
    with pytest.raises(WorkerHung, match="OpenSim's process of 'endless' is lost") as caught:
        engine.load(model)
    assert "`settings: {patience: ..}`" in str(caught.value)
    assert "File " not in str(caught.value)
    engine.close()


def test_what_opensim_cannot_run_is_refused(here):
    with pytest.raises(AnimatError, match="engine: mujoco"):
        here.load(load_body({"library": "husky"}))
    with pytest.raises(AnimatError, match="call load first"):
        here.read()


@pytest.fixture
def arm(tmp_path):
    """Return an .osim file: a rod on a hinge, held by a muscle, with a motor of its own."""
    model = osim.Model()
    model.setName("arm")
    rod = osim.Body("rod", 0.5, osim.Vec3(0, -0.15, 0), osim.Inertia(0.004, 0.0001, 0.004, 0, 0, 0))
    model.addBody(rod)
    zero = osim.Vec3(0)
    hinge = osim.PinJoint("elbow_joint", model.getGround(), zero, zero, rod, zero, zero)
    hinge.updCoordinate().setName("elbow")
    model.addJoint(hinge)
    muscle = osim.Millard2012EquilibriumMuscle("flexor", 200.0, 0.1, 0.02, 0.1)
    muscle.addNewPathPoint("origin", model.getGround(), osim.Vec3(0.02, 0.08, 0))
    muscle.addNewPathPoint("insertion", rod, osim.Vec3(0.02, -0.05, 0))
    model.addForce(muscle)
    motor = osim.CoordinateActuator("elbow")
    motor.setName("helper")
    model.addForce(motor)
    model.finalizeConnections()
    path = tmp_path / "arm.osim"
    assert model.printToXML(str(path))
    return path


def test_an_osim_file_is_a_body(arm, beside):
    info = beside.load(load_body({"file": str(arm)}))
    assert info.muscles == ("flexor",)
    assert info.joints == ("elbow",)
    assert info.links == ("world", "rod")
    names = {port.name for port in info.controls}
    assert {"activation/flexor", "actuator/helper", "effort/elbow", "wrench/rod"} <= names
    assert [info.links[shape.link] for shape in info.scene.shapes] == ["rod"]
    pulled = beside.advance(told(info, activation__flexor=1.0), STEP)
    beside.reset()
    relaxed = beside.advance(told(info), STEP)
    assert sensed(info, pulled, "force/flexor") > 10 * sensed(info, relaxed, "force/flexor")
    assert abs(sensed(info, pulled, "angle/elbow")) > 0.01 > abs(sensed(info, relaxed, "angle/elbow"))


@pytest.mark.parametrize("text", ["", "<OpenSimDocument>", "not xml at all"])
def test_a_malformed_osim_file_is_an_error_with_the_file(text, tmp_path, here, capfd):
    path = tmp_path / "broken.osim"
    path.write_text(text)
    with pytest.raises(AnimatError, match="OpenSim cannot read this file") as caught:
        here.load(load_body({"file": str(path)}))
    assert caught.value.file == str(path)
    assert capfd.readouterr() == ("", "")
