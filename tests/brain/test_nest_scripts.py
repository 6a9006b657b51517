"""Brains as PyNEST and PyNN scripts."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from nest_brain import STEP, counts, nest, running, spikes

from animat.brain.protocol import BrainScript, Selection
from animat.errors import AnimatError

PYNEST = """\
import nest
from sizes import SIZE
{reset}
exc = nest.Create("iaf_psc_alpha", SIZE, params={{"I_e": nest.random.uniform(400.0, 500.0)}})
inh = nest.Create("iaf_psc_alpha", 5)
nest.Connect(exc, inh, {{"rule": "fixed_indegree", "indegree": 5}}, {{"weight": 300.0, "delay": 2.0}})
{after}
populations = {{"exc": exc, "inh": inh, "some": exc[2:6]}}
"""

PYNN = """\
import pyNN.nest as sim
sim.setup({setup})
source = sim.Population(20, sim.SpikeSourcePoisson(rate=100.0))
cells = sim.Population(20, sim.IF_cond_exp(), label="cells")
others = sim.Population(10, sim.IF_curr_alpha())
sim.Projection(source, cells, sim.OneToOneConnector(), sim.StaticSynapse(weight=0.1, delay=1.0))
sim.Projection(cells, others, sim.AllToAllConnector(), sim.StaticSynapse(weight=0.5, delay=1.0))
populations = {{"cells": cells, "others": others, "view": cells[3:8], "all": cells + others, "source": source}}
"""


def pynest(folder: Path, reset: str = "", after: str = "") -> BrainScript:
    (folder / "sizes.py").write_text("SIZE = 20\n")
    file = folder / "net.py"
    file.write_text(PYNEST.format(reset=reset, after=after))
    return BrainScript(str(file), "pynest")


def pynn(folder: Path, setup: str = "") -> BrainScript:
    file = folder / "net.py"
    file.write_text(PYNN.format(setup=setup))
    return BrainScript(str(file), "pynn")


@pytest.mark.parametrize("reset", ["", "nest.ResetKernel()", "nest.ResetKernel(); nest.rng_seed = 99"])
def test_a_pynest_script_keeps_the_experiments_settings(tmp_path: Path, reset: str) -> None:
    with running(pynest(tmp_path, reset), seed=7, threads=2, resolution=200_000, record=("*",)) as loop:
        nest = loop.engine._nest
        assert (nest.rng_seed, nest.local_num_threads, nest.resolution) == (7, 2, 0.2)
        recorder = loop.attach("spike_recorder", "some")
        rate = loop.attach("population_rate", "exc")
        replies = loop.run(10)
        total = counts(replies)
        assert total[0] > 100 and total[1] > 0
        index, _ = spikes(replies, recorder)
        assert len(index) == total[2] and set(index) == {0, 1, 2, 3}
        assert rate == 1 and replies[-1].values[0] > 100


def test_seeds_decide_what_a_script_draws(tmp_path: Path) -> None:
    found = []
    for seed in (1, 1, 2):
        with running(pynest(tmp_path, "nest.ResetKernel()"), seed=seed) as loop:
            found.append(loop.engine.get(Selection("exc"), ["I_e"])["I_e"])
    assert found[0] == found[1] != found[2]


def test_a_script_may_simulate_by_itself(tmp_path: Path) -> None:
    with running(pynest(tmp_path, after="nest.Simulate(100.0)")) as loop:
        recorder = loop.attach("spike_recorder", "exc")
        replies = loop.run(2)
        assert min(spikes(replies, recorder)[1]) < 20_000_000 and replies[-1].time == 40_000_000


@pytest.mark.parametrize(
    ("after", "line", "message"),
    [
        ("raise ValueError('no luck')", 7, "ValueError: no luck"),
        ("nest.Create('no_such_model')", 7, "no_such_model"),
        ("x = = 1", 7, "not valid Python"),
        ("import sys; sys.exit(3)", 7, "ended itself"),
        (
            "nest.ResetKernel(); nest.resolution = 0.5\nexc = nest.Create('iaf_psc_alpha', 9)\ninh = exc",
            None,
            "resolution of 0.5",
        ),
        (
            "nest.ResetKernel(); nest.local_num_threads = 2\nexc = nest.Create('iaf_psc_alpha', 9)\ninh = exc",
            None,
            "sets 2 threads",
        ),
        ("exc = [[]] * 9", None, r"populations\['exc'\] is empty"),
        ("exc = 'abcdefghi'", None, r"populations\['exc'\] is or holds a str"),
    ],
)
def test_mistakes_in_a_script_name_its_file_and_line(
    tmp_path: Path, after: str, line: int | None, message: str
) -> None:
    with pytest.raises(AnimatError, match=message) as caught, running(pynest(tmp_path, after=after)):
        pass
    assert str(caught.value.file).endswith("net.py") and caught.value.line == line


def written(folder: Path, text: str, *args: str, kind: str = "pynest") -> BrainScript:
    (folder / "net.py").write_text(text)
    return BrainScript(str(folder / "net.py"), kind, args)


CELLS = 'import nest, sys\ncells = nest.Create("iaf_psc_alpha", 3, {"I_e": 600.0})\npopulations = {"cells": cells}\n'


def test_a_script_has_its_own_command_line(tmp_path: Path) -> None:
    text = """\
import argparse, nest, sys
parser = argparse.ArgumentParser()
parser.add_argument("--size", type=int)
parser.add_argument("file")
given = parser.parse_args()
assert sys.argv[0] == __file__ and __name__ == "__main__" and given.file == "a b"
populations = {"cells": nest.Create("iaf_psc_alpha", given.size)}
"""
    before = sys.argv[:], sys.path[:], sys.modules["__main__"]
    with running(written(tmp_path, text, "--size", "7", "a b")) as loop:
        assert len(loop.engine._nodes["cells"]) == 7
    assert (sys.argv, sys.path, sys.modules["__main__"]) == before
    with pytest.raises(AnimatError, match=r"ended itself \(exit 2\).*") as caught, running(written(tmp_path, text)):
        pass
    assert caught.value.line == 5


@pytest.mark.parametrize(
    "end", ["sys.exit()", "sys.exit(0)", "raise SystemExit", "nest.Prepare()", "nest.Prepare(); nest.Run(5.0)"]
)
def test_a_script_may_end_itself_or_leave_nest_prepared(tmp_path: Path, end: str) -> None:
    with running(written(tmp_path, CELLS + end + "\n")) as loop:
        assert counts(loop.run(2))[0] > 0


WRONG = """\
import nest, sys; Stop = type("Stop", (BaseException,), {{}}); Mute = type("Mute", (Exception,), {{"__str__": None}})
{}
"""


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("raise Stop('enough')", r"net\.py:2: Stop: enough$"),
        ("raise KeyboardInterrupt", r"net\.py:2: KeyboardInterrupt$"),
        ("sys.exit('no data')", r"ended itself: no data$"),
        (r"raise ValueError('a \ud800 b')", r"net\.py:2: ValueError: a \\ud800 b$"),
        ("raise ValueError('x' * 50_000_000)", r"\(50,000,000 characters in all\)"),
        ("raise Mute", r"net\.py:2: Mute: \(what it says cannot be shown"),
        ("import no_such_module", r"No module named 'no_such_module'.*brain: {python: PATH}"),
        ("nest.resolution = 1e-4", r"the experiment sets the resolution"),
    ],
)
def test_whatever_a_script_raises_can_be_read(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(AnimatError, match=says) as caught, running(written(tmp_path, WRONG.format(line))):
        pass
    assert caught.value.line == 2 and len(caught.value.what) < 3000 and caught.value.what.encode()


def test_mistakes_in_a_module_beside_the_script_are_placed_there(tmp_path: Path) -> None:
    (tmp_path / "own_weights.py").write_text("def weight():\n    return 1 / 0\n")
    with (
        pytest.raises(AnimatError, match=r"own_weights\.py:2: ZeroDivisionError"),
        running(written(tmp_path, "import own_weights\nown_weights.weight()\n")),
    ):
        pass


def test_a_seed_that_a_script_sets_is_told(tmp_path: Path) -> None:
    with running(written(tmp_path, CELLS), seed=7) as loop:
        assert loop.engine.reset().notes == ()
    with running(written(tmp_path, CELLS.replace("cells =", "nest.rng_seed = 99\ncells =", 1)), seed=7) as loop:
        (note,) = loop.engine.reset().notes
        assert "sets the seed 99" in note and "(7)" in note


def test_what_a_script_has_nest_print_ends_with_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with running(
        written(tmp_path, CELLS + "nest.verbosity = nest.VerbosityLevel.ALL\nnest.print_time = True\n")
    ) as loop:
        capfd.readouterr()
        loop.run(3)
        assert capfd.readouterr() == ("", "")


def test_the_seed_decides_what_numpy_and_python_draw_in_a_script(tmp_path: Path) -> None:
    text = """\
import random, nest, numpy as np
cells = nest.Create("iaf_psc_alpha", 2)
cells.I_e = [np.random.rand(), random.random()]
populations = {"cells": cells}
"""
    found = []
    for seed in (1, 1, 2):
        with running(written(tmp_path, text), seed=seed) as loop:
            found.append(loop.engine.get(Selection("cells"), ["I_e"])["I_e"])
    assert found[0] == found[1] and not np.any(np.equal(found[0], found[2]))


def test_a_script_that_runs_again_imports_its_modules_anew(tmp_path: Path) -> None:
    (tmp_path / "own_sizes.py").write_text("sizes = [3]\n")
    text = "import nest, own_sizes\nown_sizes.sizes[0] += 1\n"
    text += 'populations = {"cells": nest.Create("iaf_psc_alpha", own_sizes.sizes[0])}\n'
    with running(written(tmp_path, text)) as loop:
        assert [loop.engine.reset().neurons for _ in range(2)] == [4, 4]


def test_a_resolution_below_a_microsecond(tmp_path: Path) -> None:
    with running(written(tmp_path, CELLS + "nest.Simulate(1.0)\n"), resolution=12_500, step=STEP) as loop:
        recorder = loop.attach("spike_recorder", "cells")
        _, ticks = spikes(loop.run(3), recorder)
    with running(written(tmp_path, CELLS + "nest.Simulate(1.0)\n"), resolution=10_000, step=STEP) as loop:
        recorder = loop.attach("spike_recorder", "cells")
        _, near = spikes(loop.run(3), recorder)
    assert not np.any(np.asarray(ticks) % 12_500)
    assert ticks == pytest.approx(near, abs=50_000) and len(ticks) > 5


def test_a_resolution_that_no_experiment_can_have(tmp_path: Path) -> None:
    text = CELLS.replace("cells =", "nest.set(tics_per_ms=3, resolution=1 / 3)\ncells =", 1)
    with pytest.raises(AnimatError, match="no whole number of nanoseconds"), running(written(tmp_path, text)):
        pass


def test_single_neurons_one_to_one_in_pynn(tmp_path: Path) -> None:
    pytest.importorskip("pyNN.nest")
    text = """\
import pyNN.nest as sim
sim.setup()
one, other = sim.Population(1, sim.IF_cond_exp()), sim.Population(1, sim.IF_cond_exp())
sim.Projection(one, other, sim.OneToOneConnector(), sim.StaticSynapse(weight=0.1, delay=1.0))
populations = {"one": one, "other": other}
"""
    try:
        with running(written(tmp_path, text, kind="pynn")) as loop:
            assert loop.engine._nest.num_connections > 0
    except AnimatError as error:
        assert "write AllToAllConnector() there" in error.what and error.line == 4
    with running(written(tmp_path, text.replace("OneToOne", "AllToAll"), kind="pynn")) as loop:
        loop.run(1)


def test_nests_empty_errors_never_stand_alone(tmp_path: Path) -> None:
    with running(written(tmp_path, CELLS)) as loop, pytest.raises(AnimatError) as caught:
        nest.Prepare()
        loop.run(1)
    assert caught.value.what.removeprefix("NEST: ").startswith(("Prepare called twice", "NEST gave no reason"))


def test_a_recorder_that_cannot_write_is_told_with_what_nest_logged(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recorder = 'recorder = nest.Create("spike_recorder", {"record_to": "ascii", "label": "no/such/folder/x"})\n'
    text = CELLS + recorder + "nest.Connect(cells, recorder)\nnest.Simulate(1.0)\n"
    with (
        pytest.raises(AnimatError, match=r"IOError: I/O error while opening file '.*no/such/folder"),
        running(written(tmp_path, text)),
    ):
        pass
