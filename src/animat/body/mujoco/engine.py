"""The MuJoCo body engine: described bodies with Millard muscles, and MJCF, URDF and SDF files as they are."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import msgspec
import mujoco
import numpy as np
from numpy.typing import NDArray

from animat.body.check import check_model
from animat.body.model import BodyModel
from animat.body.mujoco.build import build_spec
from animat.body.mujoco.eye import Camera, RayEye, Seer, cast_ranges
from animat.body.mujoco.meshes import lead
from animat.body.mujoco.ports import Controls, Sensors, name_of
from animat.body.mujoco.scene import Paths, make_scene
from animat.body.mujoco.warnings import Warnings
from animat.body.muscle import RigidTendonMuscles
from animat.body.protocol import BodyInfo, BodyReply, Port
from animat.errors import AnimatError, unknown_name
from animat.units import format_time

__all__ = ["MujocoEngine"]

Array = NDArray[np.float64]
_STATE = mujoco.mjtState.mjSTATE_INTEGRATION


class _State(msgspec.Struct, frozen=True):
    """All that a continuation depends on; the reply is kept because some sensors only arise while stepping."""

    model: str
    time: int
    physics: bytes
    activation: bytes
    sensors: bytes
    images: dict[str, bytes]


class MujocoEngine:
    """Runs a body model in MuJoCo, in this process; stepping releases Python's lock.

    Notes
    -----
    Between two advances everything that follows from positions and speeds is up to date. Muscle forces and magnets are
    computed anew in each time step; with `integrator="RK4"` they hold for its four stages. A picture shows the end of
    the exchange step in which it became due.
    """

    def __init__(self) -> None:
        self._data: Any = None
        self._seers: dict[str, Seer] = {}

    def load(self, model: BodyModel) -> BodyInfo:
        """Build the model at its reference pose, time 0."""
        self.close()
        check_model(model)
        compiled, remarks = _compile(model)
        self._compiled = compiled
        self._timestep = round(compiled.opt.timestep * 1e9)
        if abs(compiled.opt.timestep * 1e9 - self._timestep) > 1e-3:
            raise AnimatError(
                f"the time step {compiled.opt.timestep} s is no whole number of nanoseconds; set `timestep`, e.g. 1 ms"
            )
        self._model = model
        self._data = _start(compiled, model)
        self._controls = Controls(compiled, model, self._data)
        self._sensors = Sensors(compiled, model, self._controls)
        self._paths = Paths(compiled, self._controls)
        self._warnings = Warnings(compiled)
        self._muscles = RigidTendonMuscles(model.muscles)
        self._activation = self._muscles.lowest.copy()
        self._force = np.zeros(len(model.muscles))
        self._contacts = [
            (self._geoms(contact.on), None if contact.by is None else self._geoms(contact.by))
            for contact in model.contacts
        ]
        self._pressed = np.zeros(len(self._contacts))
        self._closures = [compiled.equality(closure.name).id for closure in model.closures]
        self._pulled = np.zeros((len(self._closures), 3))
        self._seers = {
            f"image/{eye.name}": RayEye(compiled, eye) if eye.kind == "rays" else Camera(compiled, eye)
            for eye in model.eyes
        }
        self._time = 0
        #: MuJoCo's two half steps would integrate by Euler's method instead.
        self._in_stages = compiled.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4
        mujoco.mj_forward(compiled, self._data)
        self._contract()
        self._images = {name: seer.see(self._data) for name, seer in self._seers.items()}
        self._vector = self._read_sensors()
        self._initial = self.save()
        images = tuple(
            Port(
                name=f"image/{eye.name}", unit="", shape=(eye.height, eye.width, 3), low=0, high=255, period=eye.period
            )
            for eye in model.eyes
        )
        return BodyInfo(
            engine="mujoco",
            version=mujoco.__version__,
            timestep=self._timestep,
            controls=self._controls.ports,
            sensors=self._sensors.ports,
            images=images,
            muscles=self._controls.muscles,
            joints=self._sensors.joints,
            links=self._sensors.links,
            scene=make_scene(compiled, model, self._paths, self._data),
            remarks=(*remarks, *self._controls.remarks),
        )

    def read(self) -> BodyReply:
        """Return the present state without advancing; images are the latest."""
        return self._reply(dict(self._images))

    def advance(self, controls: Array, until: int) -> BodyReply:
        """Hold `controls` (flat, in order of `BodyInfo.controls`) and simulate to tick `until`."""
        controls = np.asarray(controls, dtype=float)
        self._controls.check(controls)
        steps, left = divmod(until - self._time, self._timestep)
        if steps <= 0 or left:
            raise AnimatError(
                f"cannot advance from {format_time(self._time)} to {format_time(until)}: the interval must be a "
                f"positive multiple of the time step, {format_time(self._timestep)}"
            )
        compiled, data, model = self._compiled, self._data, self._model
        if self._controls.apply(controls, data):
            mujoco.mj_step1(compiled, data)
        magnets = [item for item in self._controls.magnets if controls[item[0]]]
        self._pressed[:] = 0.0
        self._pulled[:] = 0.0
        if model.muscles or model.contacts or model.closures or magnets:
            self._step_singly(controls, steps, magnets)
            self._pressed /= steps
            self._pulled /= steps
        else:
            mujoco.mj_step(compiled, data, steps)
            mujoco.mj_step1(compiled, data)
        self._warnings.check(data, self._time, until)
        due = [eye for eye in model.eyes if until // eye.period > self._time // eye.period]
        self._time = until
        images = {f"image/{eye.name}": self._seers[f"image/{eye.name}"].see(data) for eye in due}
        self._images |= images
        self._vector = self._read_sensors()
        return self._reply(images)

    def reset(self) -> None:
        """Return to the state after `load`."""
        self.restore(self._initial)

    def save(self) -> bytes:
        """Return the whole state; `restore` continues bitwise as if never interrupted."""
        physics = np.empty(mujoco.mj_stateSize(self._compiled, _STATE))
        mujoco.mj_getState(self._compiled, self._data, physics, _STATE)
        return msgspec.msgpack.encode(
            _State(
                self._model.name,
                self._time,
                physics.tobytes(),
                self._activation.tobytes(),
                self._vector.tobytes(),
                {name: image.tobytes() for name, image in self._images.items()},
            )
        )

    def restore(self, state: bytes) -> None:
        """Take a state from `save` of the same model."""
        try:
            found = msgspec.msgpack.decode(state, type=_State)
        except msgspec.DecodeError as error:
            raise AnimatError(f"this is not a saved state of a body: {error}") from None
        physics = np.frombuffer(found.physics)
        if found.model != self._model.name or len(physics) != mujoco.mj_stateSize(self._compiled, _STATE):
            raise AnimatError(f"this state was saved from {found.model!r}, not from this {self._model.name!r}")
        mujoco.mj_resetData(self._compiled, self._data)
        mujoco.mj_setState(self._compiled, self._data, physics, _STATE)
        self._warnings.forget()
        self._activation = np.frombuffer(found.activation).copy()
        self._time = found.time
        mujoco.mj_step1(self._compiled, self._data)
        self._contract()
        self._vector = np.frombuffer(found.sensors).copy()
        self._images = {
            f"image/{eye.name}": np.frombuffer(found.images[f"image/{eye.name}"], np.uint8).reshape(
                eye.height, eye.width, 3
            )
            for eye in self._model.eyes
        }

    def close(self) -> None:
        """Free everything; may be called twice."""
        for seer in self._seers.values():
            seer.close()
        self._seers = {}
        self._data = None

    def _contract(self) -> None:
        """Compute the described muscles' forces at the present lengths and speeds."""
        tendons, data = self._controls.tendons, self._data
        if len(tendons):
            self._force = self._muscles.force(self._activation, data.ten_length[tendons], data.ten_velocity[tendons])

    def _step_singly(self, controls: Array, steps: int, magnets: list[Any]) -> None:
        compiled, data = self._compiled, self._data
        excitation, clamped = self._controls.excitation(controls, own=True)
        held = ~np.isnan(clamped)
        any_held = bool(held.any())
        dynamics, seconds = self._model.activation_dynamics, self._timestep / 1e9
        muscles, motors = self._muscles, self._controls.motors
        target = np.clip(np.where(held, clamped, excitation), muscles.lowest, 1.0)
        applied = data.qfrc_applied.copy()
        if not dynamics:
            self._activation = target
        for _ in range(steps):
            if len(motors):
                if dynamics:
                    reached = muscles.activate(self._activation, target, seconds)
                    self._activation = np.where(held, target, reached) if any_held else reached
                self._contract()
                data.ctrl[motors] = -self._force
            if magnets:
                self._attract(controls, magnets, applied)
            if self._in_stages:
                mujoco.mj_forward(compiled, data)
                self._feel()
                mujoco.mj_step(compiled, data)
            else:
                mujoco.mj_step2(compiled, data)
                self._feel()
            mujoco.mj_step1(compiled, data)
        if magnets:
            data.qfrc_applied[:] = applied
        self._contract()

    def _feel(self) -> None:
        """Add the forces of this time step to what the sensors of contacts and closures read."""
        if self._contacts and self._data.ncon:
            self._touch()
        if self._closures:
            self._pull()

    def _attract(self, controls: Array, magnets: list[Any], applied: Array) -> None:
        """Add each magnet's pull at the present positions to the applied joint efforts."""
        compiled, data = self._compiled, self._data
        total = applied.copy()
        for place, magnet, site in magnets:
            point = data.site_xpos[site.id]
            way = np.array(magnet.home) - point
            distance = float(np.linalg.norm(way))
            pull = controls[place] / (1 + distance / magnet.reach) ** 4
            direction = way / max(distance, 0.01 * magnet.reach)
            body = int(compiled.site_bodyid[site.id])
            mujoco.mj_applyFT(compiled, data, pull * direction, np.zeros(3), point, body, total)
        data.qfrc_applied[:] = total

    def _geoms(self, name: str) -> frozenset[int]:
        names = [name_of(self._compiled, mujoco.mjtObj.mjOBJ_BODY, body) for body in range(self._compiled.nbody)]
        if name not in names:
            raise unknown_name("link", name, names)
        body = names.index(name)
        return frozenset(g for g in range(self._compiled.ngeom) if self._compiled.geom_bodyid[g] == body)

    def _touch(self) -> None:
        """Add the normal forces of this time step's contacts to what the contact sensors read."""
        pairs = self._data.contact.geom
        wrench = np.zeros(6)
        for number, (first, second) in enumerate(pairs.tolist()):
            for place, (on, by) in enumerate(self._contacts):
                if (first in on and (by is None or second in by)) or (second in on and (by is None or first in by)):
                    mujoco.mj_contactForce(self._compiled, self._data, number, wrench)
                    self._pressed[place] += wrench[0]

    def _pull(self) -> None:
        """Add the forces of this time step's closures, on their first links, to what the closure sensors read.

        Rows of equality constraints come first, those of a `connect` along the world's axes; in their Jacobian the
        first site's velocity counts positive, the second's negative.
        """
        rows = self._data.ne
        owners, forces = self._data.efc_id[:rows], self._data.efc_force[:rows]
        for place, closure in enumerate(self._closures):
            self._pulled[place] += forces[owners == closure].reshape(-1, 3).sum(axis=0)

    def _read_sensors(self) -> Array:
        ranges = cast_ranges(self._compiled, self._data, self._model.rangefinders)
        return self._sensors.read(self._data, self._force, self._activation, self._pressed, self._pulled, ranges)

    def _reply(self, images: dict[str, NDArray[np.uint8]]) -> BodyReply:
        data = self._data
        poses = np.concatenate([data.xpos, data.xquat], axis=1)
        return BodyReply(
            time=self._time, sensors=self._vector, poses=poses, paths=self._paths.read(data), images=images
        )


def _compile(model: BodyModel) -> tuple[Any, list[str]]:
    """Return the `mujoco.MjModel` and remarks on what its file says, MuJoCo's own warnings among them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            spec, remarks = build_spec(model)
            try:
                compiled = spec.compile()
            except ValueError:
                if model.source is None or not lead(spec, Path(model.source.path).parent, remarks):
                    raise
                compiled = spec.compile()
        except ValueError as error:
            what = f"MuJoCo cannot build {model.name!r}: {error}"
            if "balanceinertia" in what and model.source is not None and model.source.kind == "urdf":
                what += '; in a URDF file: <mujoco><compiler balanceinertia="true"/></mujoco> within <robot>'
            raise AnimatError(what) from None
    told = [str(warning.message) for warning in caught if warning.category is UserWarning]
    return compiled, remarks + [f"MuJoCo: {' '.join(text.split())}" for text in told]


def _start(compiled: Any, model: BodyModel) -> Any:
    """Return the `mujoco.MjData` at the reference pose or the model's keyframe."""
    data = mujoco.MjData(compiled)
    if model.keyframe is not None:
        names = [name_of(compiled, mujoco.mjtObj.mjOBJ_KEY, key) for key in range(compiled.nkey)]
        if model.keyframe not in names:
            raise unknown_name("keyframe", model.keyframe, names)
        mujoco.mj_resetDataKeyframe(compiled, data, names.index(model.keyframe))
        for item in model.objects:
            mocap = int(compiled.body(item.name).mocapid[0])
            data.mocap_pos[mocap], data.mocap_quat[mocap] = item.position, item.quaternion
    return data
