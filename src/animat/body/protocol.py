"""What the closed loop asks of a body engine, and the arrays that cross between them.

Controls and sensors are named ports with a fixed shape; all float ports of a direction lie behind one
another in one flat float64 vector whose layout stands in `BodyInfo`, so that a step moves two arrays and
nothing else. Images (uint8) have their own period and travel apart.

Port names are `quantity/part`, for example ``activation/Humerus3``, ``effort/joystick_world_joint``,
``wrench/joystick``, ``actuator/left_motor``, ``colour/screen``, ``clamp/Humerus3`` (controls) and ``length/Humerus3``,
``speed/Humerus3``, ``force/Humerus3``, ``angle/radius_foot``, ``velocity/radius_foot``, ``position/joystick``,
``contact/lickometer``, ``closure/foot_joystick``, ``image/eye`` (sensors). ``clamp/MUSCLE`` alone may be NaN: not
clamped. ``applied/MOTOR`` reads what of the control of a motor with a range was applied.
"""

from __future__ import annotations

import math
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from animat.body.model import BodyModel

__all__ = ["BodyEngine", "BodyInfo", "BodyReply", "Cord", "Port", "Scene", "Shape"]


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """A named value of fixed shape; `offset` is its place in the flat vector (-1 for images)."""

    name: str
    unit: str
    shape: tuple[int, ...] = ()
    offset: int = -1
    #: Value at rest (controls): one number for all, or one each.
    rest: float | tuple[float, ...] = 0.0
    low: float = -float("inf")
    high: float = float("inf")
    #: Images only: ticks between two pictures.
    period: int = 0

    @property
    def size(self) -> int:
        """Numbers in one value."""
        return math.prod(self.shape)


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A drawable primitive fixed to a link, at a position in m and quaternion (w, x, y, z) in the link's frame.

    Sizes in m: box (half sizes), sphere (radius), capsule or cylinder (radius, half length along z), plane (half
    sizes), ellipsoid (half axes) or mesh (`vertices` little-endian float32 (n, 3), `faces` uint32 (m, 3)).
    """

    link: int
    kind: str
    size: tuple[float, ...] = ()
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    quaternion: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    colour: tuple[float, float, float, float] = (0.7, 0.7, 0.7, 1.0)
    vertices: bytes = b""
    faces: bytes = b""


class Cord(msgspec.Struct, frozen=True, kw_only=True):
    """A cord through a number of moving points, such as a tendon that a motor pulls; its radius in m."""

    points: int
    radius: float
    colour: tuple[float, float, float, float] = (0.7, 0.7, 0.7, 1.0)


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What a viewer draws, sent once: shapes on links, how many points each muscle's path has, and other cords."""

    shapes: tuple[Shape, ...]
    muscle_points: tuple[int, ...] = ()
    cords: tuple[Cord, ...] = ()
    #: Centre (x, y, z) and radius in m of what is worth looking at.
    focus: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)


class BodyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What can be addressed, in fixed order: controls, sensors, images, muscles, joints, links; and the scene.

    `links` holds "world" first, then links, then world objects (their colours are the controls ``colour/NAME``).
    `joints` are those with one angle or length.
    """

    engine: str
    version: str
    #: The engine's own time step in ticks; an exchange step must be a whole multiple.
    timestep: int
    controls: tuple[Port, ...]
    sensors: tuple[Port, ...]
    images: tuple[Port, ...] = ()
    muscles: tuple[str, ...] = ()
    joints: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    scene: Scene = Scene(shapes=())
    #: What of a model file is not used, or was read in a way that a user may not expect.
    remarks: tuple[str, ...] = ()

    def rest(self) -> NDArray[np.float64]:
        """Return the flat control vector at rest."""
        return np.concatenate([np.full(port.size, port.rest, float) for port in self.controls] or [np.zeros(0)])


class BodyReply(msgspec.Struct, kw_only=True):
    """State at the end of an advance.

    `sensors` is the flat vector; `poses` (links, 7): position in m and quaternion (w, x, y, z) of every link in
    the world; `paths` (points, 3): the muscles' path points one muscle after another, then the cords'; `images` new
    pictures by port name, uint8 (height, width, channels).
    """

    time: int
    sensors: NDArray[np.float64]
    poses: NDArray[np.float64]
    paths: NDArray[np.float64]
    images: dict[str, NDArray[np.uint8]] = {}


class BodyEngine(Protocol):
    """A simulator that runs a body model. `animat.body.conformance.check_body_engine` tests one."""

    def load(self, model: BodyModel) -> BodyInfo:
        """Build the model at its reference pose, time 0."""

    def read(self) -> BodyReply:
        """Return the present state without advancing."""

    def advance(self, controls: NDArray[np.float64], until: int) -> BodyReply:
        """Hold `controls` (flat, in order of `BodyInfo.controls`) and simulate to tick `until`.

        Raises
        ------
        AnimatError
            When the physics warns (NaN, divergence) or a control is not finite; says which and at what time.
        """

    def reset(self) -> None:
        """Return to the state after `load`."""

    def save(self) -> bytes:
        """Return the whole state; `restore` continues bitwise as if never interrupted."""

    def restore(self, state: bytes) -> None:
        """Take a state from `save` of the same model."""

    def close(self) -> None:
        """Free everything; may be called twice."""
