"""A run that is killed: repaired, reported, and verified up to where it was cut off."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from typer.testing import CliRunner

import animat
from animat.cli.commands import app
from animat.errors import AnimatError


def run(*words):
    return CliRunner().invoke(app, [*map(str, words)])


def test_a_killed_run_is_repaired_reported_and_verified(pendulum, tmp_path):
    words = [sys.executable, "-m", "animat.cli", "run", pendulum(duration="600 s"), "--set", "brain.engine=compact"]
    folder = tmp_path / "killed"
    process = subprocess.Popen(
        [*words, "--out", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    end = time.monotonic() + 60
    counts, profile = folder / "counts.brain.arrow", folder / "profile.csv"
    while not (counts.exists() and counts.stat().st_size > 2000 and profile.stat().st_size > 2000):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.02)
    with pytest.raises(AnimatError, match="may still be running"):
        raise run("repair", folder).exception
    for watcher in psutil.Process(process.pid).children():
        if "animat.simulation.watcher" in watcher.cmdline():
            watcher.kill()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = run("repair", folder)
    assert done.exit_code == 0, done.output
    assert "state: failed" in done.output and "control.json" in done.output
    found = animat.open_run(folder)
    assert found.summary["steps"] > 5 and found.summary["spikes"] > 0 and (folder / "spikes.parquet").exists()
    assert not [path.name for path in folder.iterdir() if path.name.startswith((".", "control"))]
    done = run("verify", folder)
    assert done.exit_code == 0 and "equal up to " in done.output and "where the run was cut off" in done.output
    done = run("report", folder)
    assert done.exit_code == 0 and "killed, crashed, out of memory" in (folder / "report.html").read_text()
    assert run("repair", folder).output.strip() == "state: failed"
