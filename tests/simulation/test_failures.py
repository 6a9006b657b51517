"""However a run goes wrong, it says why, soon, and what was recorded before is readable."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

import animat
from animat.experiment.read import read_experiment
from animat.simulation.execute import execute
from animat.simulation.lifecycle import State
from conftest import PENDULUM, TRANSFER


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def start(folder, out, *options):
    """Run `animat run` as a user does."""
    return subprocess.Popen(
        [sys.executable, "-m", "animat.cli", "run", str(folder), "--out", str(out), "--no-report", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def workers_of(pid):
    """The brain's processes, also those that a launcher started."""
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if any(part.startswith("animat.brain") for part in child.cmdline())]


def steps_of(out):
    try:
        return len(animat.open_run(out).profile["step"])
    except (animat.AnimatError, KeyError):
        return 0


on_processes = pytest.mark.parametrize("processes", [1, 2])


@on_processes
@pytest.mark.usefixtures("nest_mpi")
def test_a_killed_brain_fails_the_run_within_two_seconds(pendulum, tmp_path, processes):
    out = tmp_path / "run"
    process = start(pendulum(duration="1000 s"), out, "--set", f"brain.processes={processes}")
    wait_for(lambda: steps_of(out) > 10)
    workers = workers_of(process.pid)
    assert len(workers) == processes
    workers[-1].kill()
    killed = time.monotonic()
    wait_for(lambda: any(e.get("state") == "failed" for e in animat.open_run(out).events), 5)
    assert time.monotonic() - killed < 2
    _, words = process.communicate(timeout=30)
    assert process.returncode == 1 and "Traceback" not in words
    recorded = animat.open_run(out)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["state"] == "failed"
    told = "SIGKILL" if processes == 1 else "of 2"
    assert told in words and told in summary["error"]
    assert recorded.signals.num_rows == len(recorded.profile["step"]) == summary["steps"] > 10
    assert not psutil.wait_procs(workers, timeout=1)[1]


@on_processes
@pytest.mark.usefixtures("nest_mpi")
def test_ctrl_c_ends_after_the_step_keeps_the_run_and_exits_130(pendulum, tmp_path, processes):
    out = tmp_path / "run"
    process = start(pendulum(duration="1000 s"), out, "--set", f"brain.processes={processes}")
    wait_for(lambda: steps_of(out) > 10)
    workers = workers_of(process.pid)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    summary = json.loads((out / "summary.json").read_text())
    assert summary["state"] == "stopped" and summary["reason"] == "interrupted by the user"
    assert animat.open_run(out).signals.num_rows == summary["steps"]
    assert workers and not psutil.wait_procs(workers, timeout=1)[1]


@on_processes
@pytest.mark.usefixtures("nest_mpi")
def test_the_workers_do_not_outlive_a_killed_simulation(pendulum, tmp_path, processes):
    out = tmp_path / "run"
    process = start(pendulum(duration="1000 s"), out, "--set", f"brain.processes={processes}")
    wait_for(lambda: steps_of(out) > 10)
    workers = workers_of(process.pid)
    process.kill()
    process.communicate()
    assert len(workers) == processes and not psutil.wait_procs(workers, timeout=5)[1]
    assert len(animat.open_run(out).profile["step"]) > 10


def test_an_error_inside_nest_fails_the_run_with_nests_words(pendulum, tmp_path):
    # Each of them alone is right, so that nothing is found before the run.
    first, second = "{at: 20 ms, set: {neurons: A, V_reset: -56 mV}}", "{at: 60 ms, set: {neurons: A, V_th: -58 mV}}"
    extra = f"events: [{first}, {second}]"
    sim = execute(read_experiment(pendulum(extra=extra)), tmp_path / "run", report=False)
    assert sim.state is State.FAILED
    assert "Reset potential must be smaller than threshold" in sim.error
    assert animat.open_run(tmp_path / "run").signals.num_rows == 3


def test_an_endless_transfer_function_can_be_stopped(pendulum, tmp_path):
    endless = TRANSFER.replace("count.value += 1", "count.value += 1\n    while count.value > 3: pass")
    with animat.load(pendulum(transfer=endless, duration="10 s"), out=tmp_path / "run") as sim:
        sim.start()
        wait_for(lambda: sim.time >= 0.06)
        began = time.monotonic()
        recorded = sim.stop()
        assert time.monotonic() - began < 6
    assert recorded.summary["state"] == "stopped"
    assert "feel did not return" in recorded.summary["reason"] or "feel did not return" in json.dumps(recorded.events)
    assert recorded.signals.num_rows == 3


def test_a_body_that_diverges_fails_the_run(pendulum, tmp_path):
    body = PENDULUM.replace('ctrlrange="-2 2" ctrllimited="true"', 'gear="1e12"')
    transfer = TRANSFER.replace("min(2.0, rate.rate / 50)", "1e300 if t > 0.1 else 0.0")
    sim = execute(read_experiment(pendulum(body=body, transfer=transfer)), tmp_path / "run", report=False)
    assert sim.state is State.FAILED
    assert "ms" in sim.error
    assert 5 <= animat.open_run(tmp_path / "run").signals.num_rows < 10


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
def test_a_full_disk_fails_the_run_and_keeps_what_was_written(pendulum, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("cannot mount a file system here")
    try:
        sim = execute(read_experiment(pendulum(duration="100 s")), disk / "run", report=False)
        assert sim.state is State.FAILED
        assert "space" in sim.error
        recorded = animat.open_run(disk / "run")
        assert recorded.signals.num_rows >= sim.steps > 10
        assert recorded.summary["state"] == "failed"
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_timeout_in_real_time_stops_the_run(pendulum, tmp_path):
    sim = execute(read_experiment(pendulum(duration="1000 s", extra="timeout: 3 s")), tmp_path / "run", report=False)
    assert sim.state is State.STOPPED and "time-out" in sim.reason
