"""However a simulation ends, its folder says how, and so does its exit code; nothing of it is left."""

import json
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
from animat.simulation.place import remove_run
from conftest import TRANSFER

COMPACT = ["brain.engine=compact"]

#: Calls of a function before it fails: more than in a trial, so that only the run itself sees it.
CALLS = 20


def failing(code, head=""):
    return head + TRANSFER.replace("count.value += 1", f"count.value += 1\n    if count.value > {CALLS}: {code}")


def start(folder, out, *options, cwd=None):
    command = [sys.executable, "-m", "animat.cli", "run", str(folder), "--out", str(out), "--no-report"]
    return subprocess.Popen(
        [*command, "--set", *COMPACT, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd
    )


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)


def steps_of(out):
    try:
        return len((out / "profile.csv").read_text().splitlines()) - 1
    except OSError:
        return 0


def summary_of(out):
    """The summary, once whoever writes it has finished: the simulation or its watcher."""
    wait_for(lambda: (out / "summary.json").exists() and not (out / "control.json").exists())
    return json.loads((out / "summary.json").read_text())


def left_over(out):
    return sorted(
        path.name for pattern in ("*.sock", "*.stream", ".*", "*.txt", "watcher.log") for path in out.glob(pattern)
    )


@pytest.mark.parametrize(
    ("code", "head", "said"),
    [
        ("raise BaseException('base')", "", "BaseException: base (at 400 ms)"),
        ("raise KeyboardInterrupt", "", "KeyboardInterrupt (at 400 ms)"),
        ("raise GeneratorExit", "", "GeneratorExit (at 400 ms)"),
        ("raise ValueError('half \\ud800')", "", "ValueError: half \\ud800 (at 400 ms)"),
        (
            "raise Odd",
            "class Odd(Exception):\n    def __str__(self): raise RuntimeError\n",
            "Odd: (what it says cannot be shown: RuntimeError) (at 400 ms)",
        ),
    ],
)
def test_whatever_a_function_throws_puts_it_aside(pendulum, tmp_path, code, head, said):
    folder = pendulum(transfer=failing(code, head), duration="600 ms")
    sim = execute(read_experiment(folder, COMPACT), tmp_path / "run", report=False)
    assert sim.state is State.COMPLETED and sim.steps == 30 and not sim.interrupted
    (aside,) = animat.open_run(tmp_path / "run").summary["transfer_functions_put_aside"]
    assert aside == {"function": "feel", "problem": said}


def test_an_exception_of_50_mb_is_told_in_brief(pendulum, tmp_path):
    folder = pendulum(transfer=failing("raise ValueError('x' * 50_000_000)"), duration="600 ms")
    sim = execute(read_experiment(folder, COMPACT), tmp_path / "run", report=False)
    assert sim.state is State.COMPLETED
    assert (tmp_path / "run" / "events.jsonl").stat().st_size < 20_000


def test_on_error_stop_fails_the_run_at_the_step_of_the_failure_and_keeps_it(pendulum, tmp_path):
    folder = pendulum(transfer=failing("raise ValueError('wrong')"), duration="600 ms", extra="on_error: stop")
    sim = execute(read_experiment(folder, COMPACT), tmp_path / "run", report=False)
    assert sim.state is State.FAILED and sim.steps == CALLS + 1
    assert "transfer.py:13: transfer function feel failed" in sim.error and "wrong (at 400 ms)" in sim.error
    assert animat.open_run(tmp_path / "run").signals.num_rows == CALLS + 1


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("__import__('os')._exit(7)", "ended without a word"),
        ("__import__('ctypes').string_at(0)", 'Segmentation fault; File "transfer.py", line 13 in feel'),
    ],
)
def test_a_function_that_ends_the_process_leaves_a_summary_all_the_same(pendulum, tmp_path, code, said):
    out = tmp_path / "run"
    process = start(pendulum(transfer=failing(code), duration="600 ms"), out)
    process.communicate(timeout=60)
    assert process.returncode in (7, -signal.SIGSEGV)
    summary = summary_of(out)
    assert summary["state"] == "failed" and said in summary["error"]
    assert left_over(out) == []


@pytest.mark.parametrize("building", [True, False])
@pytest.mark.parametrize(
    ("number", "code", "reason"),
    [
        (signal.SIGINT, 130, "interrupted by the user"),
        (signal.SIGTERM, 143, "ended by the system (SIGTERM)"),
        (signal.SIGHUP, 129, "its terminal went away (SIGHUP)"),
    ],
)
def test_a_signal_ends_the_run_with_its_exit_code_and_a_summary(pendulum, tmp_path, number, code, reason, building):
    out = tmp_path / "run"
    process = start(pendulum(duration="1000 s"), out)
    wait_for(lambda: (out / "control.json").exists() if building else steps_of(out) > 5)
    process.send_signal(number)
    _, words = process.communicate(timeout=60)
    assert process.returncode == code and "Traceback" not in words
    summary = summary_of(out)
    assert (summary["state"], summary["reason"]) == ("stopped", reason)
    assert left_over(out) == []


def test_a_client_stops_a_simulation_that_is_being_built(pendulum, tmp_path):
    out = tmp_path / "run"
    script = "import time\ntime.sleep(60)\n"
    process = subprocess.Popen(
        [sys.executable, "-m", "animat.cli", "run", str(pendulum(script=script)), "--out", str(out), "--no-report"],
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: (out / "control.json").exists())
    animat.attach(out).stop()
    _, words = process.communicate(timeout=30)
    assert process.returncode == 0 and "Traceback" not in words
    assert summary_of(out)["reason"] == "stopped by a client"


def test_a_killed_simulation_is_finished_by_its_watcher(pendulum, tmp_path):
    out = tmp_path / "run"
    process = start(pendulum(duration="1000 s"), out)
    wait_for(lambda: steps_of(out) > 5)
    process.kill()
    process.communicate(timeout=30)
    summary = summary_of(out)
    assert summary["state"] == "failed" and summary["steps"] > 5
    assert summary["cut_off"] and animat.open_run(out).signals.num_rows > 0
    assert left_over(out) == []


def test_a_second_ctrl_c_ends_what_is_busy_outside_of_python(pendulum, tmp_path):
    out, busy = tmp_path / "run", tmp_path / "busy"
    code = f"open({str(busy)!r}, 'w').close(); __import__('hashlib').pbkdf2_hmac('md5', b'', b'', 10**9)"
    process = start(pendulum(transfer=failing(code), duration="600 ms"), out)
    wait_for(busy.exists)
    for _ in range(2):
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert summary_of(out)["state"] == "failed"


def test_a_run_without_a_brain_that_fails_keeps_what_it_recorded(tmp_path):
    folder = tmp_path / "ball"
    folder.mkdir()
    (folder / "ball.xml").write_text(
        '<mujoco><worldbody><body name="ball"><joint name="height" type="slide" axis="0 0 1"/><geom size="0.1"/></body>'
        "</worldbody></mujoco>"
    )
    (folder / "transfer.py").write_text(
        "from animat import joint, transfer_function, variable\n\n\n"
        "@transfer_function(height=joint('height'), count=variable(0))\n"
        "def watch(t, height, count):\n"
        "    count.value += 1\n"
        f"    if count.value > {CALLS}: raise ValueError('wrong')\n"
    )
    (folder / "experiment.yaml").write_text(
        "animat: 1\nname: ball\nduration: 600 ms\nbody: {model: ball.xml}\n"
        "transfer_functions: [transfer.py]\non_error: stop\n"
    )
    sim = execute(read_experiment(folder), tmp_path / "run", report=False)
    assert sim.state is State.FAILED and sim.steps == CALLS + 1
    assert animat.open_run(tmp_path / "run").signals.num_rows == CALLS + 1


def test_a_failed_start_leaves_no_folder(pendulum, tmp_path):
    folder = pendulum(transfer=TRANSFER.replace('actuator("motor")', 'actuator("moter")'))
    process = start(folder, tmp_path / "run")
    _, words = process.communicate(timeout=60)
    assert process.returncode == 1 and "Did you mean 'motor'" in words.replace("\n", " ")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "code",
    [
        "os.chdir('/')",
        "os.fork() or time.sleep(1)",
        "multiprocessing.Process(target=time.sleep, args=(30,), daemon=True).start()",
    ],
)
def test_what_a_function_starts_or_changes_around_it_does_not_keep_the_run_from_ending(pendulum, tmp_path, code):
    out = tmp_path / "run"
    transfer = "import multiprocessing, os, time\n" + failing(code).replace(f"> {CALLS}", f"== {CALLS}")
    process = start(pendulum(transfer=transfer, duration="600 ms"), out, cwd=tmp_path)
    process.wait(timeout=15)
    assert process.returncode == 0 and summary_of(out)["state"] == "completed"
    wait_for(lambda: not any(str(out) in (one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"])))
    assert animat.open_run(out).signals.num_rows == 30


def test_a_folder_with_something_else_in_it_is_never_taken_or_removed(pendulum, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").write_text("gold")
    folder = pendulum(duration="40 ms")
    with pytest.raises(animat.AnimatError, match=r"is not empty and holds no run \(thesis\.tex\)"):
        execute(read_experiment(folder, COMPACT), precious, report=False)
    assert [path.name for path in precious.iterdir()] == ["thesis.tex"]
    out = tmp_path / "run"
    execute(read_experiment(folder, COMPACT), out)
    (out / "thesis.tex").write_text("gold")
    with pytest.raises(animat.AnimatError, match=r"something that is none of its \(thesis\.tex\)"):
        remove_run(out)
    (out / "thesis.tex").unlink()
    remove_run(out)
    assert not out.exists()
