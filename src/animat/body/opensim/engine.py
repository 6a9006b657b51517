"""The OpenSim body engine: Millard2012EquilibriumMuscle with a compliant tendon, and `.osim` files as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from animat.body.check import check_model
from animat.body.model import BodyModel
from animat.body.opensim.build import Built, build, short
from animat.body.opensim.ports import Controls, make_scene, path_points, sensor_ports
from animat.body.opensim.quiet import import_opensim, quiet
from animat.body.opensim.settings import INTEGRATORS, OpenSimSettings
from animat.body.protocol import BodyInfo, BodyReply
from animat.errors import AnimatError
from animat.units import format_time

__all__ = ["OpenSimEngine"]

Array = NDArray[np.float64]

#: While a magnet is on, its force is set anew after so many ticks.
_MAGNET_STEP = 500_000
#: A diverging model would make the integrator's steps ever shorter and never end; no sound one needs any this short.
_SHORTEST_STEP_S = 1e-7


class _State(msgspec.Struct, frozen=True):
    """All that a continuation depends on."""

    model: str
    time: int
    values: bytes
    controls: bytes


class OpenSimEngine:
    """Runs a body model in OpenSim, in this process. OpenSim holds Python's lock while it simulates.

    Notes
    -----
    Every advance uses a new integrator, so that a restored state continues bitwise. Contacts, eyes and rangefinders
    of a model have no ports here; world objects are drawn and otherwise ignored. Steps of the integrator differ in
    length, so a closure's force is the one at the end of the exchange step, not the mean over it.
    """

    def __init__(self, settings: OpenSimSettings) -> None:
        self._settings = settings
        self._osim = import_opensim()
        self._built: Built | None = None

    def load(self, model: BodyModel) -> BodyInfo:
        """Build the model at its reference pose, time 0."""
        self.close()
        check_model(model)
        with quiet(), self._explained(f"OpenSim cannot build {model.name!r}"):
            built = self._built = build(model, self._settings)
            _equilibrate(built)
            self._controls = Controls(built, model)
            sensors = sensor_ports(built, model)
        self._model = model
        self._now = self._controls.rest.copy()
        self._state = self._osim.State(built.state)
        self._time = 0
        self._set_controls(self._now)
        with quiet(), self._explained(f"OpenSim cannot start {model.name!r}"):
            built.model.realizeDynamics(self._state)
            scene = make_scene(built, model, self._state)
        self._initial = self.save()
        return BodyInfo(
            engine="opensim",
            version=self._osim.GetVersion().split("-")[0],
            timestep=1,
            controls=self._controls.ports,
            sensors=sensors,
            muscles=tuple(built.muscles),
            joints=tuple(built.coordinates),
            links=(*built.bodies, *(item.name for item in model.objects)),
            scene=scene,
        )

    def read(self) -> BodyReply:
        """Return the present state without advancing."""
        self._loaded()
        with self._explained("OpenSim cannot compute the present state"):
            self._realize()
            return BodyReply(time=self._time, sensors=self._sense(), poses=self._poses(), paths=self._paths())

    def advance(self, controls: Array, until: int) -> BodyReply:
        """Hold `controls` (flat, in order of `BodyInfo.controls`) and simulate to tick `until`."""
        self._loaded()
        controls = np.array(controls, dtype=float)
        self._controls.check(controls)
        if until <= self._time:
            raise AnimatError(f"cannot advance from {format_time(self._time)} to {format_time(until)}: time only grows")
        self._set_controls(controls)
        held = self._controls.held(controls)
        with (
            quiet(),
            self._explained(f"OpenSim's physics failed between {format_time(self._time)} and {format_time(until)}"),
        ):
            for muscle, value in held:
                muscle.setActivation(self._state, value)
            magnetic = self._controls.magnets_on(controls)
            while self._time < until:
                end = min(until, self._time + _MAGNET_STEP) if magnetic else until
                self._controls.attract(controls, self._state)
                self._integrate(end)
            self._realize()
        reply = BodyReply(time=self._time, sensors=self._sense(), poses=self._poses(), paths=self._paths())
        if not np.isfinite(reply.sensors).all():
            raise AnimatError(f"OpenSim's physics diverged before {format_time(until)}: a sensor is not a number")
        return reply

    def reset(self) -> None:
        """Return to the state after `load`."""
        self.restore(self._initial)

    def save(self) -> bytes:
        """Return the whole state; `restore` continues bitwise as if never interrupted."""
        self._loaded()
        values = self._state.getY()
        return msgspec.msgpack.encode(
            _State(self._model.name, self._time, values.to_numpy().tobytes(), self._now.tobytes())
        )

    def restore(self, state: bytes) -> None:
        """Take a state from `save` of the same model."""
        self._loaded()
        try:
            found = msgspec.msgpack.decode(state, type=_State)
        except msgspec.DecodeError as error:
            raise AnimatError(f"this is not a saved state of a body: {error}") from None
        values, controls = np.frombuffer(found.values), np.frombuffer(found.controls)
        if found.model != self._model.name or len(values) != self._state.getNY() or controls.shape != self._now.shape:
            raise AnimatError(f"this state was saved from {found.model!r}, not from this {self._model.name!r}")
        with quiet(), self._explained("OpenSim cannot take this state"):
            self._place(values.copy(), found.time)
            self._set_controls(controls.copy())

    def close(self) -> None:
        """Free everything; may be called twice."""
        self._built = None

    def _loaded(self) -> Built:
        if self._built is None:
            raise AnimatError("this body engine has no model; call load first")
        return self._built

    def _integrate(self, until: int) -> None:
        osim, built = self._osim, self._loaded()
        manager = osim.Manager(built.model)
        manager.setWriteToStorage(False)
        manager.setPerformAnalyses(False)
        manager.setIntegratorMethod(getattr(osim.Manager, f"IntegratorMethod_{INTEGRATORS[self._settings.integrator]}"))
        manager.setIntegratorMinimumStepSize(_SHORTEST_STEP_S)
        manager.setIntegratorAccuracy(self._settings.accuracy)
        manager.initialize(self._state)
        result = manager.integrate(until / 1e9)
        if round(result.getTime() * 1e9) != until:
            raise AnimatError(f"OpenSim stopped at {format_time(round(result.getTime() * 1e9))} and does not say why")
        # A copied State would keep stale poses in its cache; setting the values of the one that stays makes them new.
        self._place(result.getY().to_numpy().copy(), until)

    def _place(self, values: Array, time: int) -> None:
        self._state.setTime(time / 1e9)
        self._state.setY(self._osim.Vector.createFromMat(values))
        self._time = time

    def _set_controls(self, controls: Array) -> None:
        self._now = controls
        self._controls.apply(controls, self._state)

    def _realize(self) -> None:
        """Bring the present state's forces up to date; a closure's needs accelerations, too."""
        built, state = self._loaded(), self._state
        self._controls.attract(self._now, state)
        if built.closures:
            built.model.realizeAcceleration(state)
        else:
            built.model.realizeDynamics(state)

    def _sense(self) -> Array:
        built, state = self._loaded(), self._state
        readers: tuple[Callable[[Any], float], ...] = (
            lambda muscle: muscle.getLength(state),
            lambda muscle: muscle.getLengtheningSpeed(state),
            lambda muscle: muscle.getActuation(state),
            lambda muscle: muscle.getActivation(state),
        )
        values = [read(muscle) for read in readers for muscle in built.muscles.values()]
        values += [coordinate.getValue(state) for coordinate in built.coordinates.values()]
        values += [coordinate.getSpeedValue(state) for coordinate in built.coordinates.values()]
        poses = self._poses()[1:]
        return np.concatenate([values, poses[:, :3].ravel(), poses[:, 3:].ravel(), *self._closure_forces()])

    def _closure_forces(self) -> list[Array]:
        """Return the force in N, along the world's axes, that each closure exerts on its first link.

        Recorded is what OpenSim's equations of motion subtract (M du/dt + G^T lambda = f), hence the minus.
        """
        forces = []
        for tie, common in self._loaded().closures.values():
            record = tie.getRecordValues(self._state)
            turned = common.expressVectorInGround(self._state, self._osim.Vec3(*(record.get(i) for i in range(3))))
            forces.append(-np.array([turned.get(i) for i in range(3)]))
        return forces

    def _poses(self) -> Array:
        built, state = self._loaded(), self._state
        poses = np.empty((len(built.bodies) + len(self._model.objects), 7))
        for place, body in enumerate(built.bodies.values()):
            transform = body.getTransformInGround(state)
            origin, turn = transform.p(), transform.R().convertRotationToQuaternion()
            poses[place] = [*(origin.get(i) for i in range(3)), *(turn.get(i) for i in range(4))]
        poses[len(built.bodies) :] = self._controls.object_poses(self._now)
        return poses

    def _paths(self) -> Array:
        built, state = self._loaded(), self._state
        points = []
        for muscle in built.muscles.values():
            for point in path_points(muscle):
                place = point.getLocationInGround(state)
                points.append([place.get(i) for i in range(3)])
        return np.array(points, dtype=float).reshape(-1, 3)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turn OpenSim's errors into the project's."""
        try:
            yield
        except (RuntimeError, ValueError, OverflowError) as error:
            raise AnimatError(f"{what}: {short(error)}") from None


def _equilibrate(built: Built) -> None:
    """Bring fibres and tendons into equilibrium; says which muscle has none."""
    try:
        built.model.equilibrateMuscles(built.state)
    except RuntimeError as error:
        for name, muscle in built.muscles.items():
            try:
                muscle.computeEquilibrium(built.state)
            except RuntimeError:
                raise AnimatError(
                    f"fibre and tendon of muscle {name!r} ({muscle.getConcreteClassName()}) find no equilibrium at the "
                    "reference pose; compare its path's length with the tendon's slack and the fibre's optimal length "
                    f"({short(error)})"
                ) from None
        raise
