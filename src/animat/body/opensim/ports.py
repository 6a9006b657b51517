"""The ports of an OpenSim model and what is drawn of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.body.layout import Layout
from animat.body.model import BodyModel, Link, WorldObject
from animat.body.opensim.build import Built, state_names
from animat.body.opensim.quiet import import_opensim
from animat.body.pose import compose
from animat.body.protocol import Port, Scene, Shape
from animat.errors import AnimatError

__all__ = ["Controls", "make_scene", "path_points", "sensor_ports"]

Array = NDArray[np.float64]


class Controls:
    """The control ports, and `apply`, which puts a flat vector into the model's controls and a state."""

    def __init__(self, built: Built, model: BodyModel) -> None:
        self._built, self._model = built, model
        layout = Layout()
        self._activations = [layout.add(f"activation/{name}", "", low=0.0, high=1.0).start for name in built.muscles]
        self._clamps = [
            layout.add(f"clamp/{name}", "", rest=float("nan"), low=0.0, high=1.0).start for name in built.muscles
        ]
        self._dynamic = ["activation" in state_names(muscle) for muscle in built.muscles.values()]
        commands = []
        for name, actuator in built.actuators.items():
            shape = () if actuator.numControls() == 1 else (actuator.numControls(),)
            low, high = _bounds(actuator)
            commands.append(layout.add(f"actuator/{name}", "", shape, low=low, high=high))
        self._commands = np.array([place for part in commands for place in range(part.start, part.stop)], int)
        bounds = [_bounds(actuator) for actuator in built.actuators.values() for _ in range(actuator.numControls())]
        self._low, self._high = np.array(bounds, float).reshape(-1, 2).T
        self._magnets = [layout.add(f"magnet/{magnet.name}", "N").start for magnet in model.magnets]
        self._efforts = [
            layout.add(f"effort/{name}", _units(coordinate)[1]).start for name, coordinate in built.coordinates.items()
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
        #: OpenSim's own vector of controls, and where in it those of muscles, actuators and efforts stand.
        self._values = built.model.getDefaultControls().to_numpy().copy()
        parts = (built.muscles, built.actuators, built.efforts)
        self._places = [self._find(part.values()) for part in parts]

    def _find(self, actuators: Iterable[Any]) -> NDArray[np.int_]:
        osim, found = import_opensim(), []
        for actuator in actuators:
            marked = osim.Vector(len(self._values), 0.0)
            actuator.setControls(osim.Vector(actuator.numControls(), 1.0), marked)
            found.append(np.flatnonzero(marked.to_numpy()))
        return np.concatenate(found or [np.zeros(0, int)])

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
        """Return the clamped muscles that have activation dynamics, and their activations."""
        clamped = zip(self._built.muscles.values(), self._dynamic, controls[self._clamps], strict=True)
        return [(muscle, float(value)) for muscle, dynamic, value in clamped if dynamic and not np.isnan(value)]

    def apply(self, controls: Array, state: Any) -> None:
        """Put the vector into the model's controls, to which a file's own controllers add theirs, and into `state`."""
        built, osim = self._built, import_opensim()
        muscles, actuators, efforts = self._places
        clamped = controls[self._clamps]
        told = np.where(np.isnan(clamped), controls[self._activations], clamped)
        self._values[muscles] = np.clip(told, 0.0, 1.0)
        self._values[actuators] = np.clip(controls[self._commands], self._low, self._high)
        self._values[efforts] = controls[self._efforts]
        built.model.setDefaultControls(osim.Vector.createFromMat(self._values.copy()))
        state.setTime(state.getTime())
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
            point = self._built.bodies[magnet.link].findStationLocationInGround(
                state, import_opensim().Vec3(*magnet.point)
            )
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
        for name in built.muscles:
            layout.add(f"{sensed}/{name}", unit)
    for sensed, end in (("angle", ""), ("velocity", "/s")):
        for name, coordinate in built.coordinates.items():
            layout.add(f"{sensed}/{name}", _units(coordinate)[0] + end)
    links = [*list(built.bodies)[1:], *(item.name for item in model.objects)]
    for name in links:
        layout.add(f"position/{name}", "m", (3,))
    for name in links:
        layout.add(f"orientation/{name}", "", (4,))
    for name in built.closures:
        layout.add(f"closure/{name}", "N", (3,))
    return tuple(layout.ports)


def make_scene(built: Built, model: BodyModel, state: Any) -> Scene:
    """Return what is drawn: the described shapes, and rods between a file's joints."""
    shapes = [] if model.source is None else _rods(built)
    bodies = list(built.bodies.values())[1:]
    placed: list[tuple[int, Link | WorldObject]] = [
        *enumerate(model.links, 1),
        *enumerate(model.objects, 1 + len(bodies)),
    ]
    for place, part in placed:
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
    built.model.realizePosition(state)
    if model.focus is not None:
        focus = model.focus
    else:
        origins = np.array([_numbers(body.getTransformInGround(state).p()) for body in bodies]).reshape(-1, 3)
        centre = origins.mean(axis=0) if len(origins) else np.zeros(3)
        radius = float(np.max(np.linalg.norm(origins - centre, axis=1), initial=0.0)) * 1.3 or 1.0
        focus = (float(centre[0]), float(centre[1]), float(centre[2]), radius)
    counts = tuple(len(path_points(muscle)) for muscle in built.muscles.values())
    return Scene(shapes=tuple(shapes), muscle_points=counts, focus=focus)


def path_points(muscle: Any) -> list[Any]:
    """Return the points of a muscle's path; none where a function stands in place of a path."""
    path = import_opensim().GeometryPath.safeDownCast(muscle.getPath())
    points = None if path is None else path.getPathPointSet()
    return [] if points is None else [points.get(number) for number in range(points.getSize())]


def _rods(built: Built) -> list[Shape]:
    """Return a rod from every body's origin to each joint that hangs on it, or through its centre of mass."""
    bodies = list(built.bodies.values())
    names = {body.getAbsolutePathString(): place for place, body in enumerate(bodies)}
    ends: dict[int, list[Array]] = {place: [] for place in range(1, len(bodies))}
    for joint in built.model.getJointList():
        frame = joint.getParentFrame()
        place = names.get(frame.findBaseFrame().getAbsolutePathString(), 0)
        if place:
            ends[place].append(_numbers(frame.findTransformInBaseFrame().p()))
    shapes = []
    for place, found in ends.items():
        for end in found or [2 * _numbers(bodies[place].getMassCenter())]:
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


def _bounds(actuator: Any) -> tuple[float, float]:
    """Return between what an actuator's controls are held."""
    scalar = import_opensim().ScalarActuator.safeDownCast(actuator)
    return (-np.inf, np.inf) if scalar is None else (scalar.getMinControl(), scalar.getMaxControl())


def _units(coordinate: Any) -> tuple[str, str]:
    """Return the units of a coordinate and of the effort along it."""
    return ("m", "N") if coordinate.getMotionType() == coordinate.Translational else ("rad", "N m")
