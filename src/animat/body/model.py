"""The neutral description of a body: links, joints, loop closures, muscles, actuators, sensors, world objects.

SI units (m, kg, s, N, rad), times in ticks (1 ns). Quaternions are (w, x, y, z). Link poses are given in the
model's frame at the reference pose, where every joint is at zero. Plain values that any body engine can build;
nothing here simulates. The unit in an annotation is the one in which a file's bare numbers are taken.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

__all__ = [
    "EARTH",
    "Actuator",
    "BodyModel",
    "Closure",
    "Contact",
    "Drive",
    "Eye",
    "Joint",
    "Link",
    "Magnet",
    "ModelShape",
    "Muscle",
    "PathPoint",
    "Rangefinder",
    "Reward",
    "SourceFile",
    "Unit",
    "WorldObject",
]


class Unit(msgspec.Struct, frozen=True):
    """The unit of a number in a file, or several that it may have (rad for revolute joints, m for slides)."""

    names: tuple[str, ...]


Number = Annotated[float, Unit(("",))]
Metres = Annotated[float, Unit(("m",))]
Kilograms = Annotated[float, Unit(("kg",))]
Newtons = Annotated[float, Unit(("N",))]
Seconds = Annotated[float, Unit(("s",))]
Radians = Annotated[float, Unit(("rad",))]
Ticks = Annotated[int, Unit(("ns",))]
Reach = Annotated[float, Unit(("rad", "m"))]
Effort = Annotated[float, Unit(("N m", "N"))]
Damping = Annotated[float, Unit(("N m s / rad", "N s / m"))]
Stiffness = Annotated[float, Unit(("N m / rad", "N / m"))]
Inertia = Annotated[float, Unit(("kg m^2",))]
Acceleration = Annotated[float, Unit(("m / s^2",))]
Speed = Annotated[float, Unit(("rad / s", "m / s"))]

Gravity = tuple[Acceleration, Acceleration, Acceleration]
Place = tuple[Metres, Metres, Metres]
Direction = tuple[Number, Number, Number]
Quaternion = tuple[Number, Number, Number, Number]
Colour = tuple[Number, Number, Number, Number]
UPRIGHT: Quaternion = (1.0, 0.0, 0.0, 0.0)
ORIGIN: Place = (0.0, 0.0, 0.0)
#: Gravity where a body says nothing, in m/s^2.
EARTH: Gravity = (0.0, 0.0, -9.81)


class ModelShape(msgspec.Struct, frozen=True, kw_only=True):
    """A primitive on a link or world object, in its frame.

    `size` is box (half sizes), sphere (radius), capsule and cylinder (radius, half length along z), ellipsoid (half
    axes) or plane (half sizes x, y; zero: endless). Massless; the link carries the mass. `friction` is Coulomb's
    coefficient; of two touching shapes the larger counts.
    """

    kind: Literal["box", "sphere", "capsule", "cylinder", "plane", "ellipsoid"]
    size: tuple[Metres, ...]
    position: Place = ORIGIN
    quaternion: Quaternion = UPRIGHT
    colour: Colour = (0.7, 0.7, 0.7, 1.0)
    friction: Number = 1.0


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A rigid part, the child of exactly one joint.

    `inertia` is (xx, yy, zz, xy, xz, yz) about `centre`, in the link's axes.
    """

    name: str
    position: Place = ORIGIN
    quaternion: Quaternion = UPRIGHT
    mass: Kilograms = 0.0
    centre: Place = ORIGIN
    inertia: tuple[Inertia, Inertia, Inertia, Inertia, Inertia, Inertia] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    shapes: tuple[ModelShape, ...] = ()
    collides: bool = True


class Joint(msgspec.Struct, frozen=True, kw_only=True):
    """How `child` moves relative to `parent` ("world" or a link): about or along `axis` through the child's `anchor`.

    `axis` and `anchor` are in the child's frame. A spring of `stiffness` pulls towards zero. A revolute or slide joint
    has the port ``effort/NAME``.
    """

    name: str
    kind: Literal["revolute", "slide", "ball", "fixed", "free"]
    child: str
    parent: str = "world"
    axis: Direction = (0.0, 0.0, 1.0)
    anchor: Place = ORIGIN
    limits: tuple[Reach, Reach] | None = None
    damping: Damping = 0.0
    stiffness: Stiffness = 0.0


class Closure(msgspec.Struct, frozen=True, kw_only=True):
    """A ball joint that closes a loop: a point of link `first` and a point of link `second` stay together.

    Reads ``closure/NAME``: force (N, world's axes) on `first`, mean over the exchange step; `second` feels the
    opposite.
    """

    name: str
    first: str
    second: str
    first_point: Place = ORIGIN
    second_point: Place = ORIGIN


class PathPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A point of a muscle's path, fixed to a link, in its frame."""

    link: str
    position: Place


class Muscle(msgspec.Struct, frozen=True, kw_only=True):
    """A Millard 2012 muscle along straight lines between path points, from origin to insertion.

    The time constants of activation and deactivation count only where `BodyModel.activation_dynamics`.
    """

    name: str
    path: tuple[PathPoint, ...]
    max_isometric_force: Newtons
    optimal_fibre_length: Metres
    tendon_slack_length: Metres
    pennation: Radians = 0.0
    #: Largest shortening speed in optimal fibre lengths per second.
    max_speed: Number = 10.0
    fibre_damping: Number = 0.1
    min_activation: Number = 0.01
    activation_time: Seconds = 0.010
    deactivation_time: Seconds = 0.040


class Actuator(msgspec.Struct, frozen=True, kw_only=True):
    """A motor on a joint, with the port ``actuator/NAME``, held between `low` and `high`.

    A `motor` applies `gain` times its control; `position` a spring of stiffness `gain` towards the commanded angle
    with `damping`; `velocity` applies `gain` times what is missing to the commanded speed. None beyond `max_effort`.
    """

    name: str
    joint: str
    kind: Literal["motor", "position", "velocity"] = "motor"
    gain: Number = 1.0
    damping: Damping = 0.0
    max_effort: Effort | None = None
    low: Number = -float("inf")
    high: Number = float("inf")


class Drive(msgspec.Struct, frozen=True, kw_only=True):
    """A ground vehicle's drive with the port ``twist/NAME``: forward speed (m/s), turning speed (rad/s, to the left).

    An `ideal` drive moves `link` along its x axis, sideways and about its z axis by velocity servos of gains
    `gain` (N s/m) and `turn_gain` (N m s/rad). A `wheels` drive turns the speeds into wheel speeds and adds them to the
    commands of the velocity actuators `left` and `right`.
    """

    name: str
    link: str
    kind: Literal["ideal", "wheels"] = "ideal"
    gain: Number = 2000.0
    turn_gain: Number = 1000.0
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    separation: Metres = 1.0
    diameter: Metres = 1.0


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Reads ``contact/NAME``: normal force (N) on the shapes of a link or object `on`, mean over the exchange step.

    With `by`, only what that link or object presses.
    """

    name: str
    on: str
    by: str | None = None


class Rangefinder(msgspec.Struct, frozen=True, kw_only=True):
    """Reads ``range/NAME``: distance (m) along +x of a link's frame turned by `quaternion`; `far` when free."""

    name: str
    link: str
    position: Place = ORIGIN
    quaternion: Quaternion = UPRIGHT
    far: Metres = 100.0


class Eye(msgspec.Struct, frozen=True, kw_only=True):
    """Sees ``image/NAME`` along +x of a link's frame turned by `quaternion`, z up; `view` is the horizontal angle.

    `rays` casts one ray per pixel and takes the colour of what it meets, darker with distance (half at `dusk`):
    the same on every machine; `camera` renders (needs OpenGL). `period` is the time between pictures. `camera` names
    a camera of a `source` file whose place and angle are taken instead.
    """

    name: str
    link: str = "world"
    kind: Literal["rays", "camera"] = "rays"
    position: Place = ORIGIN
    quaternion: Quaternion = UPRIGHT
    width: int = 40
    height: int = 30
    view: Radians = 1.57
    period: Ticks = 20_000_000
    far: Metres = 100.0
    dusk: Metres = 20.0
    background: tuple[Number, Number, Number] = (0.55, 0.65, 0.75)
    camera: str | None = None


class WorldObject(msgspec.Struct, frozen=True, kw_only=True):
    """Something of the world that moves only when told to: ports ``colour/NAME`` (r, g, b, a) and ``pose/NAME``."""

    name: str
    position: Place = ORIGIN
    quaternion: Quaternion = UPRIGHT
    shapes: tuple[ModelShape, ...] = ()
    collides: bool = True


class Reward(msgspec.Struct, frozen=True, kw_only=True):
    """A valve with the port ``reward/NAME``: at 0 the object `drop` is at its place, at 1 moved by `offset`."""

    name: str
    drop: str
    offset: Place


class Magnet(msgspec.Struct, frozen=True, kw_only=True):
    """An electromagnet at `home` with the port ``magnet/NAME``: its holding force F0 in N on `point` of `link`.

    At distance d the pull is F0 / (1 + d / reach)^4: F0 at contact, the fourth power of two dipoles far away. Within a
    hundredth of `reach` the pull falls linearly to zero, so that it holds instead of shaking.
    """

    name: str
    link: str
    home: Place
    point: Place = ORIGIN
    reach: Metres = 0.01


class SourceFile(msgspec.Struct, frozen=True, kw_only=True):
    """A ready-made model file; `sha256` is over it and the files that it names."""

    kind: Literal["mjcf", "urdf", "osim"]
    path: str
    sha256: str


class BodyModel(msgspec.Struct, frozen=True, kw_only=True):
    """A body and its world; parts may be added to a `source` file and name what is in it.

    What is None is left to a source file.
    """

    name: str
    source: SourceFile | None = None
    #: A described body's is `EARTH`.
    gravity: Gravity | None = None
    #: Time step of engines with a fixed one; a described body's is 0.5 ms.
    timestep: Ticks | None = None
    #: The keyframe of an MJCF file to start from; None is the reference pose.
    keyframe: str | None = None
    #: Whether the root of a URDF file is free to move or welded to the world; None is free where it has a mass and is
    #: not called "world".
    base: Literal["free", "fixed"] | None = None
    links: tuple[Link, ...] = ()
    joints: tuple[Joint, ...] = ()
    closures: tuple[Closure, ...] = ()
    muscles: tuple[Muscle, ...] = ()
    #: Whether a muscle's control is its excitation, which activation follows, or the activation itself, as in a
    #: described body.
    activation_dynamics: bool | None = None
    actuators: tuple[Actuator, ...] = ()
    drives: tuple[Drive, ...] = ()
    contacts: tuple[Contact, ...] = ()
    rangefinders: tuple[Rangefinder, ...] = ()
    eyes: tuple[Eye, ...] = ()
    objects: tuple[WorldObject, ...] = ()
    rewards: tuple[Reward, ...] = ()
    magnets: tuple[Magnet, ...] = ()
    #: Centre (x, y, z) and radius in m of what is worth looking at.
    focus: tuple[Metres, Metres, Metres, Metres] | None = None
