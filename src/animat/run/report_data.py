"""The numbers behind a report's figures, thinned to what a screen can show; arrays travel as base64."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from animat.run.format import Column
from animat.run.profile import later_steps
from animat.run.reader import Run
from animat.run.scene import BodyScene, read_scene

__all__ = ["PROFILE_TEXT", "event_text", "report_data", "run_end"]

_SPIKES = 40_000
_FRAMES = 1_500
_ROWS = 3_000
_LINES = 24

#: Signals by the quantity in their name: where they stand in the report and under which title.
_QUANTITIES = {
    "activation": ("muscles", "Muscle activation"),
    "force": ("muscles", "Muscle force"),
    "length": ("muscles", "Muscle length"),
    "speed": ("muscles", "Muscle speed"),
    "angle": ("joints", "Joint angles"),
    "velocity": ("joints", "Joint velocities"),
}

#: Profile columns that follow one another, from below; the body runs while the brain does.
PROFILE_TEXT = {
    "brain_prepare": ("#7a6bd1", "preparing the kernel (rates take effect)"),
    "brain_kernel": ("#4a7fd0", "simulating neurons and synapses"),
    "brain_read": ("#49a6bd", "reading sinks and spikes"),
    "brain_record": ("#5bb08a", "writing recorded spikes"),
    "exchange": ("#e2a33f", "carrying requests and replies, waking up"),
    "transfer": ("#d9704a", "transfer functions"),
    "record": ("#c0588f", "recording signals and poses"),
    "other": ("#8f98a8", "everything else in the loop"),
    "body": ("#9c8347", "physics, while the brain runs"),
}


def report_data(run: Run) -> dict[str, Any]:
    """Return everything the report's scripts draw, as plain JSON values."""
    return {
        "begin": run.start / 1e9,
        "duration": max(0.0, run_end(run) - run.start / 1e9),
        "raster": _raster(run),
        "rates": _rates(run),
        "signals": _signals(run),
        "bodies": _bodies(run),
        "comparison": _comparison(run),
        "profile": _profile(run),
        "events": _events(run),
    }


def run_end(run: Run) -> float:
    """Return the last recorded time in s."""
    ticks = [np.asarray(table["tick"]) for table in (run.signals, run.body)]
    ends = [float(times[-1]) for times, _ in run.rate_history().values() if len(times)]
    profiled = run.profile.get("tick", np.zeros(0))
    return max([*ends, *(one[-1] / 1e9 for one in (*ticks, profiled) if len(one))], default=0.0)


def _pack(values: Any, kind: str = "<f4") -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


def _stride(rows: int, most: int) -> slice:
    return slice(None, None, max(1, -(-rows // most)))


def _raster(run: Run) -> dict[str, Any] | None:
    total = run.spikes.num_rows
    if not total:
        return None
    chosen = _fair_choice(run.spike_codes, _SPIKES)
    codes = run.spike_codes[chosen]
    used = np.unique(run.spike_codes)
    sizes = np.array([max(1, run.populations.get(run.spike_populations[code], 1)) for code in used])
    code = np.searchsorted(used, codes)
    order = np.argsort(code, kind="stable")
    time = np.asarray(run.spikes["tick"])[chosen] / 1e9
    place = np.asarray(run.spikes["index"])[chosen] / sizes[code]
    return {
        "populations": [
            {"name": run.spike_populations[one], "size": int(size)} for one, size in zip(used, sizes, strict=True)
        ],
        "time": _pack(time[order]),
        "code": _pack(code[order], "<u2"),
        "place": _pack(place[order]),
        "shown": len(chosen),
        "total": total,
    }


def _fair_choice(codes: NDArray[np.integer[Any]], most: int) -> NDArray[np.int64]:
    """Return the places of at most so many spikes: all of quiet populations, the same number of busy ones."""
    if len(codes) <= most:
        return np.arange(len(codes))
    rng = np.random.default_rng(0)
    used, counts = np.unique(codes, return_counts=True)
    share = np.sort(counts)
    left = most - np.concatenate([[0], np.cumsum(share)[:-1]])
    cap = int((left // np.arange(len(share), 0, -1))[np.argmax(share * np.arange(len(share), 0, -1) >= left)])
    parts = [np.flatnonzero(codes == one) for one in used]
    return np.sort(np.concatenate([part if len(part) <= cap else rng.choice(part, cap, False) for part in parts]))


def _rates(run: Run) -> list[dict[str, Any]]:
    means = run.rates()
    found = []
    for name, (times, rates) in run.rate_history().items():
        part = _stride(len(times), 600)
        width = part.step or 1
        whole = len(rates) // width * width
        thinned = rates[:whole].reshape(-1, width).mean(axis=1)
        found.append(
            {
                "name": name,
                "mean": means[name],
                "times": _pack(times[:whole].reshape(-1, width)[:, -1]),
                "values": _pack(thinned),
            }
        )
    return found


def _place(name: str) -> tuple[str, str, str]:
    """Return where a signal stands in the report: section, chart title, and its name within the chart."""
    if "/" not in name:
        function, _, port = name.partition(".")
        parameter, _, value = port.rpartition(".")
        return (
            "others",
            f"{function}: {value or 'variables'}" if port else "Shared variables",
            parameter or port or name,
        )
    *before, quantity, part = name.split("/")
    prefix = "".join(f"{one}: " for one in before if one != "command")
    if "command" in before:
        return "others", f"{prefix}{quantity} (commanded)".capitalize(), part
    section, title = _QUANTITIES.get(quantity, ("others", quantity.capitalize()))
    return section, prefix + title, part


def _signals(run: Run) -> dict[str, Any]:
    table = run.signals
    sections: dict[str, Any] = {"muscles": [], "joints": [], "others": [], "constant": []}
    if not table.num_rows:
        return sections
    part = _stride(table.num_rows, _ROWS)
    sections["times"] = _pack(np.asarray(table["tick"])[part] / 1e9)
    charts: dict[tuple[str, str, str], list[tuple[str, NDArray[np.float64]]]] = {}
    for name, column in run.columns().items():
        section, title, short = _place(name)
        if title.endswith("Orientation"):  # quaternions say nothing as lines; the moving picture shows them
            continue
        values = run.signal(name)[1].reshape(table.num_rows, -1).astype(float)
        for element, line in zip(_elements(column), values.T, strict=True):
            if section == "others" and not np.ptp(line) > 0:
                sections["constant"].append(f"{name}{element} = {line[0]:.6g} {column.unit}".rstrip())
            else:
                charts.setdefault((section, title, column.unit), []).append((short + element, line[part]))
    order = [title for _, title in _QUANTITIES.values()]
    for section, title, unit in sorted(charts, key=lambda key: order.index(key[1]) if key[1] in order else len(order)):
        lines = charts[section, title, unit]
        note = ""
        if len(lines) > _LINES:
            note = f"The {_LINES} of {len(lines)} that change most."
            lines = sorted(lines, key=lambda line: -np.ptp(np.nan_to_num(line[1])))[:_LINES]
        sections[section].append(
            {"title": title, "unit": unit, "note": note, "lines": [{"name": n, "values": _pack(v)} for n, v in lines]}
        )
    return sections


def _comparison(run: Run) -> dict[str, Any] | None:
    """Return the signal that this run and the one in `comparison/` were compared by, or None."""
    found = run.summary.get("comparison")
    if not isinstance(found, dict) or "mean" not in found:
        return None
    name, _, axis = str(found["signal"]).removesuffix("]").partition("[")
    scale, unit = (1000, "mm") if found.get("unit") == "m" else (1, str(found.get("unit", "")))
    direction = int(found.get("direction", 1))
    lines = []
    for label, one in (("this run", run), (", ".join(found.get("settings", [])), Run(run.folder / "comparison"))):
        columns = one.columns()
        if name not in columns:
            return None
        times, values = one.signal(name)
        values = values.reshape(len(times), -1)[:, int(axis or 0)]
        values = scale * direction * (values - values[0])
        part = _stride(len(times), _ROWS)
        lines.append({"name": label, "times": _pack(times[part]), "values": _pack(values[part])})
    mean, final, largest = (scale * found[which] for which in ("mean", "final", "largest"))
    text = (
        f"From {found['after_ms']:g} ms on this run is ahead by {mean:.3g} {unit} on average, "
        f"{final:.3g} {unit} at the end, {largest:.3g} {unit} at most."
    )
    title = f"{found['signal']} from its start" + (", negative direction up" if direction < 0 else "")
    return {"label": str(found["label"]), "title": title, "unit": unit, "lines": lines, "text": text}


def _elements(column: Column) -> Iterable[str]:
    if not column.shape:
        return [""]
    if column.shape == (3,):
        return [" x", " y", " z"]
    return [f"[{','.join(map(str, place))}]" for place in np.ndindex(column.shape)]


def _bodies(run: Run) -> list[dict[str, Any]]:
    columns = run.columns("body")
    found = []
    for body in read_scene(run.folder):
        if f"{body.prefix}poses" not in columns or not run.body.num_rows:
            continue
        times, poses = run.signal(f"{body.prefix}poses", "body")
        if poses.shape[1:] != (len(body.links), 7):
            continue
        part = _stride(len(times), _FRAMES)
        paths = np.zeros((len(times), 0))
        if f"{body.prefix}paths" in columns:
            paths = run.signal(f"{body.prefix}paths", "body")[1]
        found.append(
            {
                **json.loads(msgspec.json.encode(body)),
                "times": _pack(times[part]),
                "poses": _pack(poses[part]),
                "paths": _pack(paths[part]),
                "activation": _pack(_activation(run, body, times)[part]),
            }
        )
    return found


def _activation(run: Run, body: BodyScene, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return every muscle's activation at the body's times, or nothing if it was not recorded."""
    names = [f"{body.prefix}activation/{muscle}" for muscle in body.muscles]
    columns = run.columns()
    if not names or any(name not in columns or columns[name].shape for name in names) or not run.signals.num_rows:
        return np.zeros((len(times), 0))
    return np.stack([np.interp(times, *run.signal(name)) for name in names], axis=1)


def _profile(run: Run) -> dict[str, Any] | None:
    profile = run.profile
    if "step_s" not in profile or "tick" not in profile:
        return None
    later = later_steps(profile)
    if not later.any():
        return None
    columns = {name: values[later] for name, values in profile.items()}
    part = _stride(int(later.sum()), 800)
    width = part.step or 1
    whole = int(later.sum()) // width * width

    def thin(values: NDArray[np.float64]) -> NDArray[np.float64]:
        means: NDArray[np.float64] = values[:whole].reshape(-1, width).mean(axis=1)
        return means

    serial = [name for name in PROFILE_TEXT if name in columns and name != "body"]
    waiting = np.maximum(0.0, columns["step_s"] - sum((columns[name] for name in serial), np.zeros(int(later.sum()))))
    layers = [(name, PROFILE_TEXT[name][0], columns[name]) for name in serial]
    layers.append(("waiting for the body", PROFILE_TEXT["body"][0], waiting))
    dashed = [("body", PROFILE_TEXT["body"][0], columns["body"])] if "body" in columns else []

    def lines(entries: list[tuple[str, str, NDArray[np.float64]]]) -> list[dict[str, str]]:
        return [
            {"name": name, "colour": colour, "values": _pack(1e3 * thin(values))} for name, colour, values in entries
        ]

    return {"times": _pack(thin(columns["tick"]) / 1e9), "layers": lines(layers), "dashed": lines(dashed)}


def _events(run: Run) -> list[dict[str, Any]]:
    return [
        {
            "time": float(event.get("tick") or 0) / 1e9,
            "kind": str(event.get("kind", "event")),
            "text": event_text(event),
            "bad": event.get("state") == "failed" or "fail" in str(event.get("kind")) or event.get("kind") == "warning",
        }
        for event in run.events
    ]


def event_text(event: dict[str, Any]) -> str:
    """Return an event as one line for a reader."""
    if event.get("kind") == "state":
        return str(event.get("state", ""))
    if "text" in event:
        where = f"{event['function']}: " if "function" in event else ""
        return where + str(event["text"])
    silent = ("kind", "tick", "wall", "source", "action", "target", "before")
    rest = {key: value for key, value in event.items() if key not in silent and value not in (None, False, "")}
    values = ", ".join(f"{key} {value}" for key, value in rest.items()).removeprefix("value ")
    return " ".join(str(one) for one in (event.get("action", ""), event.get("target", ""), values) if one)
