"""The NEST engine: what it builds, reproducibility, lesions, recording, errors."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import numpy as np
import pytest
from nest_brain import MS, STEP, counts, parrots, running, spikes

from animat.brain.conformance import check_brain_engine, example_network
from animat.brain.nest.engine import NestEngine
from animat.brain.network import (
    AllToAll,
    Constant,
    Drive,
    FixedIndegree,
    Gaussian,
    Lattice,
    LogNormal,
    Network,
    Normal,
    OneToOne,
    PairwiseBernoulli,
    Population,
    Projection,
    SynapseModel,
    Uniform,
)
from animat.brain.protocol import SHARD_DTYPE, BrainSettings, ProjectionName, Selection
from animat.errors import AnimatError


def sheet(model: str = "iaf_cond_alpha") -> Network:
    """A small driven sheet with distance-dependent, random and lognormal parts."""
    lattice = Lattice(shape=(10, 10, 2), lower=(-0.25, -0.25, 0.0), upper=(0.25, 0.25, 0.1), extent_mm=(0.6, 0.6))
    drive = Drive(rate_hz=2000.0, weight=4.0, delay_ms=1.5)
    start = {"V_m": Uniform(-70.0, -55.0)}
    return Network(
        name="sheet",
        populations=(
            Population(
                name="E", model=model, size=200, layout=lattice, drive=drive, initial=start, params={"t_ref": 1.0}
            ),
            Population(name="I", model=model, size=200, layout=lattice, drive=drive, initial=start),
        ),
        projections=(
            Projection(
                pre="E",
                post="I",
                rule=PairwiseBernoulli(p=Gaussian(0.5, 0.1)),
                weight=LogNormal(-0.72, 1.0),
                delay_ms=1.5,
            ),
            Projection(pre="I", post="E", rule=FixedIndegree(indegree=10), weight=Constant(-1.0), delay_ms=1.5),
            Projection(pre="E", post="E", rule=PairwiseBernoulli(p=0.05), weight=Normal(0.2, 0.01), delay_ms=2.0),
        ),
    )


def fingerprint(steps: int = 8, network: Network | None = None, **settings: object) -> str:
    digest = hashlib.sha256()
    with running(network or sheet(), **settings) as loop:
        recorders = [loop.attach("spike_recorder", name) for name in "EI"]
        replies = loop.run(steps)
        assert counts(replies).min() > 20
        for reply in replies:
            for recorder in recorders:
                digest.update(b"".join(reply.spikes[recorder]))
    return digest.hexdigest()


def test_it_conforms() -> None:
    check_brain_engine(NestEngine)


def test_same_seed_same_spikes_and_threads_do_not_matter() -> None:
    """At a fixed number of virtual processes; another number draws other numbers, another seed too."""
    one = fingerprint(virtual_processes=2, threads=1)
    assert one == fingerprint(virtual_processes=2, threads=1)
    assert one == fingerprint(virtual_processes=2, threads=2)
    assert one != fingerprint(virtual_processes=2, threads=1, seed=2)


def test_cores_are_given_back_to_a_later_engine() -> None:
    before = os.sched_getaffinity(0)
    fingerprint(2, threads=1)
    assert os.sched_getaffinity(0) == before


def test_what_is_built() -> None:
    network = sheet()
    engine = NestEngine()
    seen = []
    try:
        info = engine.load(network, BrainSettings(seed=1, step=STEP), lambda what, done: seen.append((what, done)))
        assert info.sizes() == {"E": 200, "I": 200} and info.neurons == 400
        assert {population.model for population in info.populations} == {"iaf_cond_alpha"}
        assert (info.min_delay_ms, info.max_delay_ms) == (1.5, 2.0)
        assert [what.split(" (")[0] for what, _ in seen] == [
            "population E",
            "population I",
            *["projection E->I"] * 2,
            *["projection I->E"] * 2,
            *["projection E->E"] * 2,
            "connected",
        ]
        assert re.fullmatch(r"projection I->E \(\d,\d\d\d of 7,\d\d\d synapses\)", seen[4][0])
        assert [done for _, done in seen] == sorted(done for _, done in seen) and seen[-1][1] == 1.0
        nest, nodes = engine._nest, engine._nodes
        assert len(nest.GetConnections(nodes["I"], nodes["E"])) == 2000
        weights = np.log(nest.GetConnections(nodes["E"], nodes["I"]).get("weight"))
        assert weights.mean() == pytest.approx(-0.72, abs=4 / np.sqrt(len(weights)))
        assert engine.get(Selection("E", stop=3), ["t_ref", "V_m"])["t_ref"] == [1.0] * 3
        start = np.array(engine.get(Selection("I"), ["V_m"])["V_m"])
        assert (
            start.min() >= -70.0 and start.max() <= -55.0 and start.std() == pytest.approx(15 / np.sqrt(12), rel=0.15)
        )
    finally:
        engine.close()


@pytest.mark.parametrize(("rule", "number"), [(AllToAll(), 90), (AllToAll(autapses=True), 100), (OneToOne(), 10)])
def test_other_rules(rule: AllToAll | OneToOne, number: int) -> None:
    population = Population(name="A", model="iaf_psc_alpha_multisynapse", size=10, params={"tau_syn": [2.0, 5.0]})
    projection = Projection(pre="A", post="A", rule=rule, weight=Constant(1.0), delay_ms=1.0, receptor=2)
    with running(Network(name="n", populations=(population,), projections=(projection,))) as loop:
        found = loop.engine._nest.GetConnections()
        assert len(found) == number + 10  # and the recorder's
        assert loop.attach("poisson", "A", receptor=1) == 0
        with pytest.raises(AnimatError, match="poisson: Receptor type 3"):
            loop.attach("poisson", "A", receptor=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "iaf_psc_alhpa"}, r"unknown neuron model of population A in NEST: 'iaf_psc_alhpa'. Did you mean"),
        ({"params": {"V_thr": 1.0}}, r"population A \(iaf_psc_alpha\): .*V_thr"),
        ({"params": {"V_th": -80.0}}, "Reset potential must be smaller than threshold"),
    ],
)
def test_nests_complaints_name_the_population(change: dict[str, object], message: str) -> None:
    population = Population(**{"name": "A", "model": "iaf_psc_alpha", "size": 2, **change})  # type: ignore[arg-type]
    with pytest.raises(AnimatError, match=message), running(Network(name="n", populations=(population,))):
        pass


def test_an_unknown_synapse_is_named() -> None:
    network = sheet()
    wrong = Projection(
        pre="E",
        post="E",
        rule=OneToOne(),
        weight=Constant(1.0),
        delay_ms=1.0,
        synapse=SynapseModel(name="static_synaps"),
    )
    with (
        pytest.raises(AnimatError, match="projection E->E: unknown synapse model in NEST: 'static_synaps'"),
        running(Network(name="n", populations=network.populations, projections=(wrong,))),
    ):
        pass


def test_silence_and_cut_can_be_undone() -> None:
    with running(example_network()) as loop:
        before = counts(loop.run(10))
        assert before.min() > 50
        engine = loop.engine
        engine.set(ProjectionName("E", "I"), {"cut": True})
        loop.run(2)
        assert counts(loop.run(5))[1] == 0
        engine.set(ProjectionName("E", "I"), {"cut": False})
        loop.run(2)
        assert counts(loop.run(10))[1] == pytest.approx(before[1], rel=0.2)
        engine.set(Selection("E", stop=20), {"silent": True})
        engine.set(Selection("E"), {"silent": True})
        with pytest.raises(AnimatError, match="is silent; undo that"):
            engine.set(Selection("E"), {"V_th": -50.0})
        assert counts(loop.run(5)).tolist() == [0, pytest.approx(0, abs=20)]
        engine.set(Selection("E"), {"silent": False})
        assert engine.get(Selection("E"), ["V_th"])["V_th"] == [-55.0] * 40
        first = loop.run(1)[0].counts[0]
        assert first <= 1.5 * before[0] / 10
        assert counts(loop.run(10))[0] == pytest.approx(before[0], rel=0.2)


def test_silence_of_exponential_and_relay_models() -> None:
    population = Population(name="A", model="aeif_cond_alpha", size=3, params={"I_e": 1500.0})
    with running(Network(name="n", populations=(population,))) as loop:
        assert counts(loop.run(3))[0] > 0
        loop.engine.set(Selection("A"), {"silent": True})
        assert counts(loop.run(3))[0] == 0
        loop.engine.set(Selection("A"), {"silent": False})
        assert counts(loop.run(3))[0] > 0
    with running(parrots()) as loop, pytest.raises(AnimatError, match="parrot_neuron has no threshold"):
        loop.engine.set(Selection("P"), {"silent": True})


def test_get_and_set_are_in_the_users_order() -> None:
    with running(parrots(5)) as loop:
        some = Selection("N", indices=(3, 0))
        loop.engine.set(some, {"V_m": [-61.0, -62.0], "I_e": 5.0})
        assert loop.engine.get(Selection("N"), ["V_m"])["V_m"] == [-62.0, -70.0, -70.0, -61.0, -70.0]
        assert loop.engine.get(some, ["V_m", "I_e"]) == {"V_m": [-61.0, -62.0], "I_e": [5.0, 5.0]}
        loop.run(2)
        unknown = (
            r"unknown parameter of N \(iaf_psc_alpha\) 'V_n'. Did you mean 'V_min'\? Known: C_m, Ca, E_L, I_e, V_m"
        )
        with pytest.raises(AnimatError, match=unknown) as caught:
            loop.engine.get(some, ["V_n"])
        assert not {"vp", "thread", "global_id", "elementsize"} & set(caught.value.what.replace(",", "").split())
        loop.run(2)
        with pytest.raises(AnimatError, match="one number or 2"):
            loop.engine.set(some, {"V_m": [1.0]})
        with pytest.raises(AnimatError, match="has 5 neurons"):
            loop.engine.get(Selection("N", indices=(5,)), ["V_m"])
        with pytest.raises(AnimatError, match="names a neuron twice"):
            loop.engine.get(Selection("N", indices=(1, 1)), ["V_m"])
        with pytest.raises(AnimatError, match="there is no projection P->N"):
            loop.engine.set(ProjectionName("P", "N"), {"cut": True})


def test_the_shard_holds_the_recorded_populations(tmp_path: Path) -> None:
    shard = tmp_path / "shard"
    with running(example_network(), record=("I",), shard=str(shard), sample=5) as loop:
        recorder = loop.attach("spike_recorder", "I")
        replies = loop.run(5)
        index, ticks = spikes(replies, recorder)
        assert all(len(np.frombuffer(reply.sample, SHARD_DTYPE)) == 5 for reply in replies)
        written = np.sort(np.fromfile(shard, SHARD_DTYPE), order=["tick", "index"])
        assert set(written["population"]) == {1} and len(index) > 20
        assert written["index"].tolist() == index and written["tick"].tolist() == ticks


def test_a_full_disk_is_explained() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with (
        running(example_network(), record=("*",), shard="/dev/full") as loop,
        pytest.raises(AnimatError, match="/dev/full: cannot write spikes: No space left on device"),
    ):
        loop.run(5)


def test_an_exception_inside_nest_is_explained() -> None:
    population = Population(name="A", model="aeif_cond_alpha", size=1, params={"I_e": 1e9})
    with (
        running(Network(name="n", populations=(population,))) as loop,
        pytest.raises(AnimatError, match=r"NEST: .*numerical instability.* \(NumericalInstability\)"),
    ):
        loop.run(5)


def test_wrong_settings() -> None:
    with (
        pytest.raises(AnimatError, match="must be a multiple of processes times threads"),
        running(parrots(), threads=2, virtual_processes=3),
    ):
        pass
    with pytest.raises(AnimatError, match="multiple of the resolution"), running(parrots(), resolution=300_000):
        pass
    with running(parrots()) as loop, pytest.raises(AnimatError, match="multiple of its resolution"):
        loop.engine.advance([], 20 * MS + 1)
    with pytest.raises(AnimatError, match="unknown population to record 'X'"), running(parrots(), record=("X",)):
        pass
