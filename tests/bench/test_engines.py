"""Engines side by side: what is made of measurements, what limits compact, and a tiny network through both."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import animat.bench.engines as engines
from animat.bench.engines import EngineRun, Engines, Spread, fitting, measure_engines, ratios, summarise, variants
from animat.bench.engines.brain import Build
from animat.bench.engines.figure import write_figure
from animat.bench.engines.limits import Counted, Limits, Needed, floor, needed
from animat.bench.engines.machine import Machine, measure_machine
from animat.bench.rates import measure_rates
from animat.brain.compact.settings import CompactSettings, read_settings
from animat.brain.network import (
    Constant,
    Drive,
    FixedIndegree,
    Network,
    Normal,
    Population,
    Projection,
    Stdp,
    Uniform,
)
from animat.brain.protocol import BrainSettings
from animat.errors import AnimatError

STEP = 20_000_000

NETWORK = Network(
    name="tiny",
    populations=(
        Population(name="A", model="iaf_psc_alpha", size=80, drive=Drive(rate_hz=8000.0, weight=40.0, delay_ms=1.0)),
        Population(name="B", model="iaf_psc_alpha", size=20),
    ),
    projections=(
        Projection(pre="A", post="A", rule=FixedIndegree(indegree=5), weight=Constant(20.0), delay_ms=1.0),
        Projection(pre="A", post="B", rule=FixedIndegree(indegree=20), weight=Normal(60.0, 6.0), delay_ms=2.0),
    ),
)


def quiet(_what: str, _done: float) -> None:
    return None


def run(name: str, rounds_s: list[float], builds: list[tuple[float, float, float]], empty_mb: float) -> EngineRun:
    variant = next(one for one in variants(None, "double", threads=2, seed=1) if one.name == name)
    return EngineRun(
        variant=variant,
        version=f"{name} 1.0",
        synapses=800,
        empty_mb=empty_mb,
        builds=[Build(build_s=a, first_step_s=b, memory_mb=c) for a, b, c in builds],
        rounds_s=rounds_s,
        simulated_s=2.0,
        counts=[1600, 10],
        peak_mb=builds[-1][2] + 1,
    )


NEST = run("nest", [0.2, 0.4, 0.2], [(2.0, 1.0, 180.0), (4.0, 2.0, 180.0)], 80.0)
COMPACT = run("compact", [0.002, 0.004, 0.001], [(0.5, 0.1, 60.0), (1.0, 0.2, 60.0)], 50.0)


def limits(name: str) -> Limits:
    return Limits(
        name=name,
        counted=Counted(updates=2e4, deliveries=100.0, drive_spikes=10.0, spikes=[3.0, 1.0]),
        resting=0.0,
        needed=Needed(neuron_bytes=4e5, synapse_bytes=1e3, operations=4e5, held_bytes=1e5),
        machine=Machine(neuron_bytes_per_s=1e11, all_bytes_per_s=1e10, operations_per_s=1e11),
        neurons_s=4e-6,
        synapses_s=1e-7,
        computing_s=4e-6,
        floor_s=4.1e-6,
        kernel_s=1e-3,
        gap=1e-3 / 4.1e-6,
    )


def comparison(runs: list[EngineRun], left_out: dict[str, str] | None = None) -> Engines:
    return Engines(
        network="made up",
        neurons=100,
        synapses=800,
        populations=[engines.PopulationSize(one.name, one.size) for one in NETWORK.populations],
        threads=2,
        seed=1,
        step_ms=20.0,
        steps=10,
        rounds=3,
        builds=2,
        results=[summarise(one, NETWORK) for one in runs],
        ratios=ratios(runs),
        limits=[limits(one.variant.name) for one in runs if one.variant.engine == "compact"],
        left_out=left_out or {},
        runs=runs,
    )


def test_a_spread_is_the_median_and_the_quartiles() -> None:
    assert Spread.of([4.0, 1.0, 2.0, 3.0, 5.0]) == Spread(3.0, 2.0, 4.0)
    assert Spread.of([7.0]) == Spread(7.0, 7.0, 7.0)


def test_ratios_are_taken_within_a_turn() -> None:
    """The second turn ran on a machine half as fast: ratios do not see it."""
    (found,) = ratios([NEST, COMPACT])
    assert found.than == "compact"
    assert found.build == Spread(4.0, 4.0, 4.0) and found.ready == Spread(5.0, 5.0, 5.0)
    assert found.step == Spread(100.0, 100.0, 150.0)
    assert found.memory.median == 3.0 and found.beyond_empty.median == pytest.approx(10.0)
    assert ratios([COMPACT]) == []


def test_a_result_says_what_the_measurements_mean() -> None:
    found = summarise(NEST, NETWORK)
    assert found.step_s.median == 0.2 and found.real_time_factor == pytest.approx(0.1)
    assert found.neuron_step_ns == pytest.approx(0.2e9 / 200 / 100)
    assert found.rates_hz == [10.0, 0.25] and found.mean_rate_hz == pytest.approx(8.05)
    assert found.beyond_empty_mb == 100.0 and found.synapse_bytes == pytest.approx(125_000.0)
    assert found.build_s == Spread(3.0, 2.5, 3.5) and found.peak_mb == 181.0


def test_what_is_compared() -> None:
    def names(only: str | None, precision: str) -> list[str]:
        return [one.name for one in variants(only, precision, threads=2, seed=1)]

    assert names(None, "single") == ["nest", "compact"]
    assert names(None, "double") == ["nest", "compact", "compact double"]
    assert names("compact", "double") == ["compact", "compact double"] and names("nest", "single") == ["nest"]
    with pytest.raises(AnimatError, match=r"unknown brain engine 'nets'.*Did you mean 'nest'"):
        names("nets", "single")
    with pytest.raises(AnimatError, match=r"unknown precision of compact 'half'.*double, single"):
        names(None, "half")


def test_nest_stays_out_where_it_does_not_fit_or_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = variants(None, "single", threads=2, seed=1)
    monkeypatch.setattr(engines, "is_installed", lambda _engine: True)
    assert fitting(NETWORK, wanted, 64e9) == (wanted, {})
    taking_part, left_out = fitting(NETWORK, wanted, 120e6)
    assert taking_part == wanted[1:] and "it needs about 0.1 GB" in left_out["nest"]
    monkeypatch.setattr(engines, "is_installed", lambda engine: engine != "nest")
    taking_part, left_out = fitting(NETWORK, wanted, 64e9)
    assert taking_part == wanted[1:] and "not installed" in left_out["nest"]
    with pytest.raises(AnimatError, match="nest is not installed here; `animat info`"):
        fitting(NETWORK, wanted[:1], 64e9)
    monkeypatch.setattr(engines, "is_installed", lambda engine: engine != "compact")
    with pytest.raises(AnimatError, match="compact is not installed here"):
        fitting(NETWORK, wanted, 64e9)


def test_what_fits_nowhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "is_installed", lambda _engine: True)
    huge = Network(name="huge", populations=(Population(name="A", model="iaf_psc_exp", size=10**12),))
    with pytest.raises(AnimatError, match="GB of memory and this machine has"):
        fitting(huge, variants(None, "single", threads=2, seed=1), 8e9)


def one_step(network: Network, own: CompactSettings, **counted: float) -> Needed:
    none = {"updates": 0.0, "deliveries": 0.0, "drive_spikes": 0.0}
    spikes = [10.0 * one.size for one in network.populations]
    return needed(network, own, Counted(spikes=spikes, **{**none, **counted}), BrainSettings(seed=1, step=STEP))


def test_updates_move_states_once_between_exchanges_and_input_every_time_step() -> None:
    """5 states, threshold, current and the refractory time, 10 time steps at once; 2 receptors."""
    found = one_step(NETWORK, read_settings({}), updates=100.0)
    assert found.neuron_bytes == pytest.approx(100 * (2 * 2 * 4 + (2 * 4 * 5 + 2 * 4 + 2 * 4) / 10))
    assert found.operations == 2400.0 and found.synapse_bytes == 0.0
    assert found.held_bytes == pytest.approx(100 * (4 * (5 + 3 + 2 * (20 + 10)) + 4))
    double = one_step(NETWORK, read_settings({"precision": "double"}), updates=100.0)
    assert double.neuron_bytes == pytest.approx(100 * (2 * 2 * 8 + (2 * 8 * 5 + 2 * 4 + 2 * 8) / 10))


def test_relays_and_listed_receptors_have_costs_of_their_own() -> None:
    relays = Network(name="relays", populations=(Population(name="R", model="parrot_neuron", size=10),))
    found = one_step(relays, read_settings({}), updates=10.0)
    assert found.neuron_bytes == 10 * 2 * 4 and found.operations == 0.0
    params: dict[str, float | list[float]] = {"tau_syn": [1.0, 2.0, 3.0]}
    many = Population(name="M", model="iaf_psc_alpha_multisynapse", size=10, params=params)
    assert one_step(Network(name="many", populations=(many,)), read_settings({}), updates=1.0).operations == 33.0


def test_spikes_move_targets_weights_and_input() -> None:
    """Half of the synapses have a weight of their own; input is read and written."""
    assert one_step(NETWORK, read_settings({}), deliveries=800.0).synapse_bytes == pytest.approx(400 * 10 + 400 * 14)
    halves = one_step(NETWORK, read_settings({"weights": "half"}), deliveries=800.0)
    assert halves.synapse_bytes == pytest.approx(400 * 10 + 400 * 12) and halves.operations == 800.0
    driven = one_step(NETWORK, read_settings({}), drive_spikes=50.0)
    assert driven.synapse_bytes == 50 * 8 and driven.operations == 50.0


def test_plastic_synapses_and_drawn_delays_move_more() -> None:
    learning = Projection(
        pre="A",
        post="A",
        rule=FixedIndegree(indegree=5),
        weight=Constant(20.0),
        delay_ms=1.0,
        synapse=Stdp(update="power_law"),
    )
    found = one_step(msgspec.structs.replace(NETWORK, projections=(learning,)), read_settings({}), deliveries=10.0)
    assert found.synapse_bytes == 10 * (2 + 8 + 8 + 16) and found.operations == 10 * 111
    drawn = msgspec.structs.replace(NETWORK.projections[0], delay_ms=Uniform(1.0, 3.0))
    found = one_step(msgspec.structs.replace(NETWORK, projections=(drawn,)), read_settings({}), deliveries=10.0)
    assert found.synapse_bytes == 10 * (2 + 8 + 2)


def test_the_floor_is_bytes_and_operations_over_what_the_machine_does() -> None:
    must = Needed(neuron_bytes=1e6, synapse_bytes=2e6, operations=4e6, held_bytes=0.0)
    machine = Machine(neuron_bytes_per_s=1e9, all_bytes_per_s=1e9, operations_per_s=1e9)
    assert floor(must, machine) == pytest.approx((1e-3, 2e-3, 4e-3))


def test_the_machine_is_measured() -> None:
    found = measure_machine(1e6, 2e7, 1, "single")
    assert min(found.neuron_bytes_per_s, found.all_bytes_per_s, found.operations_per_s) > 1e8


@pytest.mark.parametrize("runs", [[NEST, COMPACT], [COMPACT], [NEST]])
def test_a_figure_is_written_for_any_engines(runs: list[EngineRun], tmp_path: Path) -> None:
    write_figure(comparison(runs), tmp_path / "engines.svg")
    assert "made up" in (tmp_path / "engines.svg").read_text()


def test_too_little_to_measure_is_refused_and_so_is_what_compact_has_not() -> None:
    with pytest.raises(AnimatError, match="at least one build and one step"):
        measure_engines(NETWORK, quiet, rounds=0)
    odd = Network(name="odd", populations=(Population(name="A", model="izhikevich", size=2),))
    with pytest.raises(AnimatError, match=r"izhikevich.*The engine nest has more"):
        measure_engines(odd, quiet)


def test_a_tiny_network_in_both_engines() -> None:
    pytest.importorskip("nest")
    said = []
    found = measure_engines(
        NETWORK,
        lambda what, done: said.append((what, done)),
        threads=1,
        steps=3,
        rounds=2,
        builds=2,
        precision="double",
    )
    assert [one.name for one in found.results] == ["nest", "compact", "compact double"] and not found.left_out
    assert [one.than for one in found.ratios] == [one.name for one in found.limits] == ["compact", "compact double"]
    assert found.synapses == 800 and all(len(one.builds) == len(one.rounds_s) == 2 for one in found.runs)
    assert all(one.memory_mb.median > 30 and one.step_s.median > 0 for one in found.results)
    nest, compact, double = found.results
    assert compact.rates_hz == pytest.approx(double.rates_hz, rel=0.05)
    assert nest.rates_hz[0] > 1 and nest.rates_hz[0] == pytest.approx(compact.rates_hz[0], rel=0.3)
    fractions = [done for _, done in said]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert msgspec.json.decode(msgspec.json.encode(found), type=Engines) == found


def test_counting_runs_the_same_brain() -> None:
    found = measure_engines(NETWORK, quiet, threads=1, steps=4, rounds=1, builds=1, only="compact")
    (result,), (limit,), (ran,) = found.results, found.limits, found.runs
    assert [4 * number for number in limit.counted.spikes] == pytest.approx(ran.counts)
    assert limit.counted.updates <= 100 * 200 and limit.resting == pytest.approx(1 - limit.counted.updates / 20_000)
    assert limit.kernel_s == result.step_s.median and limit.gap == pytest.approx(limit.kernel_s / limit.floor_s)
    assert found.ratios == []


def test_rates_of_compact_are_those_of_the_drive() -> None:
    """4 sd of Poisson counts: 2,400 events."""
    relays = Network(
        name="relays",
        populations=(
            Population(name="A", model="parrot_neuron", size=100, drive=Drive(rate_hz=30, weight=1, delay_ms=1)),
        ),
    )
    found = measure_rates(relays, quiet, until_ms=1000, after_ms=200, engine="compact")
    assert found.engine == "compact" and abs(found.rows[0].rate_hz - 30) < 4 * 30 / 2400**0.5
    with pytest.raises(AnimatError, match="unknown brain engine"):
        measure_rates(relays, quiet, engine="neuron")
