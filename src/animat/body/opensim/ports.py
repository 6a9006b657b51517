"""The ports of an OpenSim model and what is drawn of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.body.layout import Layout
from animat.body.model import BodyModel, Link, WorldObject
from animat.body.opensim.build import Built
from animat.body.opensim.quiet import import_opensim
from animat.body.pose import compose
from animat.body.protocol import Port, Scene, Shape
from animat.errors import AnimatError

__all__ = ["Controls", "make_scene", "sensor_ports"]

Array = NDArray[np.float64]


class Controls:
    """The control ports, and `apply`, which puts a flat vector into the model's constants and a state."""

    def __init__(self, built: Built, model: BodyModel) -> None:
        self._built, self._model = built, model
        layout = Layout()
        names = [muscle.getName() for muscle in built.muscles]
        self._activations = [layout.add(f"activation/{name}", "", low=0.0, high=1.0).start for name in names]
        self._clamps = [layout.add(f"clamp/{name}", "", rest=float("nan"), low=0.0, high=1.0).start for name in names]
        self._commands = []
        for actuator in built.actuators:
            low, high = actuator.getMinControl(), actuator.getMaxControl()
            self._commands.append(layout.add(f"actuator/{actuator.getName()}", "", low=low, high=high))
        self._magnets = [layout.add(f"magnet/{magnet.name}", "N").start for magnet in model.magnets]
        self._efforts = [
            layout.add(f"effort/{coordinate.getName()}", _units(coordinate)[1]).start
            for coordinate in built.coordinates
        ]
        self._wrenches = {link: layout.add(f"wrench/{link}", "N, N m", (6,)) for link in built.wrenches}
        for item in model.objects:
            layout.add(
                f"colour/{item.name}",
                "",
                (4,),
                rest=(item.shapes[0].colour if item.shapes else (0, 0, 0, 1)),
                low=0,
                high=1,
            )
        self._poses = [
            layout.add(f"pose/{item.name}", "m, 1", (7,), rest=(*item.position, *item.quaternion))
            for item in model.objects
        ]
        self._rewards = [layout.add(f"reward/{reward.name}", "", low=0.0, high=1.0).start for reward in model.rewards]
        self.ports = tuple(layout.ports)
        self.rest = np.concatenate(
            [np.broadcast_to(port.rest, port.shape).ravel() for port in self.ports] or [np.zeros(0)]
        )
        self._may_be_nan = np.zeros(len(self.rest), bool)
        self._may_be_nan[self._clamps] = True

    def check(self, controls: Array) -> None:
        """Refuse a vector of another length, and numbers that are not finite, by port name."""
        if controls.shape != self.rest.shape:
            raise AnimatError(f"the control vector has shape {controls.shape}; this body's has {self.rest.shape}")
        wrong = ~np.isfinite(controls) & ~(self._may_be_nan & np.isnan(controls))
        if wrong.any():
            place = int(np.argmax(wrong))
            port = next(port for port in self.ports if port.offset <= place < port.offset + port.size)
            raise AnimatError(f"control {port.name} is {controls[place]}; it must be finite")

    def held(self, controls: Array) -> list[tuple[Any, float]]:
        """Return the clamped muscles and their activations."""
        clamped = zip(self._built.muscles, controls[self._clamps], strict=True)
        return [(muscle, float(value)) for muscle, value in clamped if not np.isnan(value)]

    def apply(self, controls: Array, state: Any) -> None:
        """Put the vector into the model's constants; forces that are zero are switched off in `state`."""
        built = self._built
        clamped = controls[self._clamps]
        told = np.clip(np.where(np.isnan(clamped), controls[self._activations], clamped), 0.0, 1.0)
        for constant, value in zip(built.excitations, told, strict=True):
            constant.setValue(float(value))
        for constant, place in zip(built.efforts, self._efforts, strict=True):
            constant.setValue(float(controls[place]))
        for constant, actuator, part in zip(built.commands, built.actuators, self._commands, strict=True):
            constant.setValue(float(np.clip(controls[part.start], actuator.getMinControl(), actuator.getMaxControl())))
        for link, (force, constants) in built.wrenches.items():
            values = controls[self._wrenches[link]]
            force.setAppliesForce(state, bool(values.any()))
            for constant, value in zip(constants, values, strict=True):
                constant.setValue(float(value))

    def magnets_on(self, controls: Array) -> bool:
        """Tell whether any magnet pulls."""
        return bool(self._magnets) and bool(np.any(controls[self._magnets]))

    def attract(self, controls: Array, state: Any) -> None:
        """Set every magnet's force to its pull on the present position."""
        for (force, constants), magnet, place in zip(
            self._built.magnets, self._model.magnets, self._magnets, strict=True
        ):
            held = float(controls[place])
            force.setAppliesForce(state, held != 0.0)
            if held == 0.0:
                continue
            self._built.model.realizePosition(state)
            link = self._built.model.getBodySet().get(magnet.link)
            point = link.findStationLocationInGround(state, import_opensim().Vec3(*magnet.point))
            way = np.array(magnet.home) - [point.get(i) for i in range(3)]
            distance = float(np.linalg.norm(way))
            pull = held / (1 + distance / magnet.reach) ** 4 / max(distance, 0.01 * magnet.reach)
            for constant, part in zip(constants, pull * way, strict=True):
                constant.setValue(float(part))

    def object_poses(self, controls: Array) -> Array:
        """Return the poses of the world objects (objects, 7), with rewards' drops where they are."""
        poses = np.array([controls[part] for part in self._poses]).reshape(-1, 7)
        names = [item.name for item in self._model.objects]
        for reward, place in zip(self._model.rewards, self._rewards, strict=True):
            poses[names.index(reward.drop), :3] += min(1.0, max(0.0, float(controls[place]))) * np.array(reward.offset)
        return poses


def sensor_ports(built: Built, model: BodyModel) -> tuple[Port, ...]:
    """Return the sensor ports, in the order in which the engine reads them."""
    layout = Layout()
    for sensed, unit in (("length", "m"), ("speed", "m/s"), ("force", "N"), ("activation", "")):
        for muscle in built.muscles:
            layout.add(f"{sensed}/{muscle.getName()}", unit)
    for sensed, end in (("angle", ""), ("velocity", "/s")):
        for coordinate in built.coordinates:
            layout.add(f"{sensed}/{coordinate.getName()}", _units(coordinate)[0] + end)
    links = [*(body.getName() for body in built.bodies[1:]), *(item.name for item in model.objects)]
    for name in links:
        layout.add(f"position/{name}", "m", (3,))
    for name in links:
        layout.add(f"orientation/{name}", "", (4,))
    for tie, _ in built.closures:
        layout.add(f"closure/{tie.getName()}", "N", (3,))
    return tuple(layout.ports)


def make_scene(built: Built, model: BodyModel, state: Any) -> Scene:
    """Return what is drawn: the described shapes, or rods between a file's joints."""
    shapes = []
    parts: list[Link | WorldObject] = [*model.links, *model.objects]
    for place, part in enumerate(parts, start=1):
        shapes += [
            Shape(
                link=place,
                kind=shape.kind,
                size=shape.size,
                position=shape.position,
                quaternion=shape.quaternion,
                colour=shape.colour,
            )
            for shape in part.shapes
        ]
    if model.source is not None:
        shapes = _rods(built)
    built.model.realizePosition(state)
    if model.focus is not None:
        focus = model.focus
    else:
        origins = np.array(
            [[body.getTransformInGround(state).p().get(i) for i in range(3)] for body in built.bodies[1:]]
        )
        centre = origins.mean(axis=0) if len(origins) else np.zeros(3)
        radius = float(np.max(np.linalg.norm(origins - centre, axis=1), initial=0.0)) * 1.3 or 1.0
        focus = (float(centre[0]), float(centre[1]), float(centre[2]), radius)
    counts = tuple(muscle.getGeometryPath().getPathPointSet().getSize() for muscle in built.muscles)
    return Scene(shapes=tuple(shapes), muscle_points=counts, focus=focus)


def _rods(built: Built) -> list[Shape]:
    """Return a rod from every body's origin to each joint that hangs on it, or through its centre of mass."""
    names = {body.getAbsolutePathString(): place for place, body in enumerate(built.bodies)}
    ends: dict[int, list[Array]] = {place: [] for place in range(1, len(built.bodies))}
    joints = built.model.getJointSet()
    for number in range(joints.getSize()):
        frame = joints.get(number).getParentFrame()
        place = names.get(frame.findBaseFrame().getAbsolutePathString(), 0)
        if place:
            ends[place].append(_numbers(frame.findTransformInBaseFrame().p()))
    shapes = []
    for place, found in ends.items():
        for end in found or [2 * _numbers(built.bodies[place].getMassCenter())]:
            length = float(np.linalg.norm(end))
            if length > 1e-6:
                shapes.append(_rod(place, end, length))
    return shapes


def _rod(link: int, end: Array, length: float) -> Shape:
    x, y, z = end / length
    tilt, heading = float(np.arccos(np.clip(z, -1.0, 1.0))) / 2, float(np.arctan2(y, x)) / 2
    turn = compose((np.cos(heading), 0.0, 0.0, np.sin(heading)), (np.cos(tilt), 0.0, np.sin(tilt), 0.0))
    w, i, j, k = map(float, turn)
    middle = (float(end[0] / 2), float(end[1] / 2), float(end[2] / 2))
    size = (0.04 * length, length / 2)
    return Shape(link=link, kind="capsule", size=size, position=middle, quaternion=(w, i, j, k))


def _numbers(vector: Any) -> Array:
    return np.array([vector.get(i) for i in range(3)], float)


def _units(coordinate: Any) -> tuple[str, str]:
    """Return the units of a coordinate and of the effort along it."""
    return ("m", "N") if coordinate.getMotionType() == coordinate.Translational else ("rad", "N m")
