import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import psutil
import pytest

import animat
import animat.brain.install.build as build
from animat.brain.install import EngineInstall, engines_folder, installed_engines, nest_mpi
from animat.brain.install.choice import NEEDED_MODELS, NestMpi
from animat.brain.install.command import ninja_step, run_logged
from animat.brain.install.found import STATEMENT
from animat.brain.install.lock import only_one
from animat.brain.install.requirements import check_requirements
from animat.errors import AnimatError


@pytest.fixture(autouse=True)
def cache(request, tmp_path, monkeypatch):
    """An empty cache, except for what needs the engine itself."""
    if "nest_mpi" not in request.fixturenames:
        monkeypatch.setenv("ANIMAT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def tool(path, text="exit 0"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def fake(folder, *, models="all", built="2026-01-01T00:00:00Z", version="3.10.0", mpicc=None, name="nest-mpi"):
    place = engines_folder() / folder
    engine = EngineInstall(
        name=name,
        version=version,
        python=str(tool(place / "env/bin/python")),
        mpirun=str(tool(place / "env/bin/mpirun")),
        mpi="MPICH 5.0.2",
        mpicc=mpicc,
        models=models,
        folder=str(place),
        built=built,
    )
    (place / STATEMENT).write_bytes(msgspec.json.encode(engine))
    return engine


def test_the_cache_is_the_users_unless_named(monkeypatch, tmp_path):
    assert engines_folder() == tmp_path / "cache" / "engines"
    monkeypatch.delenv("ANIMAT_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert engines_folder().is_relative_to(tmp_path / "home") and engines_folder().parts[-2:] == ("animat", "engines")


def test_without_an_engine_the_error_says_how_to_get_one():
    assert installed_engines() == []
    with pytest.raises(AnimatError, match=r"animat engine install nest-mpi \(about 12 minutes on two cores\)"):
        nest_mpi()


def test_all_models_come_before_some_and_then_the_newest():
    some = fake("a", models=("iaf_psc_alpha",), built="2026-03-01T00:00:00Z")
    old = fake("b", built="2026-01-01T00:00:00Z")
    new = fake("c", built="2026-02-01T00:00:00Z")
    assert installed_engines() == [new, old, some]
    assert nest_mpi() == new


def test_what_is_half_built_broken_or_gone_is_not_found():
    half = fake("half")
    (Path(half.folder) / STATEMENT).unlink()
    (Path(fake("broken").folder) / STATEMENT).write_text('{"name": "nest-')
    Path(fake("without-interpreter").python).unlink()
    Path(fake("without-mpirun").mpirun).chmod(0o644)
    assert installed_engines() == []


def test_the_folder_name_tells_options_apart(tmp_path):
    mpicc = tool(tmp_path / "mpi" / "mpicc")
    wishes = [
        NestMpi(),
        NestMpi(version="3.11.0"),
        NestMpi(models=("iaf_psc_alpha",)),
        NestMpi(models=("iaf_psc_exp",)),
        NestMpi(mpicc=str(mpicc)),
    ]
    names = [wish.folder_name for wish in wishes]
    assert len(set(names)) == len(names)
    assert names[0] == f"nest-mpi-3.10.0-py{sys.version_info.major}.{sys.version_info.minor}-mpich-all"
    assert NestMpi(models=("a", "b")).folder_name == NestMpi(models=("b", "a")).folder_name
    assert all(re.fullmatch(r"[\w.-]+", name) for name in names)


def test_a_wish_is_met_by_the_same_or_more_models_and_only_by_the_same_mpi(tmp_path):
    mpicc = tool(tmp_path / "mpi" / "mpicc")
    everything, two = fake("all"), fake("two", models=("a", "b"))
    other = fake("other", mpicc=str(mpicc))
    some, more, every = NestMpi(models=("a",)), NestMpi(models=("a", "c")), NestMpi()
    assert some.is_met_by(two) and some.is_met_by(everything) and not some.is_met_by(other)
    assert not more.is_met_by(two) and not every.is_met_by(two)
    assert not NestMpi(version="3.9.0").is_met_by(everything)
    assert NestMpi(mpicc=str(mpicc)).is_met_by(other) and not NestMpi(mpicc=str(mpicc)).is_met_by(everything)


def test_an_mpicc_that_is_none_is_refused(tmp_path):
    with pytest.raises(AnimatError, match="there is no such command"):
        NestMpi(mpicc=str(tmp_path / "mpicc")).folder_name  # noqa: B018
    lonely = NestMpi(mpicc=str(tool(tmp_path / "mpicc")))
    with pytest.raises(AnimatError, match=r"mpirun beside mpicc, and .*/mpirun does not exist"):
        lonely.mpi_tool("mpirun")


def test_open_mpi_is_told_that_processes_may_share_cores():
    engine = fake("a")
    assert engine.launch(4) == [engine.mpirun, "-n", "4"]
    open_mpi = msgspec.structs.replace(engine, mpi="Open MPI 5.0.11")
    assert open_mpi.launch(4)[:6] == [engine.mpirun, "-n", "4", "--oversubscribe", "--bind-to", "none"]


def test_the_needed_models_are_those_that_are_named_anywhere():
    """Every NEST model that source and tests name is in the set, so that `--models needed` is enough for them.

    But for those that tests name to one process alone, which has the NEST with all models.
    """
    alone = {"voltmeter", "tanh_rate_ipn", "astrocyte_lr_1994", "aeif_cond_alpha_multisynapse", "mat2_psc_exp"}
    look = "import nest; print('models:', *nest.node_models, *nest.synapse_models)"
    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout
    models = set(said.split("models:")[1].split())
    source = Path(animat.__file__).parent
    named = {
        word
        for folder in (source, Path(__file__).parents[1])
        for file in folder.rglob("*")
        if file.suffix in {".py", ".yaml"} and file.name != "choice.py"
        for word in re.findall(r"\w+", file.read_text())
        if word in models
    }
    assert len(named) > 30
    kinds = {re.sub("_(hpc|lbl)$", "", name) for name in named}
    assert sorted(kinds - set(NEEDED_MODELS) - alone) == []
    assert sorted(set(NEEDED_MODELS) - models) == []


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("  [34/125] Building CXX object libnestutil/a.cpp.o\n", (34, 125)),
        ("[125/125] Linking CXX shared module\n", (125, 125)),
        ("  -- Looking for [1/2]\n", None),
        ("  *** Building project with Ninja...\n", None),
    ],
)
def test_ninja_says_how_far_it_is(line, step):
    assert ninja_step(line) == step


def test_a_step_that_fails_shows_the_end_of_its_log(tmp_path):
    log = tmp_path / "build.log"
    command = ["sh", "-c", "seq 100; echo it broke >&2; exit 3"]
    with pytest.raises(AnimatError, match=r"It failed\. The log ends with:\n  90\n[^$]*it broke\nThe whole log: .*log"):
        run_logged(command, log=log, environment=os.environ, what="It failed")
    assert log.read_text().splitlines()[1:] == [*map(str, range(1, 101)), "it broke"]


#: Starts a process in a group of its own, as ninja does with compilers, and heeds no Ctrl-C.
SLEEPER = """\
import signal, subprocess
signal.signal(signal.SIGINT, signal.SIG_IGN)
sleeper = subprocess.Popen(["sleep", "600"], process_group=0)
print(sleeper.pid, flush=True)
sleeper.wait()
"""


def test_a_step_that_is_interrupted_leaves_no_process(tmp_path):
    children = []

    def interrupt(line):
        children.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_logged(
            [sys.executable, "-c", SLEEPER],
            log=tmp_path / "build.log",
            environment=os.environ,
            what="It failed",
            on_line=interrupt,
        )
    assert gone(children[0])


def test_a_step_ends_when_the_process_that_runs_it_is_killed(tmp_path):
    program = (
        "import os, sys; from pathlib import Path; from animat.brain.install.command import run_logged; "
        "run_logged([sys.executable, '-c', sys.argv[2]], log=Path(sys.argv[1]), environment=os.environ, what='', "
        "on_line=lambda line: print(line, flush=True))"
    )
    command = [sys.executable, "-c", program, tmp_path / "log", SLEEPER]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        child = int(process.stdout.readline())
        process.kill()
    assert gone(child)


def test_a_step_has_a_time_limit(tmp_path):
    with pytest.raises(AnimatError, match="It hangs"):
        run_logged(["sleep", "600"], log=tmp_path / "log", environment=os.environ, what="It hangs", limit_s=0.2)


def gone(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(10)
    return not psutil.pid_exists(pid)


def test_a_lock_lets_one_in_and_tells_the_other(tmp_path):
    order = []

    def second():
        with only_one(tmp_path / "lock", lambda: order.append("waits")):
            order.append("second")

    with only_one(tmp_path / "lock", lambda: order.append("never")):
        thread = threading.Thread(target=second)
        thread.start()
        deadline = time.monotonic() + 10
        while "waits" not in order and time.monotonic() < deadline:
            time.sleep(0.01)
        order.append("first")
    thread.join(10)
    assert order == ["waits", "first", "second"]


def test_of_two_installations_at_once_one_builds(monkeypatch):
    built = []

    def run(self, lacks):
        time.sleep(0.3)
        built.append(self.folder)
        return fake(self.folder.name)

    monkeypatch.setattr(build, "check_requirements", lambda: ())
    monkeypatch.setattr(build._Build, "run", run)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(build.install_nest_mpi(NestMpi(), lambda what, done: None)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(built) == 1 and found[0] == found[1]


def test_an_engine_that_lost_its_interpreter_is_not_found_while_it_is_built_again(monkeypatch):
    wanted = NestMpi()
    Path(fake(wanted.folder_name).python).unlink()

    def fail(self):
        tool(self.python)
        raise AnimatError("no compiler today")

    monkeypatch.setattr(build, "check_requirements", lambda: ())
    monkeypatch.setattr(build._Build, "_make_environment", fail)
    with pytest.raises(AnimatError, match="no compiler today"):
        build.install_nest_mpi(wanted, lambda what, done: None)
    assert installed_engines() == []


def looking(tmp_path, **headers):
    """Return variables with a compiler that knows the headers said to be there."""
    cases = "".join(f"*{name}*) exit {0 if there else 1};; " for name, there in headers.items())
    tool(tmp_path / "bin" / "c++", f'read line; case "$line" in {cases} esac')
    return {"PATH": str(tmp_path / "bin")}


def test_without_a_compiler_the_packages_are_named(tmp_path):
    with pytest.raises(AnimatError, match=r"missing: a C\+\+ compiler") as caught:
        check_requirements({"PATH": str(tmp_path)})
    if sys.platform == "linux":
        for way in ("apt-get install g++", "dnf install gcc-c++", "module load GCC"):
            assert way in str(caught.value)


def test_without_gsl_the_packages_are_named(tmp_path):
    with pytest.raises(AnimatError, match=r"gsl_version\.h") as caught:
        check_requirements(looking(tmp_path, gsl=False, ltdl=True))
    if sys.platform == "linux":
        for way in ("apt-get install libgsl-dev", "dnf install gsl-devel", "module load GSL"):
            assert way in str(caught.value)


def test_without_ltdl_it_is_said_what_is_lost(tmp_path):
    assert check_requirements(looking(tmp_path, gsl=True, ltdl=True)) == ()
    (sentence,) = check_requirements(looking(tmp_path, gsl=True, ltdl=False))
    assert "nest.Install" in sentence and "libltdl" in sentence


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes by what they have open")
def test_an_installation_that_is_ended_leaves_no_process_and_no_engine(cache, tmp_path):
    """The compiler is a fake, so this gets no farther than making the environment and its packages."""
    environment = {**os.environ, "PATH": f"{tool(tmp_path / 'bin' / 'c++').parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "animat.cli", "engine", "install", "nest-mpi"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not list(cache.glob("engines/*/build.log")) and time.monotonic() < deadline:
            time.sleep(0.05)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
    finally:
        process.kill()
    assert all(gone(child.pid) for child in children)
    assert not list(cache.rglob(STATEMENT))


def test_two_nests_of_one_name_do_not_meet(nest_mpi, tmp_path):
    """The wheel in this environment and the one with MPI are told apart by their interpreter alone."""
    look = "import sys, nest; open(f'{sys.argv[1]}/{nest.Rank()}', 'w').write(f'{nest.num_processes} {nest.__file__}')"
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, command in ((here, [sys.executable]), (there, [*nest_mpi.launch(2), nest_mpi.python])):
        folder.mkdir()
        subprocess.run([*command, "-c", look, folder], capture_output=True, check=True, timeout=120)
    processes, file = (here / "0").read_text().split()
    assert processes == "1" and not file.startswith(nest_mpi.folder)
    for rank in "01":
        processes, file = (there / rank).read_text().split()
        assert processes == "2" and file.startswith(nest_mpi.folder)
