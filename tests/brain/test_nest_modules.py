"""A neuron model written in NESTML, compiled against the installed NEST and run as part of a network.

Needs NESTML (in this environment, or in that of the interpreter which ANIMAT_NESTML_PYTHON names), a C++ compiler,
cmake, and the headers of Boost, GSL and libltdl.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from nest_brain import nest

MODEL = """\
model leaky_neuron:
    state:
        V_m mV = E_L
    equations:
        kernel I_kernel = exp(-t / tau_syn)
        V_m' = -(V_m - E_L) / tau_m + (I_e + convolve(I_kernel, spikes_in) * 1 pA) / C_m
    parameters:
        C_m pF = 250 pF
        tau_m ms = 10 ms
        tau_syn ms = 2 ms
        E_L mV = -70 mV
        V_th mV = -55 mV
        V_reset mV = -70 mV
        I_e pA = 0 pA
    input:
        spikes_in <- spike
    output:
        spike
    update:
        integrate_odes()
    onCondition(V_m >= V_th):
        V_m = V_reset
        emit_spike()
"""

COMPILE = """\
import sys
from pynestml.frontend.pynestml_frontend import generate_nest_target
folder = sys.argv[1]
generate_nest_target(
    input_path=folder + "/leaky.nestml",
    target_path=folder + "/target",
    install_path=folder + "/install",
    module_name="leakymodule",
    logging_level="ERROR",
    codegen_opts={"nest_path": folder},
)
"""

RUN = """\
import json
from animat.brain.nest.engine import NestEngine
from animat.brain.network import Constant, Network, OneToOne, Population, Projection, Uniform
from animat.brain.protocol import BrainSettings

network = Network(
    name="n",
    modules=("leakymodule",),
    populations=(
        Population(
            name="A", model="leaky_neuron", size=5, params={"I_e": 600.0}, initial={"V_m": Uniform(-70.0, -60.0)}
        ),
        Population(name="B", model="leaky_neuron", size=5),
    ),
    projections=(Projection(pre="A", post="B", rule=OneToOne(), weight=Constant(5000.0), delay_ms=1.0),),
)
engine = NestEngine()
engine.load(network, BrainSettings(seed=1, step=100_000_000), lambda what, done: None)
counts = [engine.advance([], 100_000_000).counts]
engine.reset()
counts.append(engine.advance([], 100_000_000).counts)
print(json.dumps(counts))
"""


def nestml_python() -> str:
    given = os.environ.get("ANIMAT_NESTML_PYTHON")
    if given is None and importlib.util.find_spec("pynestml") is None:
        pytest.skip("NESTML is not installed (pip install nestml, or set ANIMAT_NESTML_PYTHON)")
    return given or sys.executable


def check_compiler() -> None:
    for tool in ("g++", "cmake", "make"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")
    wanted = "#include <boost/type_index.hpp>\n#include <gsl/gsl_odeiv.h>\n"
    if subprocess.run(["g++", "-E", "-x", "c++", "-"], input=wanted.encode(), capture_output=True).returncode:
        pytest.skip("there are no headers of Boost and GSL")


def write_nest_config(folder: Path) -> None:
    """Write NEST's `nest-config` as it would be had NEST been built here: a wheel's names the machine it came from."""
    original = Path(sys.executable).parent / "nest-config"
    if not original.is_file():
        pytest.skip("there is no nest-config beside the interpreter")
    built = subprocess.run([original, "--prefix"], capture_output=True, text=True, check=True).stdout.strip()
    text = original.read_text().replace(built, str(Path(nest.__file__).parent))
    compiler = subprocess.run([original, "--compiler"], capture_output=True, text=True, check=True).stdout.strip()
    libraries = subprocess.run([original, "--libs"], capture_output=True, text=True, check=True).stdout.split()
    text = text.replace(compiler, "g++").replace("-DNDEBUG", "-DNDEBUG -D_GLIBCXX_USE_CXX11_ABI=0")
    for library in libraries:
        if library.startswith("/"):
            text = text.replace(library, "")
    (folder / "bin").mkdir()
    (folder / "bin" / "nest-config").write_text(text)
    (folder / "bin" / "nest-config").chmod(0o755)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_nestml_model_runs_and_survives_a_reset(tmp_path: Path) -> None:
    python = nestml_python()
    check_compiler()
    write_nest_config(tmp_path)
    (tmp_path / "leaky.nestml").write_text(MODEL)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path / "install"), "PYNEST_QUIET": "1"}
    made = subprocess.run([python, "-c", COMPILE, tmp_path], env=environment, capture_output=True, text=True)
    assert (tmp_path / "install" / "leakymodule.so").is_file(), made.stdout[-2000:] + made.stderr[-2000:]
    ran = subprocess.run([sys.executable, "-c", RUN], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    first, second = ran.stdout.strip().splitlines()[-1].strip("[]").split("], [")
    assert first == second and min(map(int, first.split(","))) > 10
