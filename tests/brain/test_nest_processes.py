"""A brain on several processes: the same spikes and answers, and an end without remains when one of them fails."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil
import pytest
from nest_brain import STEP, Loop

from animat.brain.conformance import check_brain_engine, example_network
from animat.brain.network import (
    Constant,
    Drive,
    FixedIndegree,
    LogNormal,
    Network,
    PairwiseBernoulli,
    Population,
    Projection,
    Stdp,
    Uniform,
)
from animat.brain.protocol import SHARD_DTYPE, BrainScript, BrainSettings, Device, ProjectionName, Selection
from animat.brain.remote import BrainLink
from animat.errors import AnimatError
from animat.link import WorkerDied, WorkerHung
from animat.link.ranks import GRACE_S

pytestmark = pytest.mark.usefixtures("nest_mpi")

#: Seconds within which the loop learns that a process of the brain is lost.
LEARNT_S = 2.0


def varied() -> Network:
    """Random weights and delays, learning synapses, relays and a noisy drive."""
    drive = Drive(rate_hz=6000.0, weight=40.0, delay_ms=1.5)
    return Network(
        name="varied",
        populations=(
            Population(name="E", model="iaf_psc_exp", size=301, drive=drive, initial={"V_m": Uniform(-70.0, -55.0)}),
            Population(name="I", model="iaf_psc_exp", size=102, drive=drive),
            Population(name="R", model="parrot_neuron", size=50),
        ),
        projections=(
            Projection(
                pre="E", post="I", rule=PairwiseBernoulli(p=0.1), weight=LogNormal(3.0, 0.5), delay_ms=Uniform(1.0, 3.0)
            ),
            Projection(pre="I", post="E", rule=FixedIndegree(indegree=20), weight=Constant(-40.0), delay_ms=1.5),
            Projection(
                pre="E",
                post="E",
                rule=FixedIndegree(indegree=20),
                weight=Constant(20.0),
                delay_ms=1.5,
                synapse=Stdp(update="power_law", learning_rate=0.1, alpha=0.1, tau_plus_ms=15.0, tau_minus_ms=30.0),
            ),
            Projection(pre="E", post="R", rule=FixedIndegree(indegree=2), weight=Constant(1.0), delay_ms=1.0),
        ),
    )


@contextmanager
def brain(processes: int, **rest: Any) -> Iterator[BrainLink]:
    with closing(BrainLink("nest", processes=processes, title="test", **rest)) as link:
        yield link


def settings(processes: int, **rest: Any) -> BrainSettings:
    return BrainSettings(**{"seed": 3, "step": STEP, "processes": processes, **rest})


def ranks(link: BrainLink) -> list[psutil.Process]:
    """The processes of a brain that runs on two, by rank."""
    link.round_trips(1)
    found = [psutil.Process(pid) for pid in link._worker.ranks.values()]
    assert len(found) == 2
    return found


def everything(processes: int, threads: int, folder: Path) -> tuple[str, int]:
    """Return a digest of all that a busy run gives, and its number of spikes."""
    digest = hashlib.sha256()
    shard = folder / f"spikes.brain{processes}x{threads}.shard"
    wanted = settings(processes, threads=threads, virtual_processes=4, record=("*",), shard=str(shard))
    with brain(processes) as link:
        info = link.load(varied(), wanted)
        digest.update(repr((info.populations, info.synapses, info.min_delay_ms, info.max_delay_ms)).encode())
        loop = Loop(link, STEP)  # type: ignore[arg-type]
        loop.attach("leaky_integrator_alpha", "E")
        loop.attach("population_rate", "I")
        loop.attach("leaky_integrator_exp", "E", each=True, indices=(7, 3, 5))
        loop.attach("spike_recorder", "R")
        source = loop.attach("poisson", "E", weight=30.0)
        regular = loop.attach("fixed_frequency", "I", each=True, indices=(4, 9), weight=500.0)
        replies = loop.run(3)
        replies += loop.run(2, (source, "rate", 2000.0), (regular, "rate", [50.0, 100.0]))
        link.set(Selection("E", stop=40), {"silent": True})
        for pre, post in (("I", "E"), ("E", "I")):
            link.set(ProjectionName(pre, post), {"cut": True})
        link.set(Selection("E", indices=(5, 2, 9)), {"V_m": [-61.0, -62.0, -63.0]})
        digest.update(repr(link.get(Selection("E", indices=(5, 2, 9, 100)), ["V_m", "C_m"])).encode())
        replies += loop.run(2)
        for pre, post in (("I", "E"), ("E", "I")):
            link.set(ProjectionName(pre, post), {"cut": False})
        link.set(Selection("E", stop=40), {"silent": False})
        replies += loop.run(3)
        digest.update(repr(link.get(Selection("E"), ["V_m"])).encode())
        for reply in replies:
            digest.update(repr((reply.time, reply.values, reply.spikes, reply.counts)).encode())
    files = [shard, *(shard.with_suffix(f".{rank}.shard") for rank in range(1, processes))]
    records = np.concatenate([np.fromfile(file, SHARD_DTYPE) for file in files])
    digest.update(np.sort(records, order=["tick", "population", "index"]).tobytes())
    return digest.hexdigest(), len(records)


def test_it_conforms_on_two_processes() -> None:
    check_brain_engine(lambda: BrainLink("nest", processes=2), processes=2)


def test_the_same_spikes_however_processes_and_threads_are_split(tmp_path: Path) -> None:
    """At four virtual processes; the first is the NEST of this environment without MPI, the last oversubscribed."""
    found = {layout: everything(*layout, tmp_path) for layout in ((1, 2), (1, 4), (2, 1), (2, 2), (4, 1))}
    assert found[1, 2][1] > 1000
    assert len(set(found.values())) == 1, found


def test_a_process_without_connections_does_not_stop_the_others() -> None:
    neurons = [Population(name=name, model="iaf_psc_exp", size=1) for name in "AB"]
    one = Projection(pre="A", post="B", rule=FixedIndegree(indegree=1), weight=Constant(100.0), delay_ms=1.5)
    with brain(2, patience_s=2.0) as link:
        info = link.load(Network(name="two", populations=tuple(neurons), projections=(one,)), settings(2))
        assert (info.synapses, info.min_delay_ms, info.max_delay_ms) == (1, 1.5, 1.5)
        assert link.advance([], STEP).time == STEP


UNEVEN = """\
import nest
a, b, c = nest.Create("iaf_psc_exp", 4), nest.Create("iaf_psc_exp", 1), nest.Create("iaf_psc_exp", 1)
nest.Connect(a, b, syn_spec={"weight": 10.0, "delay": 1.5})
nest.Connect(a, c, syn_spec={"weight": 10.0, "delay": 1.5})
populations = {"A": a, "B": b, "C": c}
"""


def device(kind: str, population: str, **rest: Any) -> Device:
    return Device(name=kind, kind=kind, neurons=(Selection(population),), **rest)


def uneven(link: BrainLink, folder: Path, **rest: Any) -> None:
    """Load a script whose projections onto B and C have all their synapses in one of two processes each."""
    script = folder / "uneven.py"
    script.write_text(UNEVEN)
    link.load(BrainScript(str(script), "pynest"), settings(rest.pop("processes", 2), **rest))


def test_a_projection_that_one_process_does_not_have_is_cut_twice(tmp_path: Path) -> None:
    with brain(2, patience_s=2.0) as link:
        uneven(link, tmp_path)
        link.advance([], STEP)
        for cut in (True, True, False, False, True):
            link.set(ProjectionName("A", "B"), {"cut": cut})
            link.attach([device("dc_source", "A")])
        assert link.advance([], 2 * STEP).time == 2 * STEP


def test_a_process_that_stands_still_is_noticed_outside_of_steps_too(tmp_path: Path) -> None:
    with brain(2, patience_s=0.3) as link:
        uneven(link, tmp_path)
        rank = ranks(link)[1]
        rank.suspend()
        with pytest.raises(WorkerHung, match=rf"did not answer 'set' within .* process {rank.pid} halted"):
            link.set(Selection("A"), {"V_m": -60.0})


def test_a_refused_device_leaves_the_same_in_all_processes(tmp_path: Path) -> None:
    """What is made before and after the one that fails draws random numbers for ever."""
    found = []
    for processes, threads in ((1, 2), (2, 1)):
        with brain(processes, patience_s=5.0) as link:
            uneven(link, tmp_path, processes=processes, threads=threads, virtual_processes=2)
            link.advance([], STEP)
            noise, unfit = device("nc_source", "A"), device("dc_source", "B", receptor=7)
            with pytest.raises(AnimatError, match=r"(?i)receptor"):
                link.attach([unfit, noise, noise])
            source = link.attach([device("poisson", "A", weight=400.0)])[0]
            replies = [link.advance([(source, "rate", 8000.0)], 2 * STEP), link.advance([], 3 * STEP)]
            found.append([reply.counts for reply in replies])
    assert found[0] == found[1]
    assert sum(found[0][1]) > 10


def test_every_process_writes_its_own_spikes_and_says_its_memory(tmp_path: Path) -> None:
    shard = tmp_path / "spikes.brain.shard"
    with brain(2) as link:
        link.load(example_network(), settings(2, record=("*",), shard=str(shard)))
        memory = link.advance([], 5 * STEP).memory_mb
        assert memory == pytest.approx(sum(one.memory_info().rss for one in ranks(link)) / 1e6, rel=0.5)
    index = [np.fromfile(file, SHARD_DTYPE)["index"] for file in (shard, tmp_path / "spikes.brain.1.shard")]
    assert len(index[0]) and len(index[1]) and not set(index[0] % 2) & set(index[1] % 2)


def test_a_script_runs_in_every_process(tmp_path: Path) -> None:
    script = tmp_path / "net.py"
    script.write_text(
        "import nest\n"
        "a = nest.Create('iaf_psc_alpha', 20, {'I_e': 500.0})\n"
        "b = nest.Create('parrot_neuron', 20)\n"
        "nest.Connect(a, b, 'one_to_one', {'synapse_model': 'bernoulli_synapse', 'delay': 2.0})\n"
        "populations = {'A': a, 'B': b}\n"
    )
    found = []
    for processes in (1, 2):
        with brain(processes) as link:
            info = link.load(BrainScript(str(script), "pynest"), settings(processes, virtual_processes=2))
            assert info.synapses >= 20 and info.sizes() == {"A": 20, "B": 20}
            loop = Loop(link, STEP)  # type: ignore[arg-type]
            recorder = loop.attach("spike_recorder", "B")
            before = loop.run(5)
            with pytest.raises(AnimatError, match="there is no projection B->A"):
                link.set(ProjectionName("B", "A"), {"cut": True})
            link.set(ProjectionName("A", "B"), {"cut": True})
            found.append([reply.spikes[recorder] for reply in before + loop.run(5)])
    assert found[0] == found[1] and any(spikes[0] for spikes in found[0])


def test_a_mistake_that_only_one_process_can_see_does_not_end_the_brain() -> None:
    with brain(2) as link:
        link.load(example_network(), settings(2))
        for neuron in (0, 1):
            with pytest.raises(AnimatError, match="time constant"):
                link.set(Selection("E", indices=(neuron,)), {"tau_m": -1.0})
            with pytest.raises(AnimatError, match="Receptor type 9"):
                Loop(link, STEP).attach("poisson", "E", indices=(neuron,), receptor=9)  # type: ignore[arg-type]
        assert link.advance([], STEP).time == STEP


def unstable(neurons: int, after: int = 0) -> Network:
    """Neurons that make NEST fail within the first steps, `after` so many others."""
    bad = Population(name="A", model="aeif_cond_alpha", size=neurons, params={"I_e": 1e9})
    before = (Population(name="B", model="aeif_cond_alpha", size=after),) if after else ()
    return Network(name="unstable", populations=(*before, bad))


repeated = pytest.mark.parametrize("times", [3, pytest.param(50, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])


@repeated
@pytest.mark.parametrize("rank", [0, 1])
def test_nest_fails_in_one_process_alone(rank: int, times: int) -> None:
    """While the other waits for it within NEST."""
    for _ in range(times):
        fail_within_nest(rank)


def fail_within_nest(rank: int) -> None:
    with brain(2) as link:
        link.load(unstable(1, after=rank), settings(2))
        children = ranks(link)
        began = time.monotonic()
        with pytest.raises(WorkerDied, match=rf"(?s)rank {rank} .*numerical instability"):
            link.advance([], 5 * STEP)
        assert time.monotonic() - began < GRACE_S + LEARNT_S
    assert_gone(children)


def test_nest_fails_in_all_processes() -> None:
    with brain(2) as link:
        link.load(unstable(10), settings(2))
        with pytest.raises(AnimatError, match="numerical instability"):
            link.advance([], 5 * STEP)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_script_fails_in_one_process_alone(rank: int, tmp_path: Path) -> None:
    script = tmp_path / "net.py"
    script.write_text(
        f"import nest\nif nest.Rank() == {rank}:\n    print('so long', flush=True)\n    nest.Create('no_such')\n"
        "populations = {'A': nest.Create('iaf_psc_alpha', 4)}\nnest.Simulate(1.0)\n"
    )
    with brain(2) as link:
        children = ranks(link)
        with pytest.raises(AnimatError, match=f"(?s)rank {rank}.*no_such") as caught:
            link.load(BrainScript(str(script), "pynest"), settings(2))
        assert "net.py" in str(caught.value)
    assert_gone(children)


@repeated
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_is_killed_in_a_step(rank: int, times: int) -> None:
    for _ in range(times):
        kill_in_a_step(rank)


def kill_in_a_step(rank: int) -> None:
    with brain(2) as link:
        link.load(busy(), settings(2))
        link.advance([], STEP)
        children = ranks(link)
        link.start([], 3000 * STEP)
        time.sleep(0.3)
        children[rank].kill()
        began = time.monotonic()
        with pytest.raises(WorkerDied):
            link.finish()
        assert time.monotonic() - began < LEARNT_S
    assert_gone(children)


@repeated
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_hangs_in_a_step(rank: int, times: int) -> None:
    for _ in range(times):
        hang_in_a_step(rank)


def hang_in_a_step(rank: int) -> None:
    patience = 0.5
    with brain(2, patience_s=patience) as link:
        link.load(busy(), settings(2))
        link.advance([], STEP)
        children = ranks(link)
        children[rank].send_signal(signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(WorkerHung, match="stopped"):
            link.advance([], 2 * STEP)
        assert time.monotonic() - began < patience + LEARNT_S
    assert_gone(children)


def test_a_clean_end_leaves_no_process() -> None:
    with brain(2) as link:
        link.load(example_network(), settings(2))
        link.advance([], STEP)
        children = ranks(link)
        launcher = link.pid
    assert_gone(children)
    assert not psutil.pid_exists(launcher)


def test_the_number_of_processes_must_be_the_launchers(nest_mpi: Any) -> None:
    launch = (nest_mpi.mpirun, "-n", "3")
    with (
        closing(BrainLink("nest", processes=2, python=nest_mpi.python, launch=launch)) as link,
        pytest.raises(AnimatError, match="2 processes were asked for and MPI knows of 3"),
    ):
        link.load(example_network(), settings(2))


def busy() -> Network:
    """Enough neurons for a step of a minute to take seconds."""
    population = Population(name="A", model="iaf_cond_alpha", size=2000, params={"I_e": 400.0})
    return msgspec.structs.replace(example_network(), populations=(*example_network().populations, population))


def assert_gone(processes: list[psutil.Process]) -> None:
    """Look for every process, a moment later at most."""
    _, alive = psutil.wait_procs(processes, timeout=1.0)
    assert not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE], alive
    assert os.getpid() not in [one.pid for one in processes]
