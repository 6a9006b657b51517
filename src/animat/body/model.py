"""The neutral description of a body: links, joints, loop closures, muscles, actuators, sensors, world objects.

SI units (m, kg, s, N, rad). Quaternions are (w, x, y, z). Link poses are given in the model's frame at the
reference pose, where every joint is at zero. Plain values that any body engine can build; nothing here simulates.
"""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "Actuator",
    "BodyModel",
    "Closure",
    "Contact",
    "Eye",
    "Joint",
    "Link",
    "Magnet",
    "ModelShape",
    "Muscle",
    "PathPoint",
    "Reward",
    "SourceFile",
    "Vector",
    "WorldObject",
]

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
Colour = tuple[float, float, float, float]


class ModelShape(msgspec.Struct, frozen=True, kw_only=True):
    """A primitive on a link or world object, in its frame; `size` as in `animat.body.protocol.Shape`.

    Shapes only collide where `collides`. `friction` is Coulomb's coefficient (the larger of two counts).
    """

    kind: Literal["box", "sphere", "capsule", "cylinder", "plane"]
    size: tuple[float, ...]
    position: Vector = (0.0, 0.0, 0.0)
    quaternion: Quaternion = (1.0, 0.0, 0.0, 0.0)
    colour: Colour = (0.7, 0.7, 0.7, 1.0)
    collides: bool = False
    friction: float = 1.0


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A rigid part. `inertia` is (xx, yy, zz, xy, xz, yz) about the centre of mass, in axes turned by `inertia_quaternion`."""

    name: str
    position: Vector = (0.0, 0.0, 0.0)
    quaternion: Quaternion = (1.0, 0.0, 0.0, 0.0)
    mass: float = 0.0
    centre: Vector = (0.0, 0.0, 0.0)
    inertia: tuple[float, float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    inertia_quaternion: Quaternion = (1.0, 0.0, 0.0, 0.0)
    shapes: tuple[ModelShape, ...] = ()


class Joint(msgspec.Struct, frozen=True, kw_only=True):
    """How `child` moves relative to `parent` ("world" or a link): about or along `axis` through the child's origin.

    `axis` is in the child's frame. `limits` in rad or m; `damping` in N m s/rad or N s/m.
    """

    name: str
    kind: Literal["revolute", "slide", "ball", "fixed", "free"]
    child: str
    parent: str = "world"
    axis: Vector = (0.0, 0.0, 1.0)
    limits: tuple[float, float] | None = None
    damping: float = 0.0


class Closure(msgspec.Struct, frozen=True, kw_only=True):
    """A ball joint that closes a loop: a point of link `first` and a point of link `second` stay together."""

    name: str
    first: str
    second: str
    first_point: Vector = (0.0, 0.0, 0.0)
    second_point: Vector = (0.0, 0.0, 0.0)


class PathPoint(msgspec.Struct, frozen=True):
    """A point of a muscle's path, fixed to a link, in its frame."""

    link: str
    position: Vector


class Muscle(msgspec.Struct, frozen=True, kw_only=True):
    """A Millard 2012 muscle along straight lines between path points, from origin to insertion.

    Time constants (s) of activation and deactivation count only where `BodyModel.activation_dynamics`.
    """

    name: str
    path: tuple[PathPoint, ...]
    max_force: float
    optimal_length: float
    tendon_slack_length: float
    pennation: float = 0.0
    #: Largest shortening speed in optimal fibre lengths per second.
    max_speed: float = 10.0
    fibre_damping: float = 0.1
    min_activation: float = 0.01
    activation_time: float = 0.010
    deactivation_time: float = 0.040


class Actuator(msgspec.Struct, frozen=True, kw_only=True):
    """A motor on a joint, or on a link along `direction` (x, y, z, about x, about y, about z in the link's frame).

    An `effort` actuator applies its control (N m or N); a `velocity` actuator applies `gain` times what
    is missing to the commanded speed (rad/s or m/s), at most `max_effort`.
    """

    name: str
    kind: Literal["effort", "velocity"]
    joint: str | None = None
    link: str | None = None
    direction: tuple[float, float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    gain: float = 1.0
    max_effort: float = float("inf")
    low: float = -float("inf")
    high: float = float("inf")
    unit: str = ""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Reads the sum of normal contact forces (N) on the colliding shapes of a link or world object."""

    name: str
    on: str


class Eye(msgspec.Struct, frozen=True, kw_only=True):
    """Looks along +x of a link's frame turned by `quaternion`, z up. `view` is the horizontal angle in rad.

    `rays` casts one ray per pixel and takes the colour of what it meets, shaded by nothing: the same on every
    machine; `camera` renders (needs OpenGL). `period` in ticks.
    """

    name: str
    link: str
    kind: Literal["rays", "camera"] = "rays"
    position: Vector = (0.0, 0.0, 0.0)
    quaternion: Quaternion = (1.0, 0.0, 0.0, 0.0)
    width: int = 40
    height: int = 30
    view: float = 1.57
    period: int = 20_000_000
    far: float = 100.0
    background: Vector = (0.55, 0.65, 0.75)


class WorldObject(msgspec.Struct, frozen=True, kw_only=True):
    """Something that belongs to the world and does not move; with `settable` its colour is a control."""

    name: str
    position: Vector = (0.0, 0.0, 0.0)
    quaternion: Quaternion = (1.0, 0.0, 0.0, 0.0)
    shapes: tuple[ModelShape, ...] = ()
    settable: bool = False


class Reward(msgspec.Struct, frozen=True, kw_only=True):
    """A valve: its control (0 closed, 1 open) is recorded and changes nothing in the mechanics."""

    name: str


class Magnet(msgspec.Struct, frozen=True, kw_only=True):
    """Pulls a point of `link` to `home` (model's frame) with the commanded force in N.

    Nearer than `reach` the pull falls linearly to zero, so that it holds instead of shaking.
    """

    name: str
    link: str
    home: Vector
    point: Vector = (0.0, 0.0, 0.0)
    reach: float = 0.001


class SourceFile(msgspec.Struct, frozen=True, kw_only=True):
    """A ready-made model: `files` holds the main file `main` and all that it names, by relative path."""

    kind: Literal["mjcf", "urdf", "osim"]
    main: str
    files: dict[str, bytes]


class BodyModel(msgspec.Struct, frozen=True, kw_only=True):
    """A body and its world; either described here or by a `source` file."""

    name: str
    source: SourceFile | None = None
    gravity: Vector = (0.0, 0.0, -9.81)
    #: Default time step of engines with a fixed one, in ticks.
    timestep: int = 500_000
    links: tuple[Link, ...] = ()
    joints: tuple[Joint, ...] = ()
    closures: tuple[Closure, ...] = ()
    muscles: tuple[Muscle, ...] = ()
    #: Whether a muscle's control is its excitation, which activation follows, or the activation itself.
    activation_dynamics: bool = False
    actuators: tuple[Actuator, ...] = ()
    contacts: tuple[Contact, ...] = ()
    eyes: tuple[Eye, ...] = ()
    objects: tuple[WorldObject, ...] = ()
    rewards: tuple[Reward, ...] = ()
    magnets: tuple[Magnet, ...] = ()
    #: Centre (x, y, z) and radius in m of what is worth looking at.
    focus: tuple[float, float, float, float] | None = None
