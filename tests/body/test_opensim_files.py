"""What an `.osim` file says is what runs: compared with OpenSim on its own, without animat."""

import math

import pytest

from animat.body import load_body, make_body_engine
from animat.body.conformance import check_body_engine
from animat.body.opensim.quiet import import_opensim
from animat.errors import AnimatError

pytest.importorskip("opensim")
osim = import_opensim()

STEP = 20_000_000
EXCITATION = 0.6
#: OpenSim reads it, but its Python module cannot make one.
SCHUTTE = "Schutte1993Muscle_Deprecated"


@pytest.fixture
def here():
    """Return an engine in this process."""
    engine = make_body_engine("opensim", {"process": False})
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


def rod(name="rod"):
    return osim.Body(name, 0.5, osim.Vec3(0, -0.15, 0), osim.Inertia(0.004, 0.0001, 0.004, 0, 0, 0))


def hinge(model, body, name="elbow"):
    zero = osim.Vec3(0)
    joint = osim.PinJoint(f"{name}_joint", model.getGround(), zero, zero, body, zero, zero)
    joint.updCoordinate().setName(name)
    return joint


def muscle(kind, model, body):
    """Return a muscle that pulls across the elbow, with an angle of pennation that every kind can have."""
    made = osim.Thelen2003Muscle() if kind == SCHUTTE else getattr(osim, kind)()
    made.setName("flexor")
    made.setMaxIsometricForce(200.0)
    made.setOptimalFiberLength(0.1)
    made.setTendonSlackLength(0.02)
    made.setPennationAngleAtOptimalFiberLength(0.1)
    made.addNewPathPoint("origin", model.getGround(), osim.Vec3(0.02, 0.08, 0))
    made.addNewPathPoint("insertion", body, osim.Vec3(0.02, -0.05, 0))
    return made


def written(model, tmp_path):
    model.finalizeConnections()
    path = tmp_path / f"{model.getName()}.osim"
    assert model.printToXML(str(path))
    return path


def arm(tmp_path, kind="Millard2012EquilibriumMuscle", **options):
    """Return an .osim file: a rod on a hinge, held by a muscle of some kind."""
    model = osim.Model()
    model.setName("arm")
    body = rod()
    model.addBody(body)
    model.addJoint(hinge(model, body))
    made = muscle(kind, model, body)
    for name, value in options.items():
        getattr(made, f"set_{name}")(value)
    model.addForce(made)
    path = written(model, tmp_path)
    if kind == SCHUTTE:
        curves = "".join(
            f"<{name}><PiecewiseLinearFunction><x>{x}</x><y>{y}</y></PiecewiseLinearFunction></{name}>"
            for name, x, y in (
                ("tendon_force_length_curve", "-10 0 0.033 10", "0 0 1 303"),
                ("active_force_length_curve", "-10 0.5 1 1.5 10", "0 0 1 0 0"),
                ("passive_force_length_curve", "-10 1 1.6 10", "0 0 1 15"),
            )
        )
        text = path.read_text().replace("Thelen2003Muscle", SCHUTTE).replace(f"</{SCHUTTE}>", f"{curves}</{SCHUTTE}>")
        path.write_text(text)
    return path


def alone(path, seconds, excitation):
    """Return length, speed, force and activation of the flexor and the elbow's angle that OpenSim itself arrives at."""
    model = osim.Model(str(path))
    controller = osim.PrescribedController()
    controller.addActuator(model.getMuscles().get(0))
    controller.prescribeControlForActuator("flexor", osim.Constant(excitation))
    model.addController(controller)
    state = model.initSystem()
    model.equilibrateMuscles(state)
    manager = osim.Manager(model)
    manager.setIntegratorAccuracy(1e-5)
    manager.initialize(state)
    state = manager.integrate(seconds)
    model.realizeDynamics(state)
    flexor = model.getMuscles().get(0)
    found = {
        "length/flexor": flexor.getLength(state),
        "speed/flexor": flexor.getLengtheningSpeed(state),
        "force/flexor": flexor.getActuation(state),
        "activation/flexor": flexor.getActivation(state),
        "angle/elbow": model.getCoordinateSet().get("elbow").getValue(state),
    }
    return found


KINDS = (
    "Millard2012EquilibriumMuscle",
    "Thelen2003Muscle",
    "DeGrooteFregly2016Muscle",
    "RigidTendonMuscle",
    "Millard2012AccelerationMuscle",
    SCHUTTE,
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_files_muscles_run_as_opensim_runs_them(kind, tmp_path, here):
    """Within 1e-4 relative, ten times the integrator's accuracy."""
    path = arm(tmp_path, kind)
    info = here.load(load_body(path))
    reply = here.advance(told(info, activation__flexor=EXCITATION), STEP)
    for name, value in alone(path, 0.02, EXCITATION).items():
        assert sensed(info, reply, name) == pytest.approx(value, rel=1e-4), name


@pytest.mark.parametrize("kind", ["Millard2012EquilibriumMuscle", "Thelen2003Muscle"])
def test_a_files_muscle_is_activated_as_published(kind, tmp_path, here):
    """dt = tau (0.5 + 1.5 a) / (1 - a) da while excited by 1, hence t(a) in closed form; a to 1e-3 after 5 ms."""
    info = here.load(load_body(arm(tmp_path, kind)))
    before = sensed(info, here.read(), "activation/flexor")
    reply = here.advance(told(info, activation__flexor=1.0), 5_000_000)
    after = sensed(info, reply, "activation/flexor")
    tau = {"Millard2012EquilibriumMuscle": 0.010, "Thelen2003Muscle": 0.015}[kind]
    seconds = tau * (2 * math.log((1 - before) / (1 - after)) - 1.5 * (after - before))
    assert before == pytest.approx(0.05)
    assert seconds == pytest.approx(0.005, rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_keeps_every_promise_of_the_protocol(kind, tmp_path):
    check_body_engine(lambda: make_body_engine("opensim", {"process": False}), load_body(arm(tmp_path, kind)))


def test_activation_dynamics_and_tendon_of_a_file_can_be_chosen(tmp_path):
    path = arm(tmp_path)
    for dynamics, tendon, states in ((None, None, 2), (False, None, 1), (True, "rigid", 1), (False, "rigid", 0)):
        settings = {"process": False} | ({} if tendon is None else {"tendon": tendon})
        engine = make_body_engine("opensim", settings)
        body = {"file": str(path)} | ({} if dynamics is None else {"activation_dynamics": dynamics})
        info = engine.load(load_body(body))
        assert engine._state.getNZ() == states
        reply = engine.advance(told(info, activation__flexor=1.0), 5_000_000)
        assert (sensed(info, reply, "activation/flexor") == 1.0) == (dynamics is False)
        engine.close()


@pytest.mark.parametrize(
    ("kind", "options", "body", "settings", "words"),
    [
        ("Thelen2003Muscle", {}, {"activation_dynamics": False}, {}, "`activation_dynamics: false` is impossible"),
        ("Thelen2003Muscle", {}, {}, {"tendon": "rigid"}, "`tendon: rigid` is impossible"),
        ("RigidTendonMuscle", {}, {"activation_dynamics": True}, {}, "does not act on muscle 'flexor'"),
        ("RigidTendonMuscle", {}, {}, {"tendon": "compliant"}, "does not act on muscle 'flexor'"),
        ("Millard2012EquilibriumMuscle", {}, {}, {"limit_damping": 0.1}, "`limit_damping` does not act"),
        ("Millard2012EquilibriumMuscle", {}, {"timestep": "1 ms"}, {}, "`timestep` does not act"),
        ("Millard2012EquilibriumMuscle", {}, {"eyes": {"left": {}}}, {}, "`eyes` does not act"),
    ],
)
def test_what_cannot_act_on_a_file_is_refused_by_name(kind, options, body, settings, words, tmp_path):
    engine = make_body_engine("opensim", {"process": False, **settings})
    with pytest.raises(AnimatError, match=words):
        engine.load(load_body({"file": str(arm(tmp_path, kind, **options)), **body}))


@pytest.mark.parametrize("section", ["links", "joints", "drives", "contacts", "rangefinders"])
def test_parts_that_a_file_cannot_take_are_refused_by_name(section, tmp_path, here):
    arm(tmp_path)
    parts = {
        "links": "{extra: {mass: 1}}",
        "joints": "{extra: {kind: free, child: rod}}",
        "drives": "{extra: {link: rod}}",
        "contacts": "{extra: {on: rod}}",
        "rangefinders": "{extra: {link: rod}}",
    }
    (tmp_path / "body.yaml").write_text(f"file: arm.osim\n{section}: {parts[section]}\n")
    with pytest.raises(AnimatError, match=section):
        here.load(load_body(tmp_path))


@pytest.mark.parametrize("where", ["model", "body.yaml"])
def test_gravity_of_a_file_can_be_replaced(where, tmp_path, here):
    """A level rod falls by its weight's moment over its inertia; not without gravity, nor with one along it."""
    model = osim.Model()
    model.setName("arm")
    body = rod()
    model.addBody(body)
    joint = hinge(model, body)
    joint.updCoordinate().setDefaultValue(math.pi / 2)
    model.addJoint(joint)
    path = written(model, tmp_path)
    per_pull = 0.5 * 0.15 / (0.004 + 0.5 * 0.15**2)
    for gravity, pull in ((None, -9.80665), ([0, 0, 0], 0.0), ([0, 9.81, 0], 9.81), ([9.81, 0, 0], 0.0)):
        entry = {} if gravity is None else {"gravity": gravity}
        if where == "model":
            spec = {"file": str(path), **entry}
        else:
            lines = "" if gravity is None else f"gravity: {gravity}\n"
            (tmp_path / "body.yaml").write_text(f"file: arm.osim\n{lines}")
            spec = {"file": str(tmp_path)}
        info = here.load(load_body(spec))
        reply = here.advance(info.rest(), STEP)
        assert sensed(info, reply, "velocity/elbow") == pytest.approx(0.02 * per_pull * pull, rel=0.01, abs=0.01)


def test_components_outside_the_sets_are_ports_too(tmp_path, here):
    """One model with its parts in the sets and one with the same parts outside move alike, to the integrator's 1e-5."""
    replies = []
    for outside in (False, True):
        model = osim.Model()
        model.setName("outside" if outside else "inside")
        body = rod()
        joint = hinge(model, body)
        flexor = muscle("Millard2012EquilibriumMuscle", model, body)
        motor = osim.CoordinateActuator("elbow")
        motor.setName("helper")
        parts = ((model.addBody, body), (model.addJoint, joint), (model.addForce, flexor), (model.addForce, motor))
        for add, part in parts:
            (model.addComponent if outside else add)(part)
        info = here.load(load_body(written(model, tmp_path)))
        assert (info.links, info.joints, info.muscles) == (("world", "rod"), ("elbow",), ("flexor",))
        assert [info.links[shape.link] for shape in info.scene.shapes] == ["rod"]
        controls = told(info, activation__flexor=0.3, actuator__helper=0.2, effort__elbow=-0.05, wrench__rod=0.1)
        replies.append(here.advance(controls, STEP))
    assert replies[0].sensors == pytest.approx(replies[1].sensors, rel=1e-4, abs=1e-6)
    assert abs(sensed(info, replies[0], "angle/elbow")) > 1e-3


def test_parts_that_share_a_name_are_told_apart_by_path(tmp_path, here):
    model = osim.Model()
    model.setName("twins")
    for name in ("left", "right"):
        body = rod(name)
        model.addBody(body)
        joint = hinge(model, body)
        joint.setName(name)
        model.addJoint(joint)
    info = here.load(load_body(written(model, tmp_path)))
    assert info.joints == ("jointset.left.elbow", "jointset.right.elbow")
    reply = here.advance(told(info, **{"effort__jointset.right.elbow": 0.1}), STEP)
    left, right = (sensed(info, reply, f"angle/{name}") for name in info.joints)
    assert abs(right) > 1e-4 > 1e-9 > abs(left)


def test_joints_of_a_file_may_form_a_loop(tmp_path, here):
    """OpenSim splits a body of the loop and welds it; what it adds is no part of the file."""
    model = osim.Model()
    model.setName("loop")
    bodies = [rod("left"), rod("right")]
    for body in bodies:
        model.addBody(body)
    zero, end = osim.Vec3(0), osim.Vec3(0, -0.3, 0)
    places = (
        ("tip", bodies[1], end, bodies[0], end),
        ("knee", bodies[0], zero, bodies[1], zero),
        ("hip", model.getGround(), zero, bodies[0], zero),
    )
    for name, parent, on_parent, child, on_child in places:
        joint = osim.PinJoint(f"{name}_joint", parent, on_parent, zero, child, on_child, zero)
        joint.updCoordinate().setName(name)
        model.addJoint(joint)
    written(model, tmp_path)
    (tmp_path / "body.yaml").write_text(
        "file: loop.osim\n"
        "closures: {tie: {first: left, first_point: [0, -0.1, 0], second: world, second_point: [0, -0.1, 0]}}\n"
    )
    info = here.load(load_body(tmp_path))
    assert info.links == ("world", "left", "right")
    reply = here.advance(told(info, effort__hip=0.1), STEP)
    place = next(port.offset for port in info.sensors if port.name == "closure/tie")
    assert reply.sensors[place] == pytest.approx(-0.1 / 0.1, rel=0.01)


def test_a_file_without_bodies_is_a_body_without_parts(tmp_path, here):
    model = osim.Model()
    model.setName("empty")
    info = here.load(load_body(written(model, tmp_path)))
    assert info.links == ("world",)
    assert here.advance(info.rest(), STEP).time == STEP


def test_a_files_own_controller_acts_and_commands_add_to_it(tmp_path, here):
    model = osim.Model()
    model.setName("arm")
    body = rod()
    model.addBody(body)
    model.addJoint(hinge(model, body))
    motor = osim.CoordinateActuator("elbow")
    motor.setName("helper")
    model.addForce(motor)
    controller = osim.PrescribedController()
    controller.addActuator(motor)
    controller.prescribeControlForActuator("helper", osim.Constant(0.1))
    model.addController(controller)
    info = here.load(load_body({"file": str(written(model, tmp_path)), "gravity": [0, 0, 0]}))
    speeds = []
    for command in (0.0, 0.1, -0.1):
        here.reset()
        reply = here.advance(told(info, actuator__helper=command), STEP)
        speeds.append(sensed(info, reply, "velocity/elbow"))
    inertia = 0.004 + 0.5 * 0.15**2
    assert speeds == pytest.approx([0.02 * 0.1 / inertia, 0.02 * 0.2 / inertia, 0.0], rel=1e-3, abs=1e-9)


def test_units_and_shapes_of_ports_follow_the_files_parts(tmp_path, here):
    model = osim.Model()
    model.setName("cart")
    body = rod("cart")
    model.addBody(body)
    rail = osim.SliderJoint("rail_joint", model.getGround(), body)
    rail.updCoordinate().setName("rail")
    model.addJoint(rail)
    bob = rod("bob")
    model.addBody(bob)
    pin = osim.PinJoint("pin_joint", body, bob)
    pin.updCoordinate().setName("pin")
    model.addJoint(pin)
    thruster = osim.BodyActuator(body)
    thruster.setName("thruster")
    model.addForce(thruster)
    info = here.load(load_body({"file": str(written(model, tmp_path)), "gravity": [0, 0, 0]}))
    ports = {port.name: port for port in (*info.controls, *info.sensors)}
    units = {"effort/rail": "N", "angle/rail": "m", "velocity/rail": "m/s"}
    units |= {"effort/pin": "N m", "angle/pin": "rad", "velocity/pin": "rad/s"}
    assert {name: ports[name].unit for name in units} == units
    assert ports["actuator/thruster"].shape == (6,)
    reply = here.advance(told(info, actuator__thruster=[0, 0, 0, 1.0, 0, 0]), STEP)
    about_pin = 0.004 + 0.5 * 0.15**2
    assert sensed(info, reply, "velocity/rail") == pytest.approx(0.02 / (0.5 + 0.5 * 0.004 / about_pin), rel=1e-3)


def test_parts_can_be_added_to_a_file(tmp_path, here):
    arm(tmp_path)
    (tmp_path / "body.yaml").write_text(
        """
file: arm.osim
gravity: [0, 0, 0]
muscles:
  extensor:
    path: [{link: world, position: [-0.02, 0.08, 0]}, {link: rod, position: [-0.02, -0.05, 0]}]
    max_isometric_force: 200 N
    optimal_fibre_length: 0.1 m
    tendon_slack_length: 0.02 m
actuators: {motor: {joint: elbow, gain: 2}}
objects: {target: {position: [1, 0, 0], shapes: [{kind: sphere, size: [0.01]}]}}
magnets: {pull: {link: rod, point: [0, -0.3, 0], home: [0.3, -0.3, 0], reach: 1.0}}
"""
    )
    info = here.load(load_body(tmp_path))
    assert info.muscles == ("flexor", "extensor")
    assert info.links == ("world", "rod", "target")
    assert [info.links[shape.link] for shape in info.scene.shapes] == ["rod", "target"]
    speeds = {}
    for name, value in (("activation/extensor", 1.0), ("actuator/motor", 0.5), ("magnet/pull", 5.0)):
        here.reset()
        moved = here.advance(told(info, **{name: value}), STEP)
        here.reset()
        speeds[name] = sensed(info, moved, "velocity/elbow") - sensed(
            info, here.advance(info.rest(), STEP), "velocity/elbow"
        )
        if name == "activation/extensor":
            assert sensed(info, moved, "activation/extensor") == 1.0
    assert speeds["activation/extensor"] < -0.1 < 0.1 < min(speeds["actuator/motor"], speeds["magnet/pull"])


def test_a_closure_on_a_file_carries_the_weight(tmp_path, here):
    """A level rod that turns about z hangs with its middle, where its mass is, from a point of the ground."""
    model = osim.Model()
    model.setName("arm")
    body = rod()
    model.addBody(body)
    joint = hinge(model, body)
    joint.updCoordinate().setDefaultValue(math.pi / 2)
    model.addJoint(joint)
    written(model, tmp_path)
    (tmp_path / "body.yaml").write_text(
        "file: arm.osim\n"
        "closures: {tie: {first: rod, first_point: [0, -0.15, 0], second: world, second_point: [0.15, 0, 0]}}\n"
    )
    info = here.load(load_body(tmp_path))
    reply = here.advance(info.rest(), STEP)
    place = next(port.offset for port in info.sensors if port.name == "closure/tie")
    assert reply.sensors[place + 1] == pytest.approx(0.5 * 9.80665, rel=1e-3)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ("actuators: {motor: {joint: knee}}", "'knee'.*elbow"),
        ("actuators: {flexor: {joint: elbow}}", "'flexor' is already the name"),
        ("actuators: {servo: {joint: elbow, kind: position}}", "no position actuators such as 'servo'"),
        ("magnets: {pull: {link: hand, home: [0, 0, 0]}}", "'hand'.*rod"),
        ("closures: {tie: {first: hand, second: world}}", "'hand'.*rod"),
        (
            "muscles: {m: {path: [{link: hand, position: [0, 0, 0]}, {link: rod, position: [0, 0, 0]}], "
            "max_isometric_force: 1, optimal_fibre_length: 1, tendon_slack_length: 1}}",
            "'hand'.*rod",
        ),
        ("objects: {rod: {}}", "'rod' is already the name of a body"),
    ],
)
def test_what_added_parts_name_must_be_in_the_file(parts, words, tmp_path, here):
    arm(tmp_path)
    (tmp_path / "body.yaml").write_text(f"file: arm.osim\n{parts}\n")
    with pytest.raises(AnimatError, match=words):
        here.load(load_body(tmp_path))


def test_a_muscle_without_equilibrium_is_named(tmp_path, here):
    path = arm(tmp_path, "DeGrooteFregly2016Muscle", tendon_slack_length=0.3)
    with pytest.raises(AnimatError, match=r"muscle 'flexor' \(DeGrooteFregly2016Muscle\) find no equilibrium"):
        here.load(load_body(path))


def test_a_component_that_opensim_does_not_have_is_named(tmp_path, here):
    path = arm(tmp_path, "Thelen2003Muscle")
    path.write_text(path.read_text().replace("Thelen2003Muscle", "PistonActuator"))
    with pytest.raises(AnimatError, match="it needs PistonActuator, which OpenSim") as caught:
        here.load(load_body(path))
    assert caught.value.file == str(path)
