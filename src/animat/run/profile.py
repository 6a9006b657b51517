"""Where the time of every step went: reading `profile.csv`, and what it says."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from animat.errors import AnimatError
from animat.run.format import PROFILE

__all__ = ["beyond_kernel_s", "later_steps", "overhead_s", "profile_summary", "read_profile"]

_NOT_TIMES = ("step", "tick", "first")

ProfileColumns = dict[str, NDArray[np.float64]]


def read_profile(folder: Path) -> ProfileColumns:
    """Return the columns of a run's `profile.csv`, one value a step; seconds, except `step`, `tick` and `first`.

    A torn last line is left out.

    Raises
    ------
    AnimatError
        If the file is not made of one number per column.
    """
    path = folder / PROFILE
    content = path.read_bytes() if path.exists() else b""
    header, _, body = content[: content.rfind(b"\n") + 1].partition(b"\n")
    if not header:
        return {}
    names = header.decode("utf-8", "replace").strip().split(",")
    if not body.strip():
        return {name: np.zeros(0) for name in names}
    try:
        values = np.loadtxt(io.BytesIO(body), delimiter=",", ndmin=2)
        if values.shape[1] != len(names):
            raise ValueError
    except ValueError:
        raise AnimatError("a line of this file is not made of one number per column", file=path) from None
    return {name: np.ascontiguousarray(values[:, place]) for place, name in enumerate(names)}


def later_steps(profile: ProfileColumns) -> NDArray[np.bool_]:
    """Return which steps are no first step, which does an engine's last preparations."""
    if "first" in profile:
        return np.equal(profile["first"], 0)
    return np.arange(len(next(iter(profile.values()), []))) > 0


def profile_summary(profile: ProfileColumns) -> dict[str, dict[str, float]]:
    """Return mean and median seconds of every timed column without first steps, and the first step's.

    A run of a single step has that one's everywhere; one without any has nothing.
    """
    later = later_steps(profile)
    if not later.size:
        return {}
    counted = later if later.any() else ~later
    return {
        ("step" if name == "step_s" else name): {
            "mean": float(values[counted].mean()),
            "median": float(np.median(values[counted])),
            "first": float(values[0]),
        }
        for name, values in profile.items()
        if name not in _NOT_TIMES
    }


def overhead_s(profile: ProfileColumns) -> NDArray[np.float64]:
    """Return per step, without the first, what it cost beyond the longer of brain kernel and body."""
    return (profile["step_s"] - np.maximum(profile["brain_kernel"], profile["body"]))[later_steps(profile)]


def beyond_kernel_s(profile: ProfileColumns) -> NDArray[np.float64]:
    """Return per step, without the first, what it cost beyond the brain kernel."""
    return (profile["step_s"] - profile["brain_kernel"])[later_steps(profile)]
