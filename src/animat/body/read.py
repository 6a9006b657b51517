"""From `body.yaml` to a `BodyModel`; every mistake is reported with its line.

Bare numbers are SI (m, kg, s, N, rad); text carries its unit. Sections are mappings by name. `options` lets
the user choose: under each option stand its choices, the first is the default, and the chosen one is laid over the rest of
the file, mapping by mapping.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from animat.body.entry import Entry, merge, read_yaml
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
    Reward,
    Vector,
    WorldObject,
)
from animat.body.pose import Quaternion, quaternion
from animat.errors import AnimatError, unknown_name
from animat.units import ticks

__all__ = ["read_body"]

_SIZES = {"box": 3, "sphere": 1, "capsule": 2, "cylinder": 2, "plane": 2}
_JOINTS = ("revolute", "slide", "ball", "fixed", "free")


def read_body(path: Path, options: Mapping[str, Any]) -> BodyModel:
    """Return the body that `path` describes, with `options` chosen.

    Raises
    ------
    AnimatError
        With file and line, what would be right, and the names that exist.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AnimatError(f"this body cannot be read: {error}", file=path) from None
    top = _choose(read_yaml(text, path), options)
    model = BodyModel(
        name=top.text("name", path.parent.name),
        gravity=_vector(top, "gravity", (0.0, 0.0, -9.81), "m/s^2"),
        timestep=_ticks(top, "timestep", 500_000),
        links=tuple(_link(name, entry) for name, entry in top.items("links")),
        joints=tuple(_joint(name, entry) for name, entry in top.items("joints")),
        closures=tuple(_closure(name, entry) for name, entry in top.items("closures")),
        muscles=tuple(_muscle(name, entry) for name, entry in top.items("muscles")),
        activation_dynamics=top.flag("activation_dynamics"),
        actuators=tuple(_actuator(name, entry) for name, entry in top.items("actuators")),
        contacts=tuple(_contact(name, entry) for name, entry in top.items("contacts")),
        eyes=tuple(_eye(name, entry) for name, entry in top.items("eyes")),
        objects=tuple(_object(name, entry) for name, entry in top.items("objects")),
        rewards=tuple(_reward(name, entry) for name, entry in top.items("rewards")),
        magnets=tuple(_magnet(name, entry) for name, entry in top.items("magnets")),
        focus=cast(tuple[float, float, float, float], top.numbers("focus", 4, "m")) if top.has("focus") else None,
    )
    top.done()
    return model


def _choose(top: Entry, options: Mapping[str, Any]) -> Entry:
    known: list[str] = []
    merged = top.values
    lines = dict(top.lines)
    for name, entry in top.items("options"):
        known.append(name)
        choices = [*entry.values]
        if not choices:
            raise entry.error("an option needs at least one choice")
        given = options.get(name, choices[0])
        choice = str(given).lower() if isinstance(given, bool) else str(given)
        if choice not in choices:
            raise unknown_name(f"choice for {name}", choice, choices).at(top.file, entry.line)
        over = entry.values[choice]
        if over is None:
            continue
        if not isinstance(over, Mapping):
            raise entry.error(f"the choice {choice} must be a mapping", choice)
        for section, value in over.items():
            merged[section] = merge(merged.get(section), value) if section in merged else value
            lines.setdefault(section, getattr(over, "lines", {}).get(section, entry.line))
    for name in options:
        if name not in known:
            raise unknown_name("option", name, known).at(top.file)
    top.lines = lines
    return top


def _vector(entry: Entry, name: str, default: Vector, unit: str) -> Vector:
    x, y, z = entry.numbers(name, 3, unit, default)
    return x, y, z


def _ticks(entry: Entry, name: str, default: int) -> int:
    value = entry.take(name)
    if value is None:
        return default
    try:
        found = ticks(value)
    except AnimatError as error:
        raise entry.error(f"{name}: {error}", name) from None
    if found <= 0:
        raise entry.error(f"{name} must be positive, got {value!r}", name)
    return found


def _rotation(entry: Entry, name: str = "rpy") -> Quaternion:
    return quaternion(entry.vector(name, "rad"))


def _link(name: str, entry: Entry) -> Link:
    link = Link(
        name=name,
        position=entry.vector("at"),
        quaternion=_rotation(entry),
        mass=entry.number("mass", "kg", 0.0, least=0.0),
        centre=entry.vector("centre"),
        inertia=cast(Any, entry.numbers("inertia", 6, "kg m^2", (0.0,) * 6)),
        inertia_quaternion=_rotation(entry, "inertia_rpy"),
        shapes=tuple(_shape(shape) for shape in entry.listed("shapes")),
    )
    entry.done()
    return link


def _shape(entry: Entry) -> ModelShape:
    kinds = [kind for kind in _SIZES if entry.has(kind)]
    if len(kinds) != 1:
        raise entry.error("a shape needs exactly one of " + ", ".join(_SIZES))
    (kind,) = kinds
    ends = kind in ("capsule", "cylinder") and entry.has("from")
    if kind == "sphere" or ends:
        size = (entry.number(kind, "m"),)
    else:
        size = cast(Any, entry.numbers(kind, _SIZES[kind], "m"))
    position, turn = entry.vector("at"), _rotation(entry)
    if ends:
        start, stop = np.array(entry.numbers("from", 3, "m")), np.array(entry.numbers("to", 3, "m"))
        x, y, z = (start + stop) / 2
        position, turn = (float(x), float(y), float(z)), _along(stop - start)
        size = (*size, float(np.linalg.norm(stop - start)) / 2)
    if min(size) <= 0:
        raise entry.error(f"the size of a {kind} must be positive, got {size}", kind)
    colour = entry.numbers("colour", len(entry.values.get("colour") or [0] * 4), "", (0.7, 0.7, 0.7, 1.0))
    if len(colour) not in (3, 4) or not all(0 <= part <= 1 for part in colour):
        raise entry.error("colour needs red, green, blue (and alpha) from 0 to 1", "colour")
    shape = ModelShape(
        kind=cast(Any, kind),
        size=size,
        position=position,
        quaternion=turn,
        colour=cast(Any, (*colour, 1.0)[:4]),
        collides=entry.flag("collides"),
        friction=entry.number("friction", "", 1.0, least=0.0),
    )
    entry.done()
    return shape


def _along(direction: np.ndarray[Any, np.dtype[np.float64]]) -> Quaternion:
    """Return a rotation that turns z to `direction`."""
    x, y, z = direction / max(float(np.linalg.norm(direction)), 1e-12)
    angle, flat = math.acos(max(-1.0, min(1.0, float(z)))), math.hypot(x, y)
    if flat < 1e-9:
        return (1.0, 0.0, 0.0, 0.0) if z > 0 else (0.0, 1.0, 0.0, 0.0)
    half = math.sin(angle / 2) / flat
    return math.cos(angle / 2), float(-y * half), float(x * half), 0.0


def _joint(name: str, entry: Entry) -> Joint:
    kind = entry.one_of("kind", _JOINTS, "revolute")
    limits = entry.numbers("limits", 2, "m" if kind == "slide" else "rad") if entry.has("limits") else None
    if limits is not None and limits[0] >= limits[1]:
        raise entry.error(f"limits must rise, got {list(limits)}", "limits")
    axis = _vector(entry, "axis", (0.0, 0.0, 1.0), "")
    if not any(axis):
        raise entry.error("axis must not be zero", "axis")
    joint = Joint(
        name=name,
        kind=cast(Any, kind),
        parent=entry.text("parent", "world"),
        child=entry.text("child"),
        axis=axis,
        limits=cast(Any, limits),
        damping=entry.number("damping", "N s/m" if kind == "slide" else "N m s", 0.0, least=0.0),
    )
    entry.done()
    return joint


def _closure(name: str, entry: Entry) -> Closure:
    closure = Closure(
        name=name,
        first=entry.text("first"),
        second=entry.text("second"),
        first_point=entry.vector("first_point"),
        second_point=entry.vector("second_point"),
    )
    entry.done()
    return closure


def _muscle(name: str, entry: Entry) -> Muscle:
    points = entry.take("path")
    if not isinstance(points, list) or len(points) < 2:
        raise entry.error("path needs at least two points, each [LINK, [x, y, z]]", "path")
    path = []
    for point in points:
        if not (isinstance(point, list) and len(point) == 2 and isinstance(point[0], str)):
            raise entry.error(f"a path point is [LINK, [x, y, z]], got {point!r}", "path")
        place = Entry({"point": point[1]}, f"{entry.where}.path", entry.file, entry.lines.get("path", entry.line))
        path.append(PathPoint(point[0], cast(Vector, place.numbers("point", 3, "m"))))
    muscle = Muscle(
        name=name,
        path=tuple(path),
        max_force=entry.number("max_force", "N"),
        optimal_length=entry.number("optimal_length", "m"),
        tendon_slack_length=entry.number("tendon_slack_length", "m", least=0.0),
        pennation=entry.number("pennation", "rad", 0.0, least=0.0),
        max_speed=entry.number("max_speed", "1/s", 10.0),
        fibre_damping=entry.number("fibre_damping", "", 0.1, least=0.0),
        min_activation=entry.number("min_activation", "", 0.01, least=0.0),
        activation_time=entry.number("activation_time", "s", 0.010),
        deactivation_time=entry.number("deactivation_time", "s", 0.040),
    )
    for field in ("max_force", "optimal_length", "max_speed", "activation_time", "deactivation_time"):
        if getattr(muscle, field) <= 0:
            raise entry.error(f"{field} must be positive", field)
    if muscle.pennation >= math.pi / 2:
        raise entry.error("pennation must be below a right angle", "pennation")
    entry.done()
    return muscle


def _actuator(name: str, entry: Entry) -> Actuator:
    joint = entry.text("joint") if entry.has("joint") else None
    link = entry.text("link") if entry.has("link") else None
    if (joint is None) == (link is None):
        raise entry.error("an actuator needs either joint or link with direction")
    bounds = entry.numbers("range", 2, "", (-math.inf, math.inf)) if entry.has("range") else (-math.inf, math.inf)
    actuator = Actuator(
        name=name,
        kind=cast(Any, entry.one_of("kind", ("effort", "velocity"))),
        joint=joint,
        link=link,
        direction=cast(Any, entry.numbers("direction", 6, "", None if link else (0.0,) * 6)),
        gain=entry.number("gain", "", 1.0),
        max_effort=entry.number("max_effort", "") if entry.has("max_effort") else math.inf,
        low=bounds[0],
        high=bounds[1],
        unit=entry.text("unit", ""),
    )
    entry.done()
    return actuator


def _contact(name: str, entry: Entry) -> Contact:
    contact = Contact(name=name, on=entry.text("on"))
    entry.done()
    return contact


def _eye(name: str, entry: Entry) -> Eye:
    eye = Eye(
        name=name,
        link=entry.text("link"),
        kind=cast(Any, entry.one_of("kind", ("rays", "camera"), "rays")),
        position=entry.vector("at"),
        quaternion=_rotation(entry),
        width=entry.whole("width", 40),
        height=entry.whole("height", 30),
        view=entry.number("view", "rad", 1.57),
        period=_ticks(entry, "period", 20_000_000),
        far=entry.number("far", "m", 100.0),
        background=_vector(entry, "background", (0.55, 0.65, 0.75), ""),
    )
    if not 0 < eye.view < math.pi:
        raise entry.error("view must lie between 0 and pi rad", "view")
    entry.done()
    return eye


def _object(name: str, entry: Entry) -> WorldObject:
    found = WorldObject(
        name=name,
        position=entry.vector("at"),
        quaternion=_rotation(entry),
        shapes=tuple(_shape(shape) for shape in entry.listed("shapes")),
        settable=entry.flag("settable"),
    )
    entry.done()
    return found


def _reward(name: str, entry: Entry) -> Reward:
    entry.done()
    return Reward(name=name)


def _magnet(name: str, entry: Entry) -> Magnet:
    magnet = Magnet(
        name=name,
        link=entry.text("link"),
        home=cast(Vector, entry.numbers("home", 3, "m")),
        point=entry.vector("point"),
        reach=entry.number("reach", "m", 0.001),
    )
    if magnet.reach <= 0:
        raise entry.error("reach must be positive", "reach")
    entry.done()
    return magnet
