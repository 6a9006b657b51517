import json
import subprocess
import sys

import pytest

import animat
from conftest import SCRIPT


def run(*words, cwd=None, stdin=""):
    return subprocess.run(
        [sys.executable, "-m", "animat.cli", *map(str, words)], capture_output=True, text=True, cwd=cwd, input=stdin
    )


@pytest.mark.parametrize(
    "command", ["run", "attach", "validate", "describe", "new", "verify", "report", "repair", "export", "bench", "info"]
)
def test_help_shows_an_example(command):
    done = run(command, "--help")
    assert done.returncode == 0 and f"animat {command}" in done.stdout
    assert "Example" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "nothing-like-this"], "mouse-joystick"),
        (["validate", "mouse-joystick", "--set", "brain.thread=2"], "Did you mean 'threads'"),
        (["verify", "no-such-run"], "no-such-run"),
        (["export", "no-such-run", "--to", "csv"], "no-such-run"),
        (["attach", "no-such-run"], "no-such-run"),
        (["repair", "no-such-run"], "no-such-run"),
        (["report", "no-such-run"], "no-such-run"),
        (["new", "x"], "--from NAME"),
        (["describe", "./missing"], "there is no experiment folder missing"),
    ],
)
def test_mistakes_end_with_a_message_and_exit_code_1(words, said, tmp_path):
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr.replace("\n", " ") and "Traceback" not in done.stderr


def test_the_output_is_plain_when_piped(pendulum, tmp_path):
    done = run("run", pendulum(), "--out", tmp_path / "run", "--no-report")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "completed" in done.stdout


def test_a_second_run_into_the_same_folder_is_refused_unless_overwritten(pendulum, tmp_path):
    folder = pendulum(duration="40 ms")
    assert run("run", folder, "--out", tmp_path / "run", "--no-report").returncode == 0
    again = run("run", folder, "--out", tmp_path / "run", "--no-report")
    assert again.returncode == 1 and "already holds a run" in again.stderr.replace("\n", " ")
    assert run("run", folder, "--out", tmp_path / "run", "--no-report", "--overwrite").returncode == 0


def test_describe_lists_what_can_be_addressed(pendulum):
    said = run("describe", pendulum()).stdout
    for name in ("A", "B", "hinge", "motor", "rod"):
        assert name in said


def test_validate_prints_the_schedule(pendulum):
    done = run("validate", pendulum())
    assert done.returncode == 0 and "push" in done.stdout and "feel" in done.stdout and "valid" in done.stdout


def test_new_from_a_shipped_experiment_validates(tmp_path):
    done = run("new", tmp_path / "mine", "--from", "mouse-joystick")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine" / "transfer.py").is_file()
    assert run("validate", tmp_path / "mine").returncode == 0


def test_a_users_own_script_and_body_run_after_new(pendulum, tmp_path):
    folder = pendulum(script=SCRIPT)
    done = run("new", tmp_path / "mine", "--brain", folder / "net.py", "--body", folder / "pendulum.xml")
    assert done.returncode == 0, done.stderr
    done = run("run", tmp_path / "mine", "--out", tmp_path / "run", "--no-report")
    assert done.returncode == 0, done.stderr
    recorded = animat.open_run(tmp_path / "run")
    assert recorded.summary["steps"] == 50 and recorded.summary["spikes"] > 10
    _, angle = recorded.signal("angle/hinge")
    assert abs(angle).max() > 1e-3


def test_new_refuses_what_it_cannot_use(tmp_path):
    (tmp_path / "net.py").write_text("x = 1")
    (tmp_path / "arm.xml").write_text("<mujoco/>")
    done = run("new", tmp_path / "mine", "--brain", tmp_path / "net.py", "--body", tmp_path / "arm.xml")
    assert done.returncode == 1 and "populations" in done.stderr.replace("\n", " ")
    assert not (tmp_path / "mine").exists()


def test_attach_steers_from_the_command_line(pendulum, tmp_path):
    with animat.load(pendulum(duration="10 s"), out=tmp_path / "run"):
        assert "paused at 40 ms" in run("attach", tmp_path / "run", "step", "2").stdout
        said = run("attach", tmp_path / "run", stdin="run 60 ms\nget A[0] V_m\nwhat\nquit\n").stdout
        assert "paused at 100 ms" in said and "V_m" in said and "cannot do 'what'" in said


def test_bench_exchange_prints_json():
    done = run("bench", "exchange", "--steps", "20", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["overhead_ms"]) >= {"median", "p95"} and found["overhead_ms"]["median"] > 0
    assert found["sinks"] == 20 and found["sources"] == 3
