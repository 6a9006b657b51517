"""What a run did that is legal but implausible: said as warnings with names and numbers, never as an error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.run.reader import Run
from animat.run.scene import read_scene

__all__ = ["implausible", "saturated_muscles", "silent_populations", "stuck_control"]

#: Recorded time below which silence says nothing, in s.
_SHORT_S = 0.1
#: A neuron is looked at from this rate on (Hz), and its intervals count as the shortest possible up to this ratio.
_FAST_HZ, _SHORTEST = 100.0, 1.1
#: Shortest intervals above this one (s) are no refractory time.
_REFRACTORY_S = 0.005
#: The share of a population's neurons from which on it is told, and of the steps that a muscle is saturated in.
_SHARE, _MOST = 0.1, 0.75
#: Activation from which on a muscle is saturated.
_FULL = 0.99
#: Neurons of a population whose intervals are looked at, and names that are listed.
_NEURONS, _NAMES = 200, 12


def implausible(run: Run) -> list[str]:
    """Return what is implausible in the tables of a run that has ended, one sentence each.

    Populations that never fired; populations of which many neurons fire as fast as their refractory time lets them;
    controls that were at a limit of their range throughout, other than at rest; groups of muscles that were all fully
    active for most of the time.
    """
    seconds = (run.end - run.start) / 1e9
    found: list[str] = []
    for look in (_brains, _bodies):
        try:
            found += look(run, seconds)
        except Exception:
            # A table that was cut off may be anything, and no judgement is worth a summary.
            continue
    return found


def _brains(run: Run, seconds: float) -> list[str]:
    if seconds < _SHORT_S:
        return []
    found = silent_populations(run.spike_counts(), seconds)
    neurons, starts = run.spike_neurons(run.populations)
    counts = np.bincount(neurons, minlength=int(starts[-1]))
    for (name, size), start in zip(run.populations.items(), starts, strict=False):
        fast = start + np.flatnonzero(counts[start : start + size] >= _FAST_HZ * seconds)
        if len(fast) < _SHARE * size or not len(fast):
            continue
        chosen = fast[:: -(-len(fast) // _NEURONS)]
        mine = np.flatnonzero(np.isin(neurons, chosen))
        found += _at_refractory_limit(name, size, len(fast), neurons[mine], np.asarray(run.spikes["tick"])[mine])
    return found


def silent_populations(counts: Mapping[str, int], seconds: float) -> list[str]:
    """Return a warning if populations never fired in a recorded time."""
    silent = [name for name, count in counts.items() if not count]
    if not silent:
        return []
    return [f"{len(silent)} of {len(counts)} populations never fired in {seconds:g} s: {_listed(silent)}"]


def _at_refractory_limit(
    name: str, size: int, fast: int, neurons: NDArray[np.int64], ticks: NDArray[np.int64]
) -> list[str]:
    """Return a warning if neurons fire as fast as they can: at least half of their intervals are the shortest of all.

    Parameters
    ----------
    name, size
        Of their population.
    fast
        How many of its neurons fire fast enough to be looked at.
    neurons, ticks
        Spikes of these neurons, or of some of them.
    """
    order = np.lexsort((ticks, neurons))
    neurons, ticks = neurons[order], ticks[order]
    intervals = np.diff(ticks)[np.diff(neurons) == 0]
    owners = neurons[1:][np.diff(neurons) == 0]
    if not len(intervals) or not 0 < intervals.min() <= _REFRACTORY_S * 1e9:
        return []
    shortest = float(intervals.min())
    _, owner, total = np.unique(owners, return_inverse=True, return_counts=True)
    short = np.bincount(owner, intervals <= _SHORTEST * shortest)
    stuck = round(float(np.mean(short >= total / 2)) * fast)
    if stuck < _SHARE * size:
        return []
    return [
        f"{name}: {stuck:,} of {size:,} neurons fire as fast as their refractory time lets them "
        f"(most of their intervals are the shortest that occurs, {shortest / 1e6:g} ms)"
    ]


def _bodies(run: Run, _seconds: float) -> list[str]:
    columns, found = run.columns(), []
    for body in read_scene(run.folder):
        for name, (low, high) in body.limits.items():
            if name in columns:
                found += stuck_control(name, run.signal(name)[1], low, high, columns[name].unit)
        names = {muscle: f"{body.prefix}activation/{muscle}" for muscle in body.muscles}
        activation = {muscle: run.signal(name)[1] for muscle, name in names.items() if name in columns}
        found += saturated_muscles(activation, body.prefix)
    return found


def stuck_control(name: str, values: NDArray[Any], low: float | None, high: float | None, unit: str = "") -> list[str]:
    """Return a warning for every number of a control, shape (steps, ...), that was at a limit after the first step."""
    if len(values) < 2:
        return []
    later = values[1:].reshape(len(values) - 1, -1)
    found = []
    for limit, which, at in ((low, "lower", np.less_equal), (high, "upper", np.greater_equal)):
        if limit is None:
            continue
        for element in np.flatnonzero(at(later, limit).all(axis=0)):
            place = f"[{element}]" if later.shape[1] > 1 else ""
            found.append(f"{name}{place} was at its {which} limit, {limit:g} {unit}".rstrip() + ", throughout")
    return found


def saturated_muscles(activation: Mapping[str, NDArray[np.float64]], prefix: str = "") -> list[str]:
    """Return a warning for each group of muscles that were all fully active most of the time.

    Muscles are a group whose names differ in a number at the end only, and all of a body.
    """
    full = {name: float(np.mean(values >= _FULL)) for name, values in activation.items() if len(values)}
    groups: dict[str, list[str]] = {}
    for name in full:
        groups.setdefault(re.sub(r"[\W_]*\d+$", "", name), []).append(name)
    if full and min(full.values()) >= _MOST:
        groups = {"all muscles": list(full)}
    return [
        f"{prefix}{group}: all {len(names)} muscles ({_listed(names)}) were fully active in "
        f"{100 * min(full[name] for name in names):.0f} % of the steps or more"
        for group, names in groups.items()
        if len(names) > 1 and min(full[name] for name in names) >= _MOST
    ]


def _listed(names: Sequence[str] | Iterable[str]) -> str:
    shown = list(names)
    rest = len(shown) - _NAMES
    return ", ".join(shown[:_NAMES]) + (f" and {rest} more" if rest > 0 else "")
