"""From a body model to a MuJoCo specification: a described body is built, a source file read, parts added to either."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from animat.body.model import EARTH, BodyModel, Link, ModelShape
from animat.body.mujoco.source import read_source
from animat.body.pose import compose, quaternion, relative
from animat.errors import unknown_name

__all__ = ["DEFAULT_TIMESTEP", "ENDLESS", "build_spec", "muscle_name"]

#: Ticks.
DEFAULT_TIMESTEP = 500_000

#: What MuJoCo's camera (which looks along -z, x to the right) is turned by to look along +x with z up.
_CAMERA_TURN = compose(quaternion((0.0, 0.0, -np.pi / 2)), quaternion((np.pi / 2, 0.0, 0.0)))

#: MuJoCo takes no infinity for a range.
ENDLESS = 1e10

#: Cameras leave out this group.
_HIDDEN = 4

_GEOMS = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
    "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "plane": mujoco.mjtGeom.mjGEOM_PLANE,
    "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
}
_JOINTS = {
    "revolute": mujoco.mjtJoint.mjJNT_HINGE,
    "slide": mujoco.mjtJoint.mjJNT_SLIDE,
    "ball": mujoco.mjtJoint.mjJNT_BALL,
    "free": mujoco.mjtJoint.mjJNT_FREE,
}


def muscle_name(name: str) -> str:
    """Return the name of the tendon and motor that carry a described muscle."""
    return f"muscle {name}"


def build_spec(model: BodyModel) -> tuple[Any, list[str]]:
    """Return the `mujoco.MjSpec` of a model, and remarks on what its file says.

    Raises
    ------
    AnimatError
        If a source file cannot be read, or a part names something that it does not hold.
    """
    spec, remarks = read_source(model) if model.source is not None else (_new(model), [])
    if model.timestep is not None:
        spec.option.timestep = model.timestep / 1e9
    spec.option.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    group = _enabled_group(spec)
    _closures(spec, model)
    _muscles(spec, model, group)
    _actuators(spec, model, group)
    _drives(spec, model, group)
    for item in model.objects:
        body = spec.worldbody.add_body(name=item.name, pos=item.position, quat=item.quaternion, mocap=True)
        _lay_frame(body)
        for shape in item.shapes:
            _shape(body, shape, item.collides)
    for finder in model.rangefinders:
        _body(spec, finder.link).add_site(
            group=_HIDDEN, name=f"range {finder.name}", pos=finder.position, quat=finder.quaternion
        )
    for magnet in model.magnets:
        _body(spec, magnet.link).add_site(group=_HIDDEN, name=f"magnet {magnet.name}", pos=magnet.point)
    for eye in model.eyes:
        if eye.camera is None:
            height = 2 * np.arctan(np.tan(eye.view / 2) * eye.height / eye.width)
            camera = _body(spec, eye.link).add_camera(name=f"eye {eye.name}", pos=eye.position)
            camera.quat = compose(eye.quaternion, _CAMERA_TURN)
            camera.fovy = np.degrees(height)
        elif spec.camera(eye.camera) is None:
            raise unknown_name("camera", eye.camera, (camera.name for camera in spec.cameras))
    spec.visual.global_.offwidth = max([eye.width for eye in model.eyes] + [spec.visual.global_.offwidth])
    spec.visual.global_.offheight = max([eye.height for eye in model.eyes] + [spec.visual.global_.offheight])
    return spec, remarks


def _enabled_group(spec: Any) -> int:
    """Return a group of actuators that a file does not switch off."""
    return next((group for group in range(31) if not spec.option.disableactuator >> group & 1), 0)


def _new(model: BodyModel) -> Any:
    spec = mujoco.MjSpec()
    spec.modelname = model.name
    spec.compiler.degree = False
    spec.compiler.autolimits = True
    spec.compiler.balanceinertia = False
    spec.option.gravity = model.gravity or EARTH
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    step = (model.timestep or DEFAULT_TIMESTEP) / 1e9
    spec.option.timestep = step
    light = spec.worldbody.add_light(name="light", pos=(0, 0, 3), dir=(0, 0, -1))
    light.type = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
    spec.visual.headlight.ambient = (0.4, 0.4, 0.4)
    spec.visual.quality.shadowsize = 0
    spec.visual.quality.offsamples = 0
    links = {link.name: link for link in model.links}
    children: dict[str, list[Any]] = {}
    for joint in model.joints:
        children.setdefault(joint.parent, []).append(joint)
    world = Link(name="world")

    def grow(parent: Link, body: Any) -> None:
        for joint in children.get(parent.name, []):
            link = links[joint.child]
            position, turned = relative((parent.position, parent.quaternion), (link.position, link.quaternion))
            child = body.add_body(name=link.name, pos=position, quat=turned)
            if link.mass:
                child.mass, child.ipos, child.fullinertia = link.mass, link.centre, link.inertia
                child.explicitinertial = True
            else:
                _lay_frame(child)
            if joint.kind != "fixed":
                _joint(child, joint, step)
            for shape in link.shapes:
                _shape(child, shape, link.collides)
            grow(link, child)

    grow(world, spec.worldbody)
    return spec


def _lay_frame(body: Any) -> None:
    """Give a massless body an inertial frame at its origin, about which MuJoCo 3.17 bounds what rays can meet."""
    body.mass, body.ipos, body.iquat, body.inertia = 0.0, (0, 0, 0), (1, 0, 0, 0), (0, 0, 0)
    body.explicitinertial = True


def _joint(body: Any, joint: Any, step: float) -> None:
    added = body.add_joint(name=joint.name, type=_JOINTS[joint.kind])
    if joint.kind == "free":
        return
    added.pos, added.axis = joint.anchor, joint.axis
    added.damping, added.stiffness = _per_dof(joint.damping), _per_dof(joint.stiffness)
    if joint.limits is not None:
        added.range = joint.limits
        added.solref_limit = (2 * step, 1.0)


def _per_dof(value: float) -> Any:
    """MuJoCo 4 takes polynomial coefficients where 3 took one number."""
    return value if _SCALAR_DAMPING else [value, *[0.0] * (_COEFFICIENTS - 1)]


_probe = mujoco.MjSpec().worldbody.add_joint().damping
_SCALAR_DAMPING = np.ndim(_probe) == 0
_COEFFICIENTS = np.size(_probe)


def _shape(body: Any, shape: ModelShape, collides: bool) -> None:
    size = [*shape.size, 1.0, 1.0][:3] if shape.kind == "plane" else [*shape.size, 0.0, 0.0][:3]
    geom = body.add_geom(
        type=_GEOMS[shape.kind], size=size, pos=shape.position, quat=shape.quaternion, rgba=shape.colour
    )
    geom.mass = 0.0
    geom.friction = (shape.friction, 0.005, 0.0001)
    if not collides:
        geom.contype = geom.conaffinity = 0


def _body(spec: Any, name: str) -> Any:
    body = spec.worldbody if name == "world" else spec.body(name)
    if body is None:
        raise unknown_name("link", name, (body.name for body in spec.bodies))
    return body


def _closures(spec: Any, model: BodyModel) -> None:
    for closure in model.closures:
        tie = spec.add_equality(name=closure.name, type=mujoco.mjtEq.mjEQ_CONNECT)
        tie.objtype = mujoco.mjtObj.mjOBJ_SITE
        tie.name1, tie.name2 = f"{closure.name} first", f"{closure.name} second"
        _body(spec, closure.first).add_site(group=_HIDDEN, name=tie.name1, pos=closure.first_point)
        _body(spec, closure.second).add_site(group=_HIDDEN, name=tie.name2, pos=closure.second_point)
        tie.solref = (2 * spec.option.timestep, 1.0)
        tie.solimp = (0.99, 0.9999, 1e-4, 0.5, 2.0)


def _muscles(spec: Any, model: BodyModel, group: int) -> None:
    for muscle in model.muscles:
        tendon = spec.add_tendon(name=muscle_name(muscle.name), group=_HIDDEN)
        for number, point in enumerate(muscle.path):
            name = f"{tendon.name} {number}"
            _body(spec, point.link).add_site(group=_HIDDEN, name=name, pos=point.position)
            tendon.wrap_site(name)
        motor = spec.add_actuator(name=tendon.name, target=tendon.name, trntype=mujoco.mjtTrn.mjTRN_TENDON)
        motor.group = group
        motor.set_to_motor()


def _actuators(spec: Any, model: BodyModel, group: int) -> None:
    for actuator in model.actuators:
        if spec.joint(actuator.joint) is None:
            raise unknown_name("joint", actuator.joint, (joint.name for joint in spec.joints))
        motor = spec.add_actuator(name=actuator.name, target=actuator.joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        motor.group = group
        if actuator.kind == "position":
            motor.set_to_position(kp=actuator.gain, kv=actuator.damping)
        elif actuator.kind == "velocity":
            motor.set_to_velocity(kv=actuator.gain)
        else:
            motor.set_to_motor()
            motor.gainprm[0] = actuator.gain
        if actuator.max_effort is not None:
            motor.forcelimited = True
            motor.forcerange = (-actuator.max_effort, actuator.max_effort)
        if np.isfinite(actuator.low) or np.isfinite(actuator.high):
            motor.ctrllimited = True
            motor.ctrlrange = np.clip((actuator.low, actuator.high), -ENDLESS, ENDLESS)


def _drives(spec: Any, model: BodyModel, group: int) -> None:
    for drive in model.drives:
        if drive.kind == "wheels":
            continue
        site = _body(spec, drive.link).add_site(group=_HIDDEN, name=f"drive {drive.name}")
        for number, (axis, gain) in enumerate(((0, drive.gain), (1, drive.gain), (5, drive.turn_gain))):
            motor = spec.add_actuator(
                name=f"drive {drive.name} {number}", target=site.name, trntype=mujoco.mjtTrn.mjTRN_SITE
            )
            motor.group = group
            motor.gear = [float(place == axis) for place in range(6)]
            motor.set_to_velocity(kv=gain)
