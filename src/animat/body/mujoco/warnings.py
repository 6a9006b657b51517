"""MuJoCo's warnings as errors: it would only count them and go on."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from animat.body.mujoco.ports import name_of
from animat.errors import AnimatError
from animat.units import format_time

__all__ = ["Warnings"]

_MEANING = {
    mujoco.mjtWarning.mjWARN_INERTIA: "the inertia matrix cannot be inverted",
    mujoco.mjtWarning.mjWARN_CONTACTFULL: "there are more contacts than fit",
    mujoco.mjtWarning.mjWARN_CNSTRFULL: "there are more constraints than fit",
    mujoco.mjtWarning.mjWARN_BADQPOS: "a position is not finite or too large",
    mujoco.mjtWarning.mjWARN_BADQVEL: "a speed is not finite or too large",
    mujoco.mjtWarning.mjWARN_BADQACC: "an acceleration is not finite or too large",
    mujoco.mjtWarning.mjWARN_BADCTRL: "a control is not finite",
}
_OF_A_SPEED = (mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)

# MuJoCo writes its warnings to a log file in the working directory otherwise.
mujoco.set_mju_user_warning(lambda text: None)


class Warnings:
    """Watches a model's warning counters."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self.forget()

    def forget(self) -> None:
        """Start again from counters at zero."""
        self._counted = np.zeros(int(mujoco.mjtWarning.mjNWARNING), int)

    def check(self, data: Any, since: int, until: int) -> None:
        """Raise if the physics warned between the ticks `since` and `until`."""
        counted = np.array(data.warning.number)
        new = counted > self._counted
        self._counted = counted
        if not new.any():
            if np.isfinite(data.qpos).all() and np.isfinite(data.qvel).all():
                return
            raise AnimatError(f"the body diverged {self._when(since, until)}: a position or speed is not finite")
        for warning, meaning in _MEANING.items():
            if new[int(warning)]:
                where = self._where(warning, int(data.warning[int(warning)].lastinfo))
                raise AnimatError(
                    f"the body diverged {self._when(since, until)}: {meaning}{where}. Smaller forces, more damping or "
                    f"a smaller time step (now {self._compiled.opt.timestep * 1e3:g} ms) help"
                )
        raise AnimatError(f"MuJoCo warned {self._when(since, until)}")

    @staticmethod
    def _when(since: int, until: int) -> str:
        return f"between {format_time(since)} and {format_time(until)} of simulated time"

    def _where(self, warning: Any, number: int) -> str:
        compiled = self._compiled
        if warning in _OF_A_SPEED and 0 <= number < compiled.nv:
            return f", at joint {name_of(compiled, mujoco.mjtObj.mjOBJ_JOINT, int(compiled.dof_jntid[number]))}"
        if warning == mujoco.mjtWarning.mjWARN_BADQPOS and 0 <= number < compiled.nq:
            joint = int(np.searchsorted(compiled.jnt_qposadr, number, side="right")) - 1
            return f", at joint {name_of(compiled, mujoco.mjtObj.mjOBJ_JOINT, joint)}"
        return ""
