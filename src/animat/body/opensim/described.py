"""Parts of a body's description as components of an OpenSim model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.body.model import Actuator, BodyModel, Closure, Joint, Link, Muscle
from animat.body.opensim.quiet import import_opensim
from animat.body.opensim.settings import Limits
from animat.body.pose import matrix, relative, rotate
from animat.errors import AnimatError, unknown_name

__all__ = ["add_links", "add_parts"]

Bodies = Mapping[str, Any]


def add_links(opened: Any, model: BodyModel, limits: Limits) -> None:
    """Add links and joints, with their springs and limits."""
    osim = import_opensim()
    links = {link.name: link for link in model.links}
    bodies = {"world": opened.getGround()}
    for link in model.links:
        body = osim.Body(link.name, link.mass, osim.Vec3(*link.centre), osim.Inertia(*link.inertia))
        bodies[link.name] = body
        opened.addBody(body)
    for joint in model.joints:
        added = _joint(joint, links, bodies)
        opened.addJoint(added)
        if joint.kind in ("revolute", "slide"):
            coordinate = added.updCoordinate()
            coordinate.setName(joint.name)
            coordinate.setDefaultValue(0.0)
            _restrain(opened, joint, limits)


def add_parts(opened: Any, model: BodyModel, bodies: Bodies) -> None:
    """Add closures, muscles and motors to `bodies`, the model's links by name.

    Raises
    ------
    AnimatError
        If OpenSim has no such part, a part names a link or joint that is not there, or has a name that is taken.
    """
    taken = {component.getName() for component in opened.getComponentsList()}
    parts: tuple[Closure | Muscle | Actuator, ...] = (*model.closures, *model.muscles, *model.actuators)
    for part in parts:
        if model.source is not None and part.name in taken:
            raise AnimatError(f"{part.name!r} is already the name of a part of this file", file=model.source.path)
    for closure in model.closures:
        opened.addConstraint(_closure(closure, bodies))
    for muscle in model.muscles:
        opened.addForce(_muscle(muscle, model, bodies))
    joints = [opened.getCoordinateSet().get(i).getName() for i in range(opened.getCoordinateSet().getSize())]
    for actuator in model.actuators:
        if actuator.joint not in joints:
            raise unknown_name(f"joint of the actuator {actuator.name!r}:", actuator.joint, joints)
        opened.addForce(_motor(actuator))


def _body(bodies: Bodies, name: str, of: str) -> Any:
    if name not in bodies:
        raise unknown_name(f"link of {of!r}:", name, bodies)
    return bodies[name]


def _joint(joint: Joint, links: dict[str, Link], bodies: Bodies) -> Any:
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


def _closure(closure: Closure, bodies: Bodies) -> Any:
    osim = import_opensim()
    first, second = (_body(bodies, name, closure.name) for name in (closure.first, closure.second))
    tie = osim.PointConstraint(first, osim.Vec3(*closure.first_point), second, osim.Vec3(*closure.second_point))
    tie.setName(closure.name)
    return tie


def _muscle(muscle: Muscle, model: BodyModel, bodies: Bodies) -> Any:
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
    added.set_default_fiber_length(_fibre_length(muscle, model))
    for number, point in enumerate(muscle.path):
        body = _body(bodies, point.link, muscle.name)
        added.addNewPathPoint(f"{muscle.name}_{number}", body, osim.Vec3(*point.position))
    return added


def _fibre_length(muscle: Muscle, model: BodyModel) -> float:
    """Return the fibre's length (m) at the reference pose with a slack tendon, from where equilibrium is sought.

    On a file's bodies, whose poses are not known yet, the optimal one.
    """
    if model.source is not None:
        return muscle.optimal_fibre_length
    links, world = {link.name: link for link in model.links}, Link(name="world")
    points = []
    for point in muscle.path:
        link = links.get(point.link, world)
        points.append(np.add(link.position, rotate(link.quaternion, point.position)))
    path = sum(float(np.linalg.norm(after - before)) for before, after in pairwise(points))
    height = muscle.optimal_fibre_length * math.sin(muscle.pennation)
    length = math.hypot(max(path - muscle.tendon_slack_length, 0.0), height)
    return max(length, 0.5 * muscle.optimal_fibre_length)


def _motor(actuator: Actuator) -> Any:
    osim = import_opensim()
    if actuator.kind != "motor":
        raise AnimatError(
            f"the OpenSim engine has no {actuator.kind} actuators such as {actuator.name!r}: it knows motors; "
            "write `kind: motor` or `engine: mujoco`"
        )
    motor = osim.CoordinateActuator(actuator.joint)
    motor.setName(actuator.name)
    motor.setOptimalForce(actuator.gain)
    most = math.inf if actuator.max_effort is None or not actuator.gain else abs(actuator.max_effort / actuator.gain)
    motor.setMinControl(max(actuator.low, -most))
    motor.setMaxControl(min(actuator.high, most))
    return motor
