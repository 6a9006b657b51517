"""Finish the folder of a run whose simulation could not: killed, crashed, out of time."""

from __future__ import annotations

import json
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from animat.errors import AnimatError
from animat.link.identity import Identity, alive
from animat.run.files import free_reserve, write_error, write_json
from animat.run.finish import finish_folder, is_finished
from animat.run.format import CONTROL, END_OF_STREAM, EVENTS, PROFILE, SUMMARY
from animat.run.profile import profile_summary
from animat.run.reader import Run, open_run, whole_batches

__all__ = ["KILLED", "Repaired", "living", "repair"]

#: What is said of a run whose end nobody saw.
KILLED = "the simulation ended without a word: killed, crashed, out of memory or time, or its machine stopped"

#: States that a simulation ends in, as events and summaries name them.
_ENDS = ("completed", "stopped", "failed")
#: Runs that a run may hold: of its comparison, its verification, and before its resets.
_WITHIN = ("comparison", "verify", "episodes/*")
#: At most so much is taken for a piece that was being written when the simulation ended, and cut off.
_TORN_BYTES = 1 << 20


@dataclass(frozen=True)
class Repaired:
    """What a run's state is now, what was done to its folder, and what could not be done, in words."""

    state: str
    done: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def repair(folder: str | Path, reason: str = KILLED, *, ended: bool = False) -> Repaired:
    """Finish the folder of a run whose simulation has ended without doing so, and remove what it left behind.

    Tables and lists lose the piece that was being written; spikes are gathered, Parquet copies made, `summary.json` is
    written if there is none, with the state "failed", ``cut_off: true`` and `reason`. What a simulation has finished
    stays as it is, so that this can be done again, also if it is cut off itself.

    Parameters
    ----------
    reason
        Why it ended, for the reader of the summary.
    ended
        It is known that it has ended. Without, its process must be seen to have: that of another machine cannot be.

    Raises
    ------
    AnimatError
        If the folder holds no run, or its simulation lives or may live.
    """
    place = open_run(folder).folder
    process = None if ended else living(place)
    if process is not None:
        raise AnimatError(
            f"its simulation may still be running: process {process.pid} on {process.host}; stop it first "
            f"(animat attach {place} stop). If that machine is another one, or was started anew, and you know that it "
            "has ended, say so: --ended",
            file=place,
        )
    done: list[str] = []
    problems: list[str] = []
    free_reserve(place)
    if not (place / SUMMARY).exists() or not is_finished(place):
        for work in (_end_lists, _end_tables, lambda one: _end_events(one, reason), lambda one: _sum_up(one, reason)):
            _try(work, place, done, problems)
        _try(_finish, place, done, problems)
    _try(lambda one: _sum_up_comparison(one, reason), place, done, problems)
    for inner in (path for pattern in _WITHIN for path in sorted(place.glob(pattern))):
        with suppress(AnimatError):
            found = repair(inner, reason, ended=True)
            done += [f"{inner.relative_to(place)}: {one}" for one in found.done]
            problems += found.problems
    done += _remove_left_overs(place)
    return Repaired(str(_read_summary(place).get("state", "failed")), tuple(done), tuple(problems))


def living(folder: Path) -> Identity | None:
    """Return the process of the simulation that runs in a folder, or may; None if it has ended for certain."""
    try:
        process = msgspec.convert(json.loads((folder / CONTROL).read_text(encoding="utf-8"))["process"], Identity)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return process if alive(process) else None


def _try(work: Callable[[Path], list[str]], folder: Path, done: list[str], problems: list[str]) -> None:
    """Do one part of the work; what is damaged in one file must not keep the rest from being saved."""
    try:
        done += work(folder)
    except AnimatError as error:
        problems.append(str(error))
    except OSError as error:
        problems.append(str(write_error(Path(error.filename or folder), error)))


def _end_lists(folder: Path) -> list[str]:
    """Cut half a last line off the lists of events and steps."""
    done = []
    for path in (folder / EVENTS, folder / PROFILE):
        content = path.read_bytes() if path.exists() else b""
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            _cut(path, whole)
            done.append(f"{path.name}: half a line cut off at its end")
    return done


def _end_tables(folder: Path) -> list[str]:
    """Cut half a piece off the tables, and mark them as complete.

    Raises
    ------
    AnimatError
        If a table is damaged elsewhere than at its end: it stays as it is, for somebody who can save more of it.
    """
    done: list[str] = []
    damaged: list[AnimatError] = []
    for path in sorted(folder.glob("*.arrow")):
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - len(END_OF_STREAM)))
            if file.read() == END_OF_STREAM:
                continue
        found = whole_batches(path)
        if found is None or size - found[1] > _TORN_BYTES + _row_bytes(found[0].schema):
            where = "not even its columns are whole" if found is None else f"nothing is readable after byte {found[1]}"
            damaged.append(AnimatError(f"this table is damaged: {where}", file=path))
            continue
        _cut(path, found[1], END_OF_STREAM)
        done.append(f"{path.name}: {found[0].num_rows} rows, {size - found[1]} bytes of a torn one cut off")
    if damaged:
        raise damaged[0]
    return done


def _row_bytes(schema: pa.Schema) -> int:
    vectors = [int(field.type.list_size) for field in schema if pa.types.is_fixed_size_list(field.type)]
    return 8 * (len(schema) + sum(vectors))


def _cut(path: Path, size: int, ending: bytes = b"") -> None:
    with path.open("r+b") as file:
        file.truncate(size)
        file.seek(size)
        file.write(ending)


def _end_events(folder: Path, reason: str) -> list[str]:
    """Add the end of the run to its events, if that is not among them."""
    run = open_run(folder)
    before = _last_state(run)
    if before.get("state") in _ENDS or not (folder / EVENTS).exists():
        return []
    content = {
        "kind": "state",
        "tick": run.end,
        "wall": time.time(),
        "state": "failed",
        "before": before.get("state", "created"),
        "text": f"failed: {reason}",
    }
    with (folder / EVENTS).open("ab") as file:
        file.write((json.dumps(content, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace"))
    return []


def _sum_up(folder: Path, reason: str) -> list[str]:
    """Write `summary.json` of what was recorded, if there is none."""
    if (folder / SUMMARY).exists():
        return []
    from animat.run.implausible import implausible  # with the words of bodies, which take time to import

    run = open_run(folder)
    last = _last_state(run)
    ended = "text" not in last and int(last.get("tick", 0)) <= run.end
    state = str(last["state"]) if ended and last.get("state") in _ENDS else "failed"
    cut_off = state == "failed"
    brains = run.manifest.get("brains", {}).values()
    step = int(run.manifest.get("step_ns", 0))
    speed = profile_summary(run.profile).get("step", {}).get("mean")
    walls = [float(event["wall"]) for event in run.events if "wall" in event]
    write_json(
        folder / SUMMARY,
        {
            "name": run.manifest.get("name", folder.name),
            "state": state,
            "reason": "" if cut_off else str(last.get("reason", "")),
            "error": reason if cut_off else "",
            "cut_off": cut_off,
            "steps": run.steps,
            "begin_ms": run.start / 1e6,
            "simulated_ms": (run.end - run.start) / 1e6,
            "wall_s": max(walls, default=0.0) - min(walls, default=0.0),
            "real_time_factor": step / 1e9 / speed if speed and step else None,
            "profile": profile_summary(run.profile),
            "neurons": sum(int(brain.get("neurons", 0)) for brain in brains),
            "synapses": sum(int(brain.get("synapses", 0)) for brain in brains),
            "spikes": sum(run.spike_counts().values()),
            "rates_hz": run.rates(),
            "peak_memory_mb": {},
            "transfer_functions_put_aside": [
                {"function": event.get("function", ""), "problem": event.get("text", "")}
                for event in run.events
                if event.get("kind") == "transfer_function_failed"
            ],
            "warnings": implausible(run),
        },
    )
    return [f"{SUMMARY}: {state}, {run.steps} steps"]


def _last_state(run: Run) -> Mapping[str, Any]:
    return next((event for event in reversed(run.events) if event.get("kind") == "state"), {})


def _finish(folder: Path) -> list[str]:
    finish_folder(folder)
    return ["spikes gathered, Parquet copies written"]


def _sum_up_comparison(folder: Path, reason: str) -> list[str]:
    """Say in the summary of a run that its comparison was cut off."""
    summary = _read_summary(folder)
    if not summary or "comparison" in summary or not (folder / "comparison").is_dir():
        return []
    write_json(folder / SUMMARY, {**summary, "comparison": {"state": "failed", "error": reason}})
    return [f"{SUMMARY}: the comparison was cut off"]


def _read_summary(folder: Path) -> dict[str, Any]:
    with suppress(AnimatError):
        return Run(folder).summary
    return {}


def _remove_left_overs(folder: Path) -> list[str]:
    """Remove what only a living simulation needs, `control.json` last: the sockets stand in it."""
    found = [
        *_sockets(folder),
        *folder.glob(".*.new"),
        *folder.glob("*.new"),
        *folder.glob("checkpoints/.*.new"),
        *folder.glob("crash.txt"),
    ]
    removed = []
    for path in (*dict.fromkeys(found), folder / CONTROL):
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            removed.append(path.name)
    return [f"removed: {', '.join(removed)}"] if removed else []


def _sockets(folder: Path) -> Iterator[Path]:
    try:
        control = json.loads((folder / CONTROL).read_text(encoding="utf-8"))
        addresses = [str(control.get(what, "")) for what in ("commands", "streams")]
    except (OSError, ValueError, AttributeError):
        addresses = []
    named = [Path(address.removeprefix("ipc://")) for address in addresses if address.startswith("ipc:///")]
    for path in (folder / "control.sock", folder / "control.stream", *named):
        with suppress(OSError):
            if stat.S_ISSOCK(path.lstat().st_mode):
                yield path
