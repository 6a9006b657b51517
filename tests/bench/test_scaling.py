"""Strong scaling: what is made of runs, and a tiny network through layouts of one and two processes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from animat.bench.bare.script import BareScript
from animat.bench.bare.task import BareTask
from animat.bench.kernel import KernelComparison, measure_kernel
from animat.bench.layout import Engine, Layout, parse_layouts
from animat.bench.scaling import LayoutRun, Scaling, measure_scaling, summarise
from animat.bench.scaling.figure import kind, write_figure
from animat.brain.install import EngineInstall
from animat.brain.network import Constant, Drive, FixedIndegree, Network, Population, Projection
from animat.errors import AnimatError

#: A step of 20 ms is a multiple of its delay, so that NEST draws the same in steps as in one call.
NETWORK = Network(
    name="tiny",
    populations=(
        Population(name="A", model="iaf_psc_alpha", size=80, drive=Drive(rate_hz=8000.0, weight=40.0, delay_ms=1.0)),
        Population(name="B", model="iaf_psc_alpha", size=20),
    ),
    projections=(
        Projection(pre="A", post="A", rule=FixedIndegree(indegree=5), weight=Constant(20.0), delay_ms=1.0),
        Projection(pre="A", post="B", rule=FixedIndegree(indegree=20), weight=Constant(60.0), delay_ms=2.0),
    ),
)


def run(layout: str, kernel_s: float, loop_s: float) -> LayoutRun:
    return LayoutRun(
        layout=parse_layouts(layout)[0],
        build_s=1.0,
        memory_mb=100.0,
        first_step_s=0.5,
        kernel_s=kernel_s,
        loop_s=loop_s,
        beyond_kernel_ms=1000 * (loop_s - kernel_s),
        spikes=[3, 4],
    )


def quiet(_what: str, _done: float | None) -> None:
    return None


def engine_of(found: EngineInstall) -> Engine:
    return Engine(found.python, tuple("{processes}" if part == "0" else part for part in found.launch(0)))


def test_speed_ups_are_taken_within_a_round_and_then_their_median() -> None:
    """The second round ran on a machine half as fast: ratios do not see it."""
    runs = [
        *(run("1x1", 0.10, 0.11), run("2x2", 0.04, 0.055)),
        *(run("1x1", 0.20, 0.22), run("2x2", 0.08, 0.110)),
        *(run("1x1", 0.10, 0.11), run("2x2", 0.05, 0.060)),
    ]
    first, second = summarise(runs)
    assert (first.kernel_speed_up, first.loop_speed_up, first.loop_efficiency) == (1.0, 1.0, 1.0)
    assert second.kernel_speed_up == pytest.approx(2.5) and second.loop_speed_up == pytest.approx(2.0)
    assert second.kernel_efficiency == pytest.approx(2.5 / 4) and second.loop_efficiency == pytest.approx(0.5)
    assert second.kernel_s == 0.05 and (second.kernel_s_least, second.kernel_s_most) == (0.04, 0.08)
    assert second.loop_real_time_factor == pytest.approx(0.02 / 0.06)


def scaling(runs: list[LayoutRun]) -> Scaling:
    return Scaling(
        network="made up",
        engine="nest",
        neurons=100,
        synapses=1000,
        cores=4,
        seed=1,
        virtual_processes=4,
        step_ms=20.0,
        steps=10,
        rounds=1,
        same_spikes=True,
        layouts=summarise(runs),
        runs=runs,
    )


@pytest.mark.parametrize("layouts", ["1x1", "1x1,1x2,2x1,2x2,4x1", "2x1,1x2"])
def test_a_figure_is_written_for_any_layouts(layouts: str, tmp_path: Path) -> None:
    runs = [run(str(layout), 0.1 / layout.cores, 0.1 / layout.cores + 0.002) for layout in parse_layouts(layouts)]
    write_figure(scaling(runs), tmp_path / "scaling.svg")
    assert "made up" in (tmp_path / "scaling.svg").read_text()


def test_kinds_of_layouts() -> None:
    assert [kind(layout) for layout in parse_layouts("1x1,4x1,1x4,2x2")] == [
        "processes",
        "processes",
        "threads",
        "both",
    ]


def test_too_little_to_measure_is_explained() -> None:
    with pytest.raises(AnimatError, match="at least 3 steps"):
        measure_scaling(NETWORK, [Layout(1, 1)], Engine(), quiet, steps=2)
    with pytest.raises(AnimatError, match="at least one step"):
        measure_kernel(NETWORK, Layout(1, 1), Engine(), quiet, rounds=0)


def test_one_and_two_processes_have_the_same_spikes(nest_mpi: EngineInstall) -> None:
    said = []
    layouts = parse_layouts("1x1,2x1")
    found = measure_scaling(
        NETWORK, layouts, engine_of(nest_mpi), lambda what, done: said.append((what, done)), steps=5, rounds=1
    )
    assert found.same_spikes and sum(found.runs[0].spikes) > 0
    assert found.virtual_processes == 2 and [row.layout for row in found.layouts] == layouts
    assert all(0 < row.kernel_s < row.loop_s and row.memory_mb > 50 for row in found.layouts)
    fractions = [done for _, done in said if done is not None]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert msgspec.json.decode(msgspec.json.encode(found), type=Scaling) == found


def test_a_bare_script_with_mpi_has_the_same_spikes(nest_mpi: EngineInstall) -> None:
    found = measure_kernel(NETWORK, Layout(2, 1), engine_of(nest_mpi), quiet, steps=3, rounds=2)
    assert not found.steps_cut_delays
    assert found.same_spikes and sum(one.spikes for one in found.rounds) > 0
    assert len(found.rounds) == 2 and found.ratio > 0
    assert msgspec.json.decode(msgspec.json.encode(found), type=KernelComparison) == found


def test_a_bare_script_that_fails_is_explained(nest_mpi: EngineInstall) -> None:
    odd = Network(name="odd", populations=(Population(name="A", model="iaf_psc_alpha", size=2, params={"C_m": -1.0}),))
    task = BareTask(odd, seed=1, virtual_processes=2, resolution_ms=0.1, intervals_ms=(20.0,))
    with (
        BareScript(task, Layout(2, 1), engine_of(nest_mpi)) as script,
        pytest.raises(AnimatError, match=r"(?s)bare PyNEST script ended early: .*Capacitance"),
    ):
        script.simulate()
