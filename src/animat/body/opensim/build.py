"""From a body model to an OpenSim model: described bodies are built, `.osim` files read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.body.model import EARTH, BodyModel, Closure, Joint, Link, Muscle
from animat.body.opensim.quiet import import_opensim
from animat.body.pose import matrix, relative, rotate
from animat.errors import AnimatError

__all__ = ["Built", "Limits", "build"]


@dataclass(frozen=True)
class Limits:
    """What holds a joint within its limits: N m/rad, N m s/rad, and the rad over which they set in.

    The same numbers count in N/m, N s/m and m for slides.
    """

    stiffness: float
    damping: float
    transition: float


@dataclass
class Built:
    """An OpenSim model, not yet initialised, and its parts in the order of the ports."""

    model: Any
    #: Bodies, ground first.
    bodies: list[Any]
    muscles: list[Any]
    #: Coordinates with the port effort/NAME, and their constant functions.
    coordinates: list[Any]
    excitations: list[Any] = field(default_factory=list)
    efforts: list[Any] = field(default_factory=list)
    #: Actuators with the port actuator/NAME, and their constant functions.
    actuators: list[Any] = field(default_factory=list)
    commands: list[Any] = field(default_factory=list)
    #: By link: the force, and its six constant functions.
    wrenches: dict[str, tuple[Any, list[Any]]] = field(default_factory=dict)
    #: Constraints with the port closure/NAME, each with the body in whose axes OpenSim tells its force.
    closures: list[tuple[Any, Any]] = field(default_factory=list)
    #: Each magnet's force and its three constant functions.
    magnets: list[tuple[Any, list[Any]]] = field(default_factory=list)
    #: The state at the reference pose.
    state: Any = None


def build(model: BodyModel, tendon: str, limits: Limits) -> Built:
    """Return the OpenSim model of `model`.

    Raises
    ------
    AnimatError
        If a part has no counterpart in OpenSim or a file cannot be read.
    """
    built = _read(model) if model.source is not None else _new(model, limits)
    for muscle in built.muscles:
        muscle.set_ignore_activation_dynamics(not model.activation_dynamics)
        if tendon == "rigid":
            muscle.set_ignore_tendon_compliance(True)
    controller = _controls(built)
    wrenches = _wrenches(built)
    magnets = _magnets(built, model)
    built.state = built.model.initSystem()
    _take_constants(built, controller, wrenches, magnets)
    return built


def _read(model: BodyModel) -> Built:
    osim = import_opensim()
    source = model.source
    assert source is not None
    if source.kind != "osim":
        raise AnimatError(
            f"OpenSim reads .osim files only, not {source.kind.upper()}; write `engine: mujoco`", file=source.path
        )
    try:
        opened = osim.Model(source.path)
        opened.finalizeConnections()
    except (RuntimeError, OSError) as error:
        raise AnimatError(f"OpenSim cannot read this file: {_short(error)}", file=source.path) from None
    state = opened.initSystem()
    bodies = opened.getBodySet()
    muscles = opened.getMuscles()
    coordinates = [opened.getCoordinateSet().get(i) for i in range(opened.getCoordinateSet().getSize())]
    actuators = opened.getActuators()
    free = [item for item in coordinates if not (item.isConstrained(state) or item.getDefaultLocked())]
    others = []
    for number in range(actuators.getSize()):
        motor = osim.ScalarActuator.safeDownCast(actuators.get(number))
        if motor is not None and osim.Muscle.safeDownCast(motor) is None:
            others.append(motor)
    return Built(
        opened,
        [opened.getGround(), *(bodies.get(i) for i in range(bodies.getSize()))],
        [muscles.get(i) for i in range(muscles.getSize())],
        free,
        actuators=others,
    )


def _new(model: BodyModel, limits: Limits) -> Built:
    osim = import_opensim()
    for name, parts in (("drives", model.drives), ("actuators", [a for a in model.actuators if a.kind != "motor"])):
        if parts:
            raise AnimatError(
                f"the OpenSim engine has no {name} such as {parts[0].name!r}: it knows muscles, motors, efforts and "
                "wrenches; write `engine: mujoco`"
            )
    opened = osim.Model()
    opened.setName(model.name)
    opened.setGravity(osim.Vec3(*(model.gravity or EARTH)))
    links = {link.name: link for link in model.links}
    bodies = {"world": opened.getGround()}
    for link in model.links:
        body = osim.Body(link.name, link.mass, osim.Vec3(*link.centre), osim.Inertia(*link.inertia))
        bodies[link.name] = body
        opened.addBody(body)
    coordinates = {}
    for joint in model.joints:
        added = _joint(joint, links, bodies)
        opened.addJoint(added)
        if joint.kind in ("revolute", "slide"):
            coordinate = added.updCoordinate()
            coordinate.setName(joint.name)
            coordinate.setDefaultValue(0.0)
            coordinates[joint.name] = coordinate
            _restrain(opened, joint, limits)
    closures = []
    for closure in model.closures:
        first, second = bodies[closure.first], bodies[closure.second]
        tie = osim.PointConstraint(first, osim.Vec3(*closure.first_point), second, osim.Vec3(*closure.second_point))
        tie.setName(closure.name)
        opened.addConstraint(tie)
        closures.append((tie, bodies[_common(model, closure)]))
    muscles = [_muscle(muscle, links, bodies) for muscle in model.muscles]
    for muscle in muscles:
        opened.addForce(muscle)
    built = Built(opened, list(bodies.values()), muscles, list(coordinates.values()), closures=closures)
    for actuator in model.actuators:
        motor = osim.CoordinateActuator(actuator.joint)
        motor.setName(actuator.name)
        motor.setOptimalForce(actuator.gain)
        most = (
            math.inf if actuator.max_effort is None or not actuator.gain else abs(actuator.max_effort / actuator.gain)
        )
        motor.setMinControl(max(actuator.low, -most))
        motor.setMaxControl(min(actuator.high, most))
        opened.addForce(motor)
        built.actuators.append(motor)
    return built


def _joint(joint: Joint, links: dict[str, Link], bodies: dict[str, Any]) -> Any:
    osim = import_opensim()
    child = links[joint.child]
    parent = links.get(joint.parent, Link(name="world"))
    position, turned = relative((parent.position, parent.quaternion), (child.position, child.quaternion))
    turn = _turn(joint)
    place = np.add(position, rotate(turned, joint.anchor))
    arguments = (
        joint.name,
        bodies[joint.parent],
        osim.Vec3(*map(float, place)),
        osim.Vec3(*_euler(matrix(turned) @ turn)),
        bodies[joint.child],
        osim.Vec3(*joint.anchor),
        osim.Vec3(*_euler(turn)),
    )
    kinds = {
        "revolute": osim.PinJoint,
        "slide": osim.SliderJoint,
        "ball": osim.BallJoint,
        "fixed": osim.WeldJoint,
        "free": osim.FreeJoint,
    }
    return kinds[joint.kind](*arguments)


def _common(model: BodyModel, closure: Closure) -> str:
    """Return the nearest link (or "world") from which both links of a closure hang, or which is one of them."""
    parents = {joint.child: joint.parent for joint in model.joints}
    above = [closure.first]
    while above[-1] in parents:
        above.append(parents[above[-1]])
    name = closure.second
    while name not in above:
        name = parents[name]
    return name


def _turn(joint: Joint) -> NDArray[np.float64]:
    """Return the rotation that lays OpenSim's own axis (z of a pin, x of a slider) along the joint's axis."""
    if joint.kind not in ("revolute", "slide"):
        return np.eye(3)
    axis = np.asarray(joint.axis, float) / np.linalg.norm(joint.axis)
    other = np.eye(3)[int(np.argmin(np.abs(axis)))]
    second = np.cross(axis, other)
    second /= np.linalg.norm(second)
    third = np.cross(axis, second)
    columns = (axis, second, third) if joint.kind == "slide" else (second, third, axis)
    return np.column_stack(columns)


def _euler(rotation: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return body-fixed x, y, z angles of a rotation matrix; x takes all where y is a right angle."""
    cosine = math.hypot(rotation[0, 0], rotation[0, 1])
    y = math.atan2(rotation[0, 2], cosine)
    if cosine < 1e-9:
        return math.atan2(rotation[2, 1], rotation[1, 1]), y, 0.0
    return math.atan2(-rotation[1, 2], rotation[2, 2]), y, math.atan2(-rotation[0, 1], rotation[0, 0])


def _restrain(opened: Any, joint: Joint, limits: Limits) -> None:
    osim = import_opensim()
    if joint.damping or joint.stiffness:
        spring = osim.SpringGeneralizedForce(joint.name)
        spring.setName(f"{joint.name}_spring")
        spring.setStiffness(joint.stiffness)
        spring.setRestLength(0.0)
        spring.setViscosity(joint.damping)
        opened.addForce(spring)
    if joint.limits is not None:
        unit = math.degrees(1.0) if joint.kind == "revolute" else 1.0
        low, high = (bound * unit for bound in joint.limits)
        stiffness, damping, transition = limits.stiffness / unit, limits.damping / unit, limits.transition * unit
        stop = osim.CoordinateLimitForce(joint.name, high, stiffness, low, stiffness, damping, transition)
        stop.setName(f"{joint.name}_limits")
        opened.addForce(stop)


def _muscle(muscle: Muscle, links: dict[str, Link], bodies: dict[str, Any]) -> Any:
    osim = import_opensim()
    added = osim.Millard2012EquilibriumMuscle(
        muscle.name,
        muscle.max_isometric_force,
        muscle.optimal_fibre_length,
        muscle.tendon_slack_length,
        muscle.pennation,
    )
    added.set_max_contraction_velocity(muscle.max_speed)
    added.set_fiber_damping(muscle.fibre_damping)
    added.set_minimum_activation(muscle.min_activation)
    added.set_default_activation(muscle.min_activation)
    added.set_activation_time_constant(muscle.activation_time)
    added.set_deactivation_time_constant(muscle.deactivation_time)
    added.set_default_fiber_length(_fibre_length(muscle, links))
    for number, point in enumerate(muscle.path):
        added.addNewPathPoint(f"{muscle.name}_{number}", bodies[point.link], osim.Vec3(*point.position))
    return added


def _fibre_length(muscle: Muscle, links: dict[str, Link]) -> float:
    """Return the fibre's length (m) at the reference pose with a slack tendon, from where equilibrium is sought."""
    world = Link(name="world")
    points = []
    for point in muscle.path:
        link = links.get(point.link, world)
        points.append(np.add(link.position, rotate(link.quaternion, point.position)))
    path = sum(float(np.linalg.norm(after - before)) for before, after in pairwise(points))
    height = muscle.optimal_fibre_length * math.sin(muscle.pennation)
    length = math.hypot(max(path - muscle.tendon_slack_length, 0.0), height)
    return max(length, 0.5 * muscle.optimal_fibre_length)


def _controls(built: Built) -> Any:
    """Add effort actuators, and one controller whose constant functions are the commands."""
    osim = import_opensim()
    motors = []
    for coordinate in built.coordinates:
        motor = osim.CoordinateActuator(coordinate.getName())
        motor.setName(f"{coordinate.getName()}_effort")
        motor.setOptimalForce(1.0)
        built.model.addForce(motor)
        motors.append(motor)
    controller = osim.PrescribedController()
    controller.setName("commands")
    driven: Sequence[Any] = [*built.muscles, *motors, *built.actuators]
    for part in driven:
        controller.addActuator(part)
    for part in driven:
        controller.prescribeControlForActuator(part.getName(), osim.Constant(0.0))
    built.model.addController(controller)
    return controller


def _wrenches(built: Built) -> dict[str, Any]:
    forces = {}
    for body in built.bodies[1:]:
        centre = body.getMassCenter()
        forces[body.getName()] = _force(built, f"{body.getName()}_wrench", body, [centre.get(i) for i in range(3)])
    return forces


def _magnets(built: Built, model: BodyModel) -> list[Any]:
    by_name = {body.getName(): body for body in built.bodies}
    return [_force(built, f"{magnet.name}_magnet", by_name[magnet.link], magnet.point) for magnet in model.magnets]


def _force(built: Built, name: str, body: Any, point: Sequence[float]) -> Any:
    """Add a force and torque of constant functions, in the world's axes, at a point of `body`; switched off."""
    osim = import_opensim()
    force = osim.PrescribedForce(name, body)
    force.setForceIsInGlobalFrame(True)
    force.setPointIsInGlobalFrame(False)
    force.setPointFunctions(*(osim.Constant(value) for value in point))
    force.setForceFunctions(*(osim.Constant(0.0) for _ in range(3)))
    force.setTorqueFunctions(*(osim.Constant(0.0) for _ in range(3)))
    force.set_appliesForce(False)
    built.model.addForce(force)
    return force


def _take_constants(built: Built, controller: Any, wrenches: dict[str, Any], magnets: list[Any]) -> None:
    """Find the constant functions that count: OpenSim copied those it was given."""
    commands = _constants(controller.get_ControlFunctions())
    muscles, efforts = len(built.muscles), len(built.coordinates)
    built.excitations = commands[:muscles]
    built.efforts = commands[muscles : muscles + efforts]
    built.commands = commands[muscles + efforts :]
    for link, force in wrenches.items():
        built.wrenches[link] = force, _constants(force.get_forceFunctions()) + _constants(force.get_torqueFunctions())
    built.magnets = [(force, _constants(force.get_forceFunctions())) for force in magnets]


def _constants(functions: Any) -> list[Any]:
    osim = import_opensim()
    return [osim.Constant.safeDownCast(functions.get(number)) for number in range(functions.getSize())]


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:500]
