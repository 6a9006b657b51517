import os
import subprocess
import sys

import msgspec

from animat.brain.install import EngineInstall
from animat.brain.install.found import STATEMENT


def run(*words, cache):
    return subprocess.run(
        [sys.executable, "-m", "animat.cli", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "ANIMAT_CACHE": str(cache), "COLUMNS": "120"},
    )


def put_engine(cache):
    place = cache / "engines" / "one"
    place.mkdir(parents=True)
    engine = EngineInstall(
        name="nest-mpi",
        version="3.10.0",
        python=sys.executable,
        mpirun=sys.executable,
        mpi="MPICH 5.0.2",
        mpicc=None,
        models="all",
        folder=str(place),
        built="2026-01-01T00:00:00Z",
        lacks=("It cannot fly.",),
    )
    (place / STATEMENT).write_bytes(msgspec.json.encode(engine))
    return engine


def test_help_shows_an_example():
    for words in (["engine"], ["engine", "install"]):
        done = subprocess.run([sys.executable, "-m", "animat.cli", *words, "--help"], capture_output=True, text=True)
        assert done.returncode == 0 and "animat engine install nest-mpi" in " ".join(done.stdout.split())


def test_an_unknown_engine_is_told_which_exist(tmp_path):
    done = run("engine", "install", "nset-mpi", cache=tmp_path)
    assert done.returncode == 1 and "Did you mean 'nest-mpi'" in done.stderr and "Traceback" not in done.stderr
    done = run("engine", "install", "nest-mpi", "--models", "most", cache=tmp_path)
    assert done.returncode == 1 and "Known: all, needed" in done.stderr


def test_an_engine_that_is_there_is_not_built_again(tmp_path):
    engine = put_engine(tmp_path)
    done = run("engine", "install", "nest-mpi", cache=tmp_path)
    assert done.returncode == 0, done.stderr
    for said in ("NEST 3.10.0 with MPICH 5.0.2, all models", "there already", engine.folder, "brain: {processes: 2}"):
        assert said in done.stdout
    assert "It cannot fly." in done.stdout


def test_info_shows_every_engine(tmp_path):
    done = run("info", cache=tmp_path)
    assert done.returncode == 0 and "animat engine install nest-mpi" in done.stdout
    engine = put_engine(tmp_path)
    done = run("info", cache=tmp_path)
    rows = {line.split("│")[1].strip(): line for line in done.stdout.splitlines() if line.startswith("│")}
    assert "MPICH 5.0.2" in rows["nest-mpi"] and f"up to {os.cpu_count()}" in rows["nest-mpi"]
    assert {"nest", "mujoco", "opensim"} <= set(rows)
    assert f"nest-mpi: {engine.python}" in done.stdout


def test_info_does_not_import_nest(tmp_path):
    run = "import sys, animat.cli.commands as cli; cli.app(['info'], standalone_mode=False)"
    look = f"{run}; print('nest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False"
