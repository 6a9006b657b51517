"""The ports of a compiled MuJoCo model: their names and where their numbers lie in MuJoCo's arrays."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from animat.body.layout import Layout
from animat.body.model import BodyModel
from animat.body.mujoco.build import ENDLESS, muscle_name
from animat.errors import AnimatError, unknown_name

__all__ = ["Controls", "Sensors", "name_of"]

Array = NDArray[np.float64]
Index = NDArray[np.intp]
_HINGE, _SLIDE, _BALL = (
    int(kind) for kind in (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE, mujoco.mjtJoint.mjJNT_BALL)
)
_SCALAR_JOINTS = (_HINGE, _SLIDE)


def name_of(compiled: Any, kind: Any, number: int) -> str:
    """Return the name of a part by its number."""
    return mujoco.mj_id2name(compiled, kind, number) or ""


def _index(values: list[int]) -> Index:
    return np.array(values, dtype=np.intp)


def _length_unit(compiled: Any, actuator: int) -> str:
    """Return the unit of an actuator's length: rad about hinges, m along slides, paths and lines."""
    kind, target = int(compiled.actuator_trntype[actuator]), int(compiled.actuator_trnid[actuator, 0])
    if kind in (mujoco.mjtTrn.mjTRN_JOINT, mujoco.mjtTrn.mjTRN_JOINTINPARENT):
        return {_SLIDE: "m", _HINGE: "rad", _BALL: "rad"}.get(int(compiled.jnt_type[target]), "")
    if kind != mujoco.mjtTrn.mjTRN_TENDON:
        return "m" if kind == mujoco.mjtTrn.mjTRN_SLIDERCRANK else ""
    wraps = slice(compiled.tendon_adr[target], compiled.tendon_adr[target] + compiled.tendon_num[target])
    if not (compiled.wrap_type[wraps] == mujoco.mjtWrap.mjWRAP_JOINT).all():
        return "m"
    joints = {int(compiled.jnt_type[joint]) for joint in compiled.wrap_objid[wraps]}
    return {frozenset([_HINGE]): "rad", frozenset([_SLIDE]): "m"}.get(frozenset(joints), "")


def _effort_unit(length_unit: str) -> str:
    return {"rad": "N m", "m": "N"}.get(length_unit, "")


def _unit_of(compiled: Any, actuator: int) -> str:
    """Return the unit of an actuator's control."""
    length = _length_unit(compiled, actuator)
    if not length:
        return ""
    bias = compiled.actuator_biasprm[actuator]
    return length if bias[1] else f"{length}/s" if bias[2] else _effort_unit(length)


class Controls:
    """The control ports, and `apply`, which puts a flat vector into MuJoCo's inputs.

    At rest, controls are what `data` holds at the start, or the nearest that their range allows.
    """

    def __init__(self, compiled: Any, model: BodyModel, data: Any) -> None:
        self._compiled = compiled
        self.remarks: list[str] = []
        layout = Layout()
        actuators = {name_of(compiled, mujoco.mjtObj.mjOBJ_ACTUATOR, a): a for a in range(compiled.nu)}
        hidden = {muscle_name(muscle.name) for muscle in model.muscles}
        hidden |= {name for name in actuators for drive in model.drives if name.startswith(f"drive {drive.name} ")}
        own = [muscle.name for muscle in model.muscles]
        ready = [n for n, a in actuators.items() if compiled.actuator_dyntype[a] == mujoco.mjtDyn.mjDYN_MUSCLE]
        for name in ready:
            if name in own:
                raise AnimatError(f"{name!r} is a muscle of the file already")
        #: Muscles described by the model, then those of a source file.
        self.muscles = (*own, *ready)
        self.motors = _index([actuators[muscle_name(name)] for name in own])
        self.tendons = compiled.actuator_trnid[self.motors, 0] if own else _index([])
        self.ready = _index([actuators[name] for name in ready])
        self._ready_acts = _index([int(compiled.actuator_actadr[a]) for a in self.ready])
        #: Whether a file's muscles are told their activation, not their excitation.
        self._told_activation = model.activation_dynamics is False
        self._activations = slice(0, len(self.muscles))
        for name in self.muscles:
            rest = float(np.clip(data.ctrl[actuators[name]], 0.0, 1.0)) if name in actuators else 0.0
            layout.add(f"activation/{name}", "", rest=rest, low=0.0, high=1.0)
        self._clamps = slice(layout.size, layout.size + len(self.muscles))
        for name in self.muscles:
            layout.add(f"clamp/{name}", "", rest=float("nan"), low=0.0, high=1.0)
        shown = {name: a for name, a in actuators.items() if name not in hidden and name not in ready}
        off = [name for name in actuators if self._is_off(actuators[name])]
        if off:
            self.remarks.append(f"the file switches these actuators off, so they do nothing: {', '.join(off)}")
        self._actuators = _index(list(shown.values()))
        self._commands = slice(layout.size, layout.size + len(shown))
        #: Names of those that are held within a range.
        self.limited: dict[str, int] = {}
        clamped = not compiled.opt.disableflags & int(mujoco.mjtDisableBit.mjDSBL_CLAMPCTRL)
        for name, a in shown.items():
            low, high = -np.inf, np.inf
            if compiled.actuator_ctrllimited[a] and clamped:
                low, high = (
                    float(end) if abs(end) < ENDLESS else end * np.inf for end in compiled.actuator_ctrlrange[a]
                )
                self.limited[name] = a
            rest = float(np.clip(data.ctrl[a], low, high))
            layout.add(f"actuator/{name}", _unit_of(compiled, a), rest=rest, low=float(low), high=float(high))
        self._drives: list[tuple[slice, Index, Array]] = []
        for drive in model.drives:
            place = layout.add(f"twist/{drive.name}", "m/s, rad/s", (2,))
            if drive.kind == "ideal":
                moved = _index([actuators[f"drive {drive.name} {number}"] for number in (0, 2)])
                self._drives.append((place, moved, np.eye(2)))
                continue
            for name in (*drive.left, *drive.right):
                if name not in actuators:
                    raise unknown_name("velocity actuator", name, shown)
            moved = _index([actuators[name] for name in (*drive.left, *drive.right)])
            side = np.array([-1.0] * len(drive.left) + [1.0] * len(drive.right))
            gains = np.column_stack([np.ones(len(side)), side * drive.separation / 2]) * (2 / drive.diameter)
            self._drives.append((place, moved, gains))
        self.magnets = [
            (layout.add(f"magnet/{magnet.name}", "N").start, magnet, compiled.site(f"magnet {magnet.name}"))
            for magnet in model.magnets
        ]
        self._efforts, self._dofs = self._add_efforts(layout)
        self._bodies = _index([b for b in range(1, compiled.nbody) if compiled.body_dofnum[compiled.body_weldid[b]]])
        self._wrenches = slice(layout.size, layout.size + 6 * len(self._bodies))
        for body in self._bodies:
            layout.add(f"wrench/{name_of(compiled, mujoco.mjtObj.mjOBJ_BODY, body)}", "N, N m", (6,))
        self._add_objects(layout, model)
        self._add_mocap(layout, model, data)
        self.ports = tuple(layout.ports)
        self.size = layout.size
        self._may_be_nan = np.zeros(self.size, bool)
        self._may_be_nan[self._clamps] = True

    def _is_off(self, actuator: int) -> bool:
        option, group = self._compiled.opt, int(self._compiled.actuator_group[actuator])
        everything = option.disableflags & int(mujoco.mjtDisableBit.mjDSBL_ACTUATION)
        return bool(everything or (0 <= group < 31 and option.disableactuator >> group & 1))

    def _add_efforts(self, layout: Layout) -> tuple[slice, Index]:
        compiled, first, dofs = self._compiled, layout.size, []
        for joint in range(compiled.njnt):
            if compiled.jnt_type[joint] in _SCALAR_JOINTS:
                unit = "N m" if compiled.jnt_type[joint] == _SCALAR_JOINTS[0] else "N"
                layout.add(f"effort/{name_of(compiled, mujoco.mjtObj.mjOBJ_JOINT, joint)}", unit)
                dofs.append(int(compiled.jnt_dofadr[joint]))
        return slice(first, layout.size), _index(dofs)

    def _add_objects(self, layout: Layout, model: BodyModel) -> None:
        compiled = self._compiled
        self._objects: list[tuple[slice, slice, int, Index]] = []
        #: The colour at rest and each shape's own, which stand while the control is at rest.
        self._described: list[tuple[Array, Array]] = []
        mocap: dict[str, int] = {}
        for item in model.objects:
            body = compiled.body(item.name).id
            geoms = _index([geom for geom in range(compiled.ngeom) if compiled.geom_bodyid[geom] == body])
            colour = item.shapes[0].colour if item.shapes else (0.0, 0.0, 0.0, 1.0)
            paint = layout.add(f"colour/{item.name}", "", (4,), rest=colour, low=0.0, high=1.0)
            pose = layout.add(f"pose/{item.name}", "m, 1", (7,), rest=(*item.position, *item.quaternion))
            mocap[item.name] = int(compiled.body_mocapid[body])
            self._objects.append((paint, pose, mocap[item.name], geoms))
            self._described.append((np.array(colour), compiled.geom_rgba[geoms].copy()))
        self._rewards: list[tuple[int, int, Array]] = []
        for reward in model.rewards:
            if reward.drop not in mocap:
                raise unknown_name("object", reward.drop, mocap)
            place = layout.add(f"reward/{reward.name}", "", low=0.0, high=1.0).start
            self._rewards.append((place, mocap[reward.drop], np.array(reward.offset)))

    def _add_mocap(self, layout: Layout, model: BodyModel, data: Any) -> None:
        """Add the pose of every body of a file that moves as it is told."""
        compiled, objects = self._compiled, {item.name for item in model.objects}
        self._moved: list[tuple[slice, int]] = []
        for body in range(1, compiled.nbody):
            name, mocap = name_of(compiled, mujoco.mjtObj.mjOBJ_BODY, body), int(compiled.body_mocapid[body])
            if mocap >= 0 and name not in objects:
                rest = (*data.mocap_pos[mocap].tolist(), *data.mocap_quat[mocap].tolist())
                self._moved.append((layout.add(f"pose/{name}", "m, 1", (7,), rest=rest), mocap))

    def applied(self, data: Any) -> Array:
        """Return what of the controls of `limited` was applied: the nearest that their range allows."""
        places = _index(list(self.limited.values()))
        low, high = self._compiled.actuator_ctrlrange[places].T
        applied: Array = np.clip(data.ctrl[places], low, high)
        return applied

    def check(self, controls: Array) -> None:
        """Refuse a vector of another length, and numbers that are not finite, by port name."""
        if controls.shape != (self.size,):
            raise AnimatError(f"the control vector has shape {controls.shape}; this body's has ({self.size},)")
        wrong = ~np.isfinite(controls) & ~(self._may_be_nan & np.isnan(controls))
        if wrong.any():
            place = int(np.argmax(wrong))
            port = next(port for port in self.ports if port.offset <= place < port.offset + port.size)
            raise AnimatError(f"control {port.name} is {controls[place]}; it must be finite")

    def excitation(self, controls: Array, own: bool) -> tuple[Array, Array]:
        """Return what muscles are told and what they are clamped to (NaN: free); described ones or a file's."""
        part = slice(0, len(self.motors)) if own else slice(len(self.motors), None)
        return controls[self._activations][part], controls[self._clamps][part]

    def apply(self, controls: Array, data: Any) -> bool:
        """Put the vector into `data`; return whether an object moved, so that kinematics are out of date."""
        told = np.zeros(self._compiled.nu)
        told[self._actuators] = controls[self._commands]
        for place, moved, gains in self._drives:
            told[moved] += gains @ controls[place]
        if len(self.ready):
            free, clamped = self.excitation(controls, own=False)
            held = ~np.isnan(clamped)
            told[self.ready] = np.where(held, clamped, free)
            held |= self._told_activation
            data.act[self._ready_acts[held]] = np.clip(told[self.ready][held], 0.0, 1.0)
        data.ctrl[:] = told
        data.qfrc_applied[:] = 0.0
        data.qfrc_applied[self._dofs] = controls[self._efforts]
        data.xfrc_applied[self._bodies] = controls[self._wrenches].reshape(-1, 6)
        before = data.mocap_pos.tobytes(), data.mocap_quat.tobytes()
        compiled = self._compiled
        for (paint, pose, mocap, geoms), (colour, shades) in zip(self._objects, self._described, strict=True):
            data.mocap_pos[mocap], data.mocap_quat[mocap] = controls[pose][:3], controls[pose][3:]
            compiled.geom_rgba[geoms] = shades if (controls[paint] == colour).all() else controls[paint]
        for pose, mocap in self._moved:
            data.mocap_pos[mocap], data.mocap_quat[mocap] = controls[pose][:3], controls[pose][3:]
        for valve, mocap, offset in self._rewards:
            data.mocap_pos[mocap] += float(np.clip(controls[valve], 0.0, 1.0)) * offset
        return before != (data.mocap_pos.tobytes(), data.mocap_quat.tobytes())


class Sensors:
    """The sensor ports, and `read`, which collects them from MuJoCo's results."""

    def __init__(self, compiled: Any, model: BodyModel, controls: Controls) -> None:
        self._compiled, self._controls = compiled, controls
        layout = Layout()
        own = len(controls.muscles) - len(controls.ready)
        units = ["m"] * own + [_length_unit(compiled, actuator) for actuator in controls.ready]
        for quantity in ("length", "speed", "force", "activation"):
            for name, unit in zip(controls.muscles, units, strict=True):
                speed = f"{unit}/s" if unit else ""
                unit = {"length": unit, "speed": speed, "force": _effort_unit(unit), "activation": ""}[quantity]
                layout.add(f"{quantity}/{name}", unit)
        scalar = [j for j in range(compiled.njnt) if compiled.jnt_type[j] in _SCALAR_JOINTS]
        self.joints = tuple(name_of(compiled, mujoco.mjtObj.mjOBJ_JOINT, joint) for joint in scalar)
        self._angles, self._speeds = _index([int(compiled.jnt_qposadr[j]) for j in scalar]), controls._dofs
        for quantity, end in (("angle", ""), ("velocity", "/s")):
            for joint, name in zip(scalar, self.joints, strict=True):
                layout.add(
                    f"{quantity}/{name}", ("rad" if compiled.jnt_type[joint] == _SCALAR_JOINTS[0] else "m") + end
                )
        bodies = [name_of(compiled, mujoco.mjtObj.mjOBJ_BODY, body) for body in range(1, compiled.nbody)]
        self.links = ("world", *bodies)
        for name in bodies:
            layout.add(f"position/{name}", "m", (3,))
        for name in bodies:
            layout.add(f"orientation/{name}", "", (4,))
        for contact in model.contacts:
            layout.add(f"contact/{contact.name}", "N")
        for closure in model.closures:
            layout.add(f"closure/{closure.name}", "N", (3,))
        for finder in model.rangefinders:
            layout.add(f"range/{finder.name}", "m")
        for sensor in range(compiled.nsensor):
            size = int(compiled.sensor_dim[sensor])
            name = name_of(compiled, mujoco.mjtObj.mjOBJ_SENSOR, sensor)
            layout.add(f"sensor/{name}", "", () if size == 1 else (size,))
        for name, actuator in controls.limited.items():
            layout.add(f"applied/{name}", _unit_of(compiled, actuator))
        self.ports = tuple(layout.ports)

    def read(
        self, data: Any, force: Array, activation: Array, contacts: Array, closures: Array, ranges: Array
    ) -> Array:
        """Return the flat sensor vector; `force` and `activation` are those of the described muscles."""
        compiled, controls = self._compiled, self._controls
        ready = controls.ready
        acts = compiled.actuator_actadr[ready] if len(ready) else ready
        return np.concatenate(
            [
                data.ten_length[controls.tendons],
                data.actuator_length[ready],
                data.ten_velocity[controls.tendons],
                data.actuator_velocity[ready],
                force,
                -data.actuator_force[ready],
                activation,
                data.act[acts],
                data.qpos[self._angles],
                data.qvel[self._speeds],
                data.xpos[1:].ravel(),
                data.xquat[1:].ravel(),
                contacts,
                closures.ravel(),
                ranges,
                data.sensordata,
                controls.applied(data),
            ]
        )
