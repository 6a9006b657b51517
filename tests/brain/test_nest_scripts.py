"""Brains as PyNEST and PyNN scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from nest_brain import counts, running, spikes

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


def test_a_script_without_populations(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("import nest\n")
    script = BrainScript(str(tmp_path / "net.py"), "pynest")
    with pytest.raises(AnimatError, match="must leave a dictionary of its populations"), running(script):
        pass


def test_a_pynn_script(tmp_path: Path) -> None:
    pytest.importorskip("pyNN.nest")
    with running(pynn(tmp_path), seed=5, threads=2, record=("*",)) as loop:
        nest = loop.engine._nest
        assert (nest.rng_seed, nest.local_num_threads) == (5, 2)
        recorder = loop.attach("spike_recorder", "view")
        current = loop.attach("dc_source", "cells", amplitude=500.0)
        replies = loop.run(20)
        total = counts(replies)
        names = list(loop.engine._nodes)
        cells, others, view, everything, source = (
            total[names.index(name)] for name in ("cells", "others", "view", "all", "source")
        )
        assert source == pytest.approx(20 * 100 * 0.4, rel=0.2)
        assert cells > 100 and others > 0 and everything == cells + others
        assert len(spikes(replies, recorder)[0]) == view > 0
        loop.run(1, (current, "amplitude", 0.0))
        assert counts(loop.run(20))[0] < cells
    with (
        pytest.raises(AnimatError, match="the experiment says"),
        running(pynn(tmp_path, "timestep=0.5")),
    ):
        pass


def test_a_pynn_circuit_of_the_platform(tmp_path: Path) -> None:
    pytest.importorskip("pyNN.nest")
    script = pynn(tmp_path)
    text = Path(script.path).read_text().split("populations =")[0] + "circuit = cells + others\n"
    Path(script.path).write_text(text)
    with running(script) as loop:
        assert list(loop.engine._nodes) == ["circuit"]
        loop.run(1)
