"""NEST in a worker process."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from nest_brain import STEP, Loop, spikes

from animat.brain.conformance import example_network
from animat.brain.engines import ENGINES
from animat.brain.nest.engine import NestEngine
from animat.brain.network import Network, Population
from animat.brain.protocol import BrainScript, BrainSettings, Device, ProjectionName, Selection
from animat.brain.remote import BrainLink
from animat.errors import AnimatError
from animat.link import WorkerDied, WorkerHung

#: Names of wheels, where they differ from the module's.
WHEELS = {"zmq": "pyzmq", "nest": "nest_simulator"}

SETTINGS = BrainSettings(seed=1, step=STEP)


@pytest.fixture
def link(tmp_path: Path) -> Iterator[BrainLink]:
    link = BrainLink("nest", title="test", log=tmp_path / "log")
    yield link
    link.close()


def test_it_gives_what_the_engine_gives(link: BrainLink) -> None:
    found = []
    engine = NestEngine()
    for brain in (engine, link):
        info = brain.load(example_network(), SETTINGS, lambda _what, _done: None)
        loop = Loop(brain, STEP)  # type: ignore[arg-type]
        recorder = loop.attach("spike_recorder", "I")
        loop.attach("leaky_integrator_alpha", "E")
        rates = loop.attach("poisson", "I", each=True, weight=50.0)
        replies = loop.run(2) + loop.run(2, (rates, "rate", [float(place) for place in range(10)]))
        brain.set(ProjectionName("E", "I"), {"cut": True})
        brain.set(Selection("E", indices=(2, 1)), {"V_m": [-61.0, -62.0]})
        found.append(
            (
                spikes(replies, recorder),
                [reply.values for reply in replies],
                [reply.counts for reply in replies],
                brain.get(Selection("E"), ["V_m"]),
                info.populations,
                brain.reset().populations,
            )
        )
        assert replies[-1].memory_mb > 50 and replies[-1].kernel_s > 0
    engine.close()
    assert found[0] == found[1]
    assert link.peak_memory_mb() == pytest.approx(psutil.Process(link.pid).memory_info().rss / 1e6, rel=0.5)


def test_the_worker_is_a_lean_child_with_its_own_name(link: BrainLink) -> None:
    link.load(example_network(), SETTINGS)
    listing = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout
    (mine,) = (line.split(maxsplit=1)[1] for line in listing.splitlines() if line.split()[0] == str(link.pid))
    assert mine.startswith("animat.brain nest test")
    assert psutil.Process(link.pid).ppid() == os.getpid()
    if Path("/proc/self/maps").exists():
        libraries = Path(f"/proc/{link.pid}/maps").read_text()
        assert "nestkernel" in libraries
        assert not any(name in libraries for name in ("pydantic", "pyarrow", "mujoco", "matplotlib"))


def test_progress_arrives_while_building(link: BrainLink) -> None:
    seen = []
    link.load(example_network(), SETTINGS, lambda what, done: seen.append((what, done)))
    said, done = zip(*seen, strict=True)
    assert said[0] == "population E" and "projection E->I (0 of 200 synapses)" in said
    assert list(done) == sorted(done) and done[0] == 0.0 and done[-1] == 1.0


def busy() -> Network:
    """Enough neurons for a step of a minute to take seconds."""
    return Network(
        name="busy", populations=(Population(name="A", model="iaf_cond_alpha", size=2000, params={"I_e": 400.0}),)
    )


def test_a_killed_worker_is_noticed_within_two_seconds(link: BrainLink) -> None:
    link.load(busy(), SETTINGS)
    link.advance([], STEP)
    link.start([], 3000 * STEP)
    time.sleep(0.2)
    os.kill(link.pid, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(WorkerDied, match="killed by SIGKILL"):
        link.finish()
    assert time.monotonic() - began < 1.0
    with pytest.raises(WorkerDied):
        link.advance([], 4000 * STEP)


def test_a_step_beyond_all_patience_hangs(tmp_path: Path) -> None:
    link = BrainLink("nest", title="hung", log=tmp_path / "log", patience_s=0.2)
    link.load(busy(), SETTINGS)
    link.advance([], STEP)
    pid = link.pid
    with pytest.raises(WorkerHung, match="did not answer 'advance'"):
        link.advance([], 3000 * STEP)
    assert not psutil.pid_exists(pid)
    link.close()


def test_an_exception_inside_nest_has_its_message(link: BrainLink) -> None:
    population = Population(name="A", model="aeif_cond_alpha", size=1, params={"I_e": 1e9})
    link.load(Network(name="n", populations=(population,)), SETTINGS)
    with pytest.raises(AnimatError, match="numerical instability"):
        link.advance([], 5 * STEP)


def test_a_script_that_kills_its_process_leaves_its_last_words(link: BrainLink, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("import os\nprint('farewell', flush=True)\nos.abort()\n")
    with pytest.raises(WorkerDied, match=r"(?s)killed by SIGABRT.*farewell.*net\.py.*line 3"):
        link.load(BrainScript(str(tmp_path / "net.py"), "pynest"), SETTINGS)


@pytest.mark.parametrize("line", ["import os; os._exit(0)", "import ctypes; ctypes.string_at(0)"])
def test_a_script_that_ends_its_process_is_named(link: BrainLink, tmp_path: Path, line: str) -> None:
    (tmp_path / "net.py").write_text(line)
    with pytest.raises(WorkerDied, match=r"exit status 0|killed by SIGSEGV") as caught:
        link.load(BrainScript(str(tmp_path / "net.py"), "pynest"), SETTINGS)
    assert caught.value.file == str(tmp_path / "net.py")


def test_a_script_that_says_too_much_leaves_the_brain_alive(link: BrainLink, tmp_path: Path) -> None:
    script = BrainScript(str(tmp_path / "net.py"), "pynest")
    for text in ("raise BaseException('\\ud800' * 50_000_000)", "raise KeyboardInterrupt"):
        (tmp_path / "net.py").write_text(text)
        with pytest.raises(AnimatError, match=r"net\.py:1: (BaseException|KeyboardInterrupt)") as caught:
            link.load(script, SETTINGS)
        assert not isinstance(caught.value, WorkerDied)
    (tmp_path / "net.py").write_text("import nest; populations = {'a': nest.Create('iaf_psc_alpha')}")
    assert link.load(script, SETTINGS).neurons == 1


def python_with(folder: Path, *names: str) -> str:
    """Return an interpreter that has only these packages."""
    packages = folder / "packages"
    packages.mkdir()
    for name in names:
        found = Path(str(__import__(name).__file__)).parent
        (packages / name).symlink_to(found)
        for beside in found.parent.glob(f"{WHEELS.get(name, name)}.libs"):
            (packages / beside.name).symlink_to(beside)
    bare = folder / "python"
    bare.write_text(f'#!/bin/sh\nPYTHONPATH={packages} exec {sys._base_executable} -S "$@"\n')  # type: ignore[attr-defined]
    bare.chmod(0o755)
    return str(bare)


def test_an_interpreter_without_nest_is_told_where_to_get_it(tmp_path: Path) -> None:
    link = BrainLink(
        "nest", title="bare", python=python_with(tmp_path, "numpy", "zmq", "msgspec"), log=tmp_path / "log"
    )
    with pytest.raises(AnimatError, match=r"NEST cannot be imported on .*nest-simulator.*brain: \{python: PATH\}"):
        link.load(example_network(), SETTINGS)
    link.close()


def test_a_bare_interpreter_with_nest_suffices(tmp_path: Path) -> None:
    python = python_with(tmp_path, "numpy", "zmq", "msgspec", "nest")
    link = BrainLink("nest", title="bare", python=python, log=tmp_path / "log")
    link.load(example_network(), SETTINGS)
    (recorder,) = link.attach([Device(name="r", kind="spike_recorder", neurons=(Selection("E"),))])
    reply = link.advance([], 5 * STEP)
    assert len(np.frombuffer(reply.spikes[recorder][0], np.uint32)) == reply.counts[0] > 0
    link.close()


def test_an_unknown_engine() -> None:
    with pytest.raises(AnimatError, match="unknown brain engine 'nets'"):
        BrainLink("nets")


HANGING = """
import functools, os
from animat.brain.compact.worker import handlers as all_handlers

def handlers(progress):
    found = all_handlers(progress)
    name = os.environ["HANGING"]

    @functools.wraps(found[name])
    def hang(*arguments):
        while True:
            pass

    return {**found, name: hang}
"""

CALLS = {
    "check": lambda link, folder: link.check(example_network()),
    "load": lambda link, folder: link.load(example_network(), SETTINGS),
    "attach": lambda link, folder: link.attach([Device(name="r", kind="spike_recorder", neurons=(Selection("E"),))]),
    "detach": lambda link, folder: link.detach([]),
    "advance": lambda link, folder: link.advance([], STEP),
    "get": lambda link, folder: link.get(Selection("E"), ["V_m"]),
    "set": lambda link, folder: link.set(Selection("E"), {"V_m": -61.0}),
    "set_projection": lambda link, folder: link.set(ProjectionName("E", "I"), {"cut": True}),
    "reset": lambda link, folder: link.reset(),
    "save": lambda link, folder: link.save(folder),
    "restore": lambda link, folder: link.restore(folder),
    "nothing": lambda link, folder: link.round_trips(1),
}


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[BrainLink]:
    """A brain that loops for ever in the call that is named, loaded unless that is the one."""
    (tmp_path / "served.py").write_text(HANGING)
    monkeypatch.setenv("HANGING", request.param)
    kind = dataclasses.replace(ENGINES["compact"], worker=str(tmp_path / "served.py"))
    monkeypatch.setattr("animat.brain.remote.engine_kind", lambda _engine: kind)
    link = BrainLink("compact", title="looping", log=tmp_path / "log", patience_s=0.1)
    if request.param not in ("check", "load"):
        link.load(example_network(), SETTINGS)
    yield link
    link.close()


@pytest.mark.parametrize(("loaded", "method"), [(method, method) for method in CALLS], indirect=["loaded"])
def test_no_call_is_waited_for_for_ever(loaded: BrainLink, method: str, tmp_path: Path) -> None:
    pid = loaded.pid
    with pytest.raises(WorkerHung, match=f"did not answer '{method}'"):
        CALLS[method](loaded, str(tmp_path))
    assert not psutil.pid_exists(pid)


def test_a_script_that_stands_still_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)\n")
    link = BrainLink("nest", title="halted", log=tmp_path / "log", patience_s=1.0)
    with pytest.raises(WorkerHung, match=r"did not answer 'load' .* process \d+ halted"):
        link.load(BrainScript(str(tmp_path / "net.py"), "pynest"), SETTINGS)
    link.close()


def test_a_long_path_of_temporary_files_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 200)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr("tempfile.tempdir", None)
    link = BrainLink("nest", title="far away")
    assert link.load(example_network(), SETTINGS).neurons > 0
    assert link.advance([], STEP).counts
    link.close()
    assert not list(long.iterdir())
