"""Two hundred kills at random times, in every phase, of every process: nothing runs on, nothing is unreadable."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

import animat
from animat.brain.install import nest_mpi
from conftest import TRANSFER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROD = """\
name: rod
links:
  rod: {position: [0, 0, 1], mass: 0.5, centre: [0, 0, -0.25], inertia: [0.01, 0.01, 0.001, 0, 0, 0]}
joints:
  hinge: {kind: revolute, parent: world, child: rod, axis: [0, 1, 0]}
actuators:
  motor: {joint: hinge, low: -2, high: 2}
"""

#: Settings of the runs that are killed, and how often each is.
RUNS = {
    "compact": (80, ["brain.engine=compact"]),
    "nest, one process": (60, []),
    "nest, two ranks": (40, ["brain.processes=2"]),
    "opensim": (20, ["brain.engine=compact", "body.engine=opensim"]),
}
PHASES = ("building", "running", "saving", "finishing")
TRIALS = [(kind, seed) for kind, (count, _) in RUNS.items() for seed in range(count)]

#: Seconds in which everything must be gone and the folder finished, on a busy machine.
PATIENCE_S = 60.0


def wait_for(condition, seconds=PATIENCE_S):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def all_of(process):
    """Every process of a run: the simulation itself, its workers, launcher and ranks, its watcher and view."""
    with suppress(psutil.Error):
        return [process, *process.children(recursive=True)]
    return []


def reached(phase, out, process):
    """Whether a run is in a phase, or past it."""
    if process.poll() is not None:
        return True
    if phase == "building":
        return (out / "control.json").exists()
    if phase == "running":
        return (out / "profile.csv").exists() and (out / "profile.csv").stat().st_size > 400
    if phase == "saving":
        return any((out / "checkpoints").glob(".*"))
    return (out / "events.jsonl").exists() and '"completed"' in (out / "events.jsonl").read_text()


@pytest.mark.parametrize(("kind", "seed"), TRIALS)
def test_a_kill_at_any_time_leaves_nothing_running_and_nothing_unreadable(pendulum, tmp_path, kind, seed):
    draw = random.Random(f"{kind} {seed}")
    settings = list(RUNS[kind][1])
    phase = draw.choice([one for one in PHASES if one != "saving" or "compact" in kind])
    if "ranks" in kind:
        nest_mpi()
    folder = pendulum(duration="600 ms" if phase == "finishing" else "1000 s", transfer=TRANSFER)
    options = ["--checkpoint-every", "20 ms"] if phase == "saving" else []
    if kind == "opensim":
        (folder / "body.yaml").write_text(ROD)
        settings.append("body.model=body.yaml")
    out = tmp_path / "run"
    command = [sys.executable, "-m", "animat.cli", "run", str(folder), "--out", str(out), "--no-report", *options]
    for setting in settings:
        command += ["--set", setting]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert wait_for(lambda: reached(phase, out, started))
        time.sleep(draw.uniform(0.0, {"building": 2.0, "running": 0.5, "saving": 0.05, "finishing": 0.05}[phase]))
        family = all_of(psutil.Process(started.pid))
        victim = draw.choice(family)
        number = draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
        if victim.pid != started.pid:
            number = signal.SIGKILL
        named = " ".join(victim.cmdline())[:60] if victim.is_running() else "gone"
        with suppress(psutil.Error):
            victim.send_signal(number)
        watched = "animat.simulation.watcher" in named
        if watched:
            started.send_signal(signal.SIGTERM)
        _, words = started.communicate(timeout=PATIENCE_S)
    finally:
        started.kill()
    said = f"{phase}: {number.name} to {named!r}, exit {started.returncode}: {words[-500:]}"
    assert "Traceback" not in words, said
    code = started.returncode
    if victim.pid == started.pid and number != signal.SIGKILL:
        assert code in (128 + number, -number, 0), said
    elif victim.pid == started.pid:
        assert code == -signal.SIGKILL or (phase == "finishing" and code == 0), said
    elif watched:
        assert code in (143, 0), said
    else:
        assert code == 1 or phase in ("building", "finishing"), said
    assert not [one for one in psutil.wait_procs(family, timeout=PATIENCE_S)[1] if one.pid != os.getpid()], said
    if not out.exists():
        assert code == 1, said
        return
    assert wait_for(lambda: not (out / "control.json").exists()), said
    run = animat.open_run(out)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["state"] in ("completed", "stopped", "failed") and (code != 0 or summary["state"] != "failed"), said
    rows = run.signals.num_rows + run.spikes.num_rows
    assert summary.get("cut_off", False) or run.signals.num_rows == summary["steps"], said
    assert rows > 0 or summary["steps"] < 512, said
    left = [
        path
        for pattern in ("*.sock", "*.stream", ".*", "*.new", "checkpoints/.*", "watcher.log")
        for path in out.glob(pattern)
    ]
    assert not left, said
    for place in Path(out / "checkpoints").glob("*"):
        assert (place / "checkpoint.json").is_file(), said
