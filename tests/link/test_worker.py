"""The link with a worker that does nothing but what a test asks."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import zmq

from animat.errors import AnimatError
from animat.link import Worker, WorkerDied, WorkerError, WorkerHung
from animat.link.wire import HELLO, PROTOCOL_VERSION, Hello, Invitation, decoder, encode

SERVED = """
import os, signal, subprocess, sys, threading, time
import msgspec
from animat.errors import AnimatError

class Pair(msgspec.Struct):
    a: int
    b: float

def handlers(progress):
    def add(a: int, b: float) -> float:
        return a + b
    def pair(value: Pair) -> Pair:
        return value
    def work(steps: int) -> str:
        for step in range(steps):
            progress(f"part {step}", step / steps)
        return "done"
    def sleep(seconds: float) -> None:
        time.sleep(seconds)
    def mistake() -> None:
        raise AnimatError("no such thing", file="a.py", line=3)
    def fault() -> None:
        raise ValueError("broken inside")
    def modules() -> list[str]:
        return sorted(sys.modules)
    def leave(words: str, code: int) -> None:
        print(words, flush=True)
        os._exit(code)
    def spin() -> None:
        while True:
            pass
    def still(how: str) -> None:
        if how == "halted":
            os.kill(os.getpid(), signal.SIGSTOP)
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()
    def compute(how: str, seconds: float) -> str:
        if how == "by itself":
            _compute(seconds)
        elif how == "in a thread":
            thread = threading.Thread(target=_compute, args=[seconds])
            thread.start()
            thread.join()
        else:
            loop = f"import time\\nend = time.time() + {seconds}\\nwhile time.time() < end: pass"
            subprocess.run([sys.executable, "-c", loop])
        return "done"
    def say(words: str) -> int:
        return sum(print(words, file=stream, flush=True) is None for stream in (sys.stdout, sys.stderr))
    calls = add, pair, work, sleep, mistake, fault, modules, leave, spin, still, compute, say
    return {f.__name__: f for f in calls}

def _compute(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
"""


class Pair(msgspec.Struct):
    a: int
    b: float


@pytest.fixture
def served(tmp_path: Path) -> str:
    file = tmp_path / "served.py"
    file.write_text(SERVED)
    return str(file)


@pytest.fixture
def worker(served: str, tmp_path: Path):
    worker = Worker(served, title="animat.brain test", log=tmp_path / "log")
    yield worker
    worker.close()


def test_calls_are_typed_and_progress_arrives_meanwhile(worker: Worker) -> None:
    seen: list[tuple[str, float]] = []
    worker.on_progress = lambda what, done: seen.append((what, done))
    assert worker.call("add", 1, 2.5) == 3.5
    assert worker.call("pair", Pair(1, 2.0), reply=Pair) == Pair(1, 2.0)
    assert worker.call("work", 4) == "done"
    assert seen == [(f"part {step}", step / 4) for step in range(4)]


def test_a_call_can_be_started_and_waited_for_later(worker: Worker) -> None:
    worker.start("sleep", 0.05)
    assert worker.busy
    assert worker.wait() is None
    assert not worker.busy


def test_errors_cross(worker: Worker) -> None:
    with pytest.raises(AnimatError, match="no such thing") as caught:
        worker.call("mistake")
    assert (caught.value.file, caught.value.line) == ("a.py", 3)
    with pytest.raises(WorkerError, match="ValueError: broken inside") as fault:
        worker.call("fault")
    assert "in fault" in fault.value.traceback
    with pytest.raises(WorkerError, match="Expected `int`"):
        worker.call("add", "x", 1.0)
    assert worker.call("add", 1, 1.0) == 2.0


def test_a_killed_worker_is_noticed_at_once_with_its_last_words(worker: Worker) -> None:
    worker.call("add", 1, 1.0)
    worker.start("sleep", 30.0)
    began = time.monotonic()
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerDied, match="killed by SIGKILL"):
        worker.wait()
    assert time.monotonic() - began < 1.0
    with pytest.raises(WorkerDied, match="killed by SIGKILL"):
        worker.call("add", 1, 1.0)


def test_exit_status_and_last_words(worker: Worker) -> None:
    with pytest.raises(WorkerDied, match=r"exit status 7\. Its last words:\nfarewell"):
        worker.call("leave", "farewell", 7)


def test_a_hung_worker_is_killed_and_says_where_it_was(served: str, tmp_path: Path) -> None:
    worker = Worker(served, title="animat.brain hung", log=tmp_path / "log", patience_s=0.5)
    worker.call("add", 1, 1.0)
    pid = worker.pid
    with pytest.raises(WorkerHung, match="in spin"):
        worker.call("spin")
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize(("how", "said"), [("halted", r"process \d+ halted for"), ("deadlocked", "doing nothing for")])
def test_a_worker_that_does_nothing_hangs_in_a_call_without_a_limit(
    served: str, tmp_path: Path, how: str, said: str
) -> None:
    worker = Worker(served, title="animat.brain still", log=tmp_path / "log", patience_s=1.0)
    pid = worker.pid
    with pytest.raises(WorkerHung, match=f"did not answer 'still' within .*{said}"):
        worker.call("still", how, limit_s=float("inf"))
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("how", ["by itself", "in a thread", "in a child"])
def test_a_worker_that_computes_has_all_the_time_in_a_call_without_a_limit(
    served: str, tmp_path: Path, how: str
) -> None:
    worker = Worker(served, title="animat.brain long", log=tmp_path / "log", patience_s=1.0)
    assert worker.call("compute", how, 2.5, limit_s=float("inf")) == "done"
    worker.close()


@pytest.mark.parametrize("when", ["before it dials", "while importing"])
def test_a_worker_halted_at_its_start_hangs(tmp_path: Path, when: str) -> None:
    served = tmp_path / "served.py"
    served.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n")
    launch = ["sh", "-c", 'kill -STOP $$; exec "$@"', "halts"] if when == "before it dials" else []
    worker = Worker(str(served), title="animat.brain", launch=launch, log=tmp_path / "log", patience_s=1.0)
    with pytest.raises(WorkerHung, match=r"did not start within .* process \d+ halted for"):
        worker.call("nothing")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_that_takes_nothing_more_does_not_stop_it(served: str) -> None:
    worker = Worker(served, title="animat.brain talks", log=Path("/dev/full"))
    assert worker.call("say", "words " * 100_000) == 2
    assert worker.call("add", 1, 1.0) == 2.0
    worker.close()


def test_a_disk_without_room_for_a_log_does_not_stop_it(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "log":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return usual(path, *arguments, **options)

    usual = Path.open
    monkeypatch.setattr(Path, "open", refuse)
    worker = Worker(served, title="animat.brain talks", log=tmp_path / "log")
    assert worker.call("say", "words") == 2
    worker.close()


def test_close_leaves_nothing(served: str, tmp_path: Path) -> None:
    worker = Worker(served, title="animat.brain closing", log=tmp_path / "log")
    worker.call("add", 1, 1.0)
    pid, folder = worker.pid, worker._folder
    began = time.monotonic()
    worker.close()
    worker.close()
    assert time.monotonic() - began < 1.0
    assert not psutil.pid_exists(pid) and not folder.exists()
    with pytest.raises(WorkerDied, match="closed"):
        worker.call("add", 1, 1.0)


def test_the_worker_has_its_title_and_ignores_ctrl_c(worker: Worker) -> None:
    worker.call("add", 1, 1.0)
    arguments = subprocess.run(["ps", "-o", "args=", "-p", str(worker.pid)], capture_output=True, text=True).stdout
    assert arguments.startswith("animat.brain test")
    os.kill(worker.pid, signal.SIGINT)
    assert worker.call("add", 1, 1.0) == 2.0
    assert os.getpgid(worker.pid) != os.getpgid(0)


def test_the_worker_imports_nothing_of_the_parent(worker: Worker) -> None:
    modules = worker.call("modules")
    assert not {"pydantic", "pint", "pyarrow", "rich", "mujoco"} & set(modules)
    assert "animat.link.serve" in modules and "animat.simulation" not in modules


@pytest.mark.parametrize("call", ["idle", "busy"])
@pytest.mark.parametrize("thread", ["main", "other"])
def test_the_worker_ends_with_its_parent(served: str, tmp_path: Path, thread: str, call: str) -> None:
    body = f"""
import sys, time, threading
from animat.link import Worker
def start():
    worker = Worker({served!r}, title="animat.brain orphan", log=__import__("pathlib").Path({str(tmp_path / "log")!r}))
    worker.call("add", 1, 1.0)
    {'worker.start("sleep", 60.0)' if call == "busy" else ""}
    print(worker.pid, flush=True)
    time.sleep(60)
{"start()" if thread == "main" else "threading.Thread(target=start).start()"}
"""
    parent = subprocess.Popen([sys.executable, "-c", body], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 3
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "the worker outlived its parent"
        time.sleep(0.02)


def test_the_next_worker_removes_what_a_killed_parent_left(served: str, tmp_path: Path) -> None:
    body = f"""
import os, signal
from pathlib import Path
from animat.link import Worker
worker = Worker({served!r}, title="animat.brain orphan", log=Path({str(tmp_path / "log")!r}))
worker.call("add", 1, 1.0)
print(worker._folder, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    parent = subprocess.run([sys.executable, "-c", body], capture_output=True, text=True)
    left = Path(parent.stdout.strip())
    assert left.exists() and {file.name for file in left.iterdir()} >= {"invitation", "owner", "s"}
    Worker(served, title="animat.brain next", log=tmp_path / "log").close()
    assert not left.exists()


def test_an_interpreter_that_does_not_exist(served: str) -> None:
    with pytest.raises(AnimatError, match=r"'/no/such/python'.*brain: \{python: \.\.\}"):
        Worker(served, title="animat.brain x", python="/no/such/python")
    with pytest.raises(AnimatError, match=r"'no-such-launcher'.*brain: \{launch: \.\.\}"):
        Worker(served, title="animat.brain x", launch=["no-such-launcher", "-n", "2"])


def test_an_interpreter_without_the_modules_says_which(served: str, tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys._base_executable} -S -E "$@"\n')  # type: ignore[attr-defined]
    bare.chmod(0o755)
    worker = Worker(served, title="animat.brain bare", python=str(bare), log=tmp_path / "log")
    with pytest.raises(WorkerDied, match="has no module msgspec; a worker needs numpy, pyzmq and msgspec"):
        worker.call("add", 1, 1.0)


def test_a_bare_environment_suffices(served: str, tmp_path: Path) -> None:
    """A folder with only numpy, pyzmq and msgspec on the path, and no animat."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for name in ("numpy", "zmq", "msgspec"):
        module = __import__(name)
        folder = Path(str(module.__file__)).parent
        (packages / name).symlink_to(folder)
        for libs in folder.parent.glob(f"{'pyzmq' if name == 'zmq' else name}.libs"):
            (packages / libs.name).symlink_to(libs)
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nPYTHONPATH={packages} exec {sys._base_executable} -S "$@"\n')  # type: ignore[attr-defined]
    bare.chmod(0o755)
    worker = Worker(served, title="animat.brain bare", python=str(bare), log=tmp_path / "log")
    assert worker.call("add", 1, 2.0) == 3.0
    worker.close()


def test_launcher_prefix(served: str, tmp_path: Path) -> None:
    worker = Worker(served, title="animat.brain launched", launch=["nice", "-n", "1"], log=tmp_path / "log")
    assert worker.call("add", 1, 2.0) == 3.0
    worker.close()


def test_a_stranger_is_sent_away(worker: Worker) -> None:
    worker.call("add", 1, 1.0)
    invitation = decoder(Invitation).decode((worker._folder / "invitation").read_bytes())
    assert oct(worker._folder.stat().st_mode)[-3:] == "700"
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.linger = 0
        stranger.connect(invitation.address)
        stranger.send_multipart([HELLO, encode(Hello(PROTOCOL_VERSION, "wrong", worker.serve, 0, ""))])
        for _ in range(100):  # who waits at the door is looked at during calls
            assert worker.call("add", 1, 2.0) == 3.0
            if stranger.poll(100):
                break
        assert stranger.recv_multipart(zmq.NOBLOCK) == [b"", b""]


def test_another_version_is_refused(served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("animat.link.worker.PROTOCOL_VERSION", 99)
    worker = Worker(served, title="animat.brain old", log=tmp_path / "log")
    with pytest.raises(WorkerDied, match=f"speaks protocol {PROTOCOL_VERSION} .* expected 99"):
        worker.call("add", 1, 1.0)
    assert not psutil.pid_exists(worker.pid)


def test_round_trip_is_short(worker: Worker) -> None:
    worker.call("add", 1, 1.0)
    times = []
    for _ in range(300):
        began = time.perf_counter()
        worker.call("add", 1, 1.0)
        times.append(time.perf_counter() - began)
    assert sorted(times)[len(times) // 2] < 2e-3, "a local round trip takes about 0.1 ms on an idle machine"
