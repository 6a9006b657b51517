"""The engine `compact`: the protocol, reproducibility, lesions, recording, errors."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from compact_networks import MS, STEP, Events, Loop, counts, events, one, running, synapses

from animat.brain.compact.engine import CompactEngine
from animat.brain.conformance import check_brain_engine, example_network
from animat.brain.network import (
    AllToAll,
    BoxMask,
    Constant,
    Drive,
    FixedIndegree,
    Gaussian,
    Lattice,
    LogNormal,
    Network,
    Normal,
    OneToOne,
    Pairs,
    PairwiseBernoulli,
    Population,
    Projection,
    Stdp,
    SynapseModel,
    Tsodyks,
    Uniform,
    Values,
)
from animat.brain.protocol import SHARD_DTYPE, BrainScript, BrainSettings, Device, ProjectionName, Selection
from animat.brain.remote import BrainLink
from animat.errors import AnimatError


def with_settings(threads: int = 1, **options: str) -> type[CompactEngine]:
    """An engine with settings of its own, whatever it is loaded with."""

    class Fixed(CompactEngine):
        def load(self, brain: Any, settings: BrainSettings, progress: Any) -> Any:
            settings = msgspec.structs.replace(settings, options=options, threads=threads)
            return super().load(brain, settings, progress)

    return Fixed


def conducting(model: str) -> Network:
    """The example network with conductances."""
    network = example_network(model)
    e, i = network.populations
    drive = Drive(rate_hz=8000.0, weight=12.0 if "alpha" in model else 30.0, delay_ms=1.5)
    (projection,) = network.projections
    return msgspec.structs.replace(
        network,
        populations=(msgspec.structs.replace(e, drive=drive), i),
        projections=(msgspec.structs.replace(projection, weight=Constant(60.0)),),
    )


@pytest.mark.parametrize(
    "make",
    [
        CompactEngine,
        with_settings(precision="double"),
        with_settings(threads=2),
        with_settings(weights="half"),
    ],
    ids=["single", "double", "two threads", "half"],
)
def test_it_conforms(make: Any) -> None:
    check_brain_engine(make)


@pytest.mark.parametrize("model", ["iaf_cond_alpha", "iaf_cond_exp"])
def test_it_conforms_with_conductances(model: str) -> None:
    check_brain_engine(CompactEngine, conducting(model))


def test_it_conforms_with_exponential_currents() -> None:
    check_brain_engine(CompactEngine, example_network("iaf_psc_exp"))


def test_it_conforms_in_a_process_of_its_own() -> None:
    check_brain_engine(lambda: BrainLink("compact", title="test"))


def busy(plastic: bool = True) -> Network:
    """A driven sheet with everything that is drawn: distance, images, weights, delays, and synapses that learn.

    Populations are larger than what threads share out at a time, so that several have work.
    """
    lattice = Lattice(shape=(30, 30, 5), lower=(-0.25, -0.25, 0.0), upper=(0.25, 0.25, 0.1), extent_mm=(0.52, 0.52))
    start = {"V_m": Uniform(-70.0, -55.0)}

    def population(name: str, model: str, weight: float, **rest: Any) -> Population:
        drive = Drive(rate_hz=8000.0, weight=weight, delay_ms=1.5)
        return Population(name=name, model=model, size=lattice.size, layout=lattice, drive=drive, initial=start, **rest)

    synapse: Any = {"synapse": Stdp(update="power_law", learning_rate=0.02)} if plastic else {}
    return Network(
        name="busy",
        populations=(
            population("E", "iaf_psc_alpha", 40.0),
            population("I", "iaf_cond_alpha", 12.0),
            Population(name="R", model="parrot_neuron", size=4500),
        ),
        projections=(
            Projection(
                pre="E",
                post="E",
                rule=PairwiseBernoulli(p=Gaussian(0.3, 0.05), mask=BoxMask(0.3, 0.3), images=True),
                weight=LogNormal(1.0, 0.5),
                delay_ms=1.2,
                **synapse,
            ),
            Projection(
                pre="E",
                post="I",
                rule=FixedIndegree(indegree=20.5),
                weight=Normal(0.5, 0.6),
                delay_ms=Uniform(0.7, 6.0),
            ),
            Projection(pre="I", post="E", rule=PairwiseBernoulli(p=0.005), weight=Constant(-30.0), delay_ms=0.7),
            Projection(pre="E", post="R", rule=OneToOne(), weight=Constant(1.0), delay_ms=2.0),
            Projection(pre="R", post="I", rule=PairwiseBernoulli(p=0.001), weight=Uniform(-1.0, 1.0), delay_ms=1.0),
        ),
    )


def whole_run(network: Network, portions: tuple[int, ...] = (20,) * 3, **settings: Any) -> tuple[list[Events], Any]:
    """Spikes of all populations in 60 ms, taken in portions of so many ms, and the learnt weights."""
    with running(network, step=5 * MS, **settings) as loop:
        recorders = [loop.attach("spike_recorder", population.name) for population in network.populations]
        loop.attach("poisson", "E", rate=500.0, weight=30.0)
        loop.attach("poisson", "I", each=True, rate=300.0, weight=5.0)
        loop.attach("nc_source", "E", std=100.0)
        loop.attach("ac_source", "I", each=True, amplitude=100.0)
        loop.attach("fixed_frequency", "R", rate=50.0, weight=1.0)
        loop.attach("spike_times", "E", times=[3.0, 11.0, 50.0], weight=500.0, delay_ms=3.0)
        replies = []
        for portion in portions:
            replies += loop.run(1, step=portion * MS)
        return [events(replies, recorder) for recorder in recorders], synapses(loop, 0)


@pytest.mark.parametrize("precision", ["single", "double"])
def test_spikes_and_synapses_do_not_depend_on_threads(precision: str) -> None:
    network = busy()
    one_thread, learnt = whole_run(network, options={"precision": precision})
    assert min(map(len, one_thread)) > 500
    for threads in (2, 3):
        spikes, found = whole_run(network, threads=threads, options={"precision": precision})
        assert spikes == one_thread
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(found, learnt, strict=True))


def test_spikes_do_not_depend_on_the_step() -> None:
    network = busy()
    spikes, learnt = whole_run(network)
    for portions in ((5,) * 12, (3, 17, 1, 39)):
        mine, found = whole_run(network, portions)
        assert mine == spikes
        assert all(np.allclose(ours, theirs, rtol=1e-6) for ours, theirs in zip(found, learnt, strict=True))


def test_a_seed_gives_the_same_spikes_and_another_seed_others() -> None:
    network = busy(plastic=False)
    first, wiring = whole_run(network)
    again, same = whole_run(network)
    other, different = whole_run(network, seed=2)
    assert first == again and all(map(np.array_equal, wiring, same))
    assert all(mine != theirs for mine, theirs in zip(first, other, strict=True))
    assert not np.array_equal(wiring[1][:1000], different[1][:1000])


def test_weights_and_wiring_of_a_projection_do_not_depend_on_others() -> None:
    """Every projection has random numbers of its own, by its place."""
    network = busy(plastic=False)
    fewer = msgspec.structs.replace(network, projections=network.projections[:1])
    with running(network) as loop, running(fewer) as other:
        assert all(map(np.array_equal, synapses(loop), synapses(other)))


def test_what_is_built() -> None:
    network = busy()
    engine = CompactEngine()
    seen = []
    try:
        info = engine.load(network, BrainSettings(seed=1, step=STEP), lambda what, done: seen.append((what, done)))
        assert info.engine == "compact" and info.neurons == 9000
        assert info.sizes() == {"E": 4500, "I": 4500, "R": 4500}
        assert info.synapses == sum(engine._core.synapses(number) for number in range(5))
        assert (info.min_delay_ms, info.max_delay_ms) == (pytest.approx(0.7), pytest.approx(6.0))
        assert [what.split(" (")[0] for what, _ in seen] == [
            *(f"projection {name}" for name in ("E->E", "E->I", "I->E", "E->R", "R->I")),
            "connected",
        ]
        assert [done for _, done in seen] == sorted(done for _, done in seen) and seen[-1][1] == 1.0
        assert {"set", "silence", "cut"} <= set(info.capabilities)
    finally:
        engine.close()


@pytest.mark.parametrize("make", [lambda: example_network(), lambda: conducting("iaf_cond_alpha")])
def test_silence_and_cut_can_be_undone(make: Any) -> None:
    with running(make()) as loop:
        before = counts(loop.run(20))
        assert before.min() > 50
        engine = loop.engine
        engine.set(ProjectionName("E", "I"), {"cut": True})
        loop.run(2)
        assert counts(loop.run(5))[1] == 0
        engine.set(ProjectionName("E", "I"), {"cut": False})
        loop.run(2)
        assert counts(loop.run(20))[1] == pytest.approx(before[1], rel=0.2)
        engine.set(Selection("E", stop=20), {"silent": True})
        recorder = loop.attach("spike_recorder", "E")
        assert {index for _, index in events(loop.run(10), recorder)} <= set(range(20, 40))
        engine.set(Selection("E"), {"silent": True})
        with pytest.raises(AnimatError, match="is silent; undo that"):
            engine.set(Selection("E"), {"V_th": -50.0})
        assert counts(loop.run(5))[0] == 0
        engine.set(Selection("E"), {"silent": False})
        assert engine.get(Selection("E"), ["V_th"])["V_th"] == [-55.0] * 40
        first = loop.run(1)[0].counts[0]
        assert first <= 1.5 * before[0] / 20
        assert counts(loop.run(20))[0] == pytest.approx(before[0], rel=0.2)


def test_what_is_silent_stays_so_when_others_are_set() -> None:
    with running(one("iaf_psc_alpha", 4, I_e=1000.0)) as loop:
        loop.engine.set(Selection("N", indices=(1,)), {"silent": True})
        loop.engine.set(Selection("N", indices=(0, 2)), {"V_th": [-50.0, -52.0], "tau_m": 12.0})
        recorder = loop.attach("spike_recorder", "N")
        assert {index for _, index in events(loop.run(5), recorder)} == {0, 2, 3}


def test_relays_cannot_be_silenced() -> None:
    with running(one("parrot_neuron", 3)) as loop, pytest.raises(AnimatError, match=r"N \(parrot_neuron\) cannot be"):
        loop.engine.set(Selection("N"), {"silent": True})


def test_get_and_set_are_in_the_users_order() -> None:
    with running(one("iaf_psc_alpha", 5)) as loop:
        engine, some = loop.engine, Selection("N", indices=(3, 0))
        engine.set(some, {"V_m": [-61.0, -62.0], "I_e": 5.0, "tau_m": [8.0, 9.0]})
        assert engine.get(Selection("N"), ["V_m"])["V_m"] == [-62.0, -70.0, -70.0, -61.0, -70.0]
        assert engine.get(Selection("N"), ["tau_m"])["tau_m"] == [9.0, 10.0, 10.0, 8.0, 10.0]
        assert engine.get(some, ["V_m", "I_e"]) == {"V_m": [-61.0, -62.0], "I_e": [5.0, 5.0]}
        for values, message in (
            ({"V_n": 1.0}, r"unknown parameter of N \(iaf_psc_alpha\) 'V_n'"),
            ({"V_m": [1.0]}, "one number or 2"),
            ({"V_m": math.nan}, "V_m must be a finite number"),
            ({"I_e": [math.inf, 0.0]}, "I_e must be a finite number"),
            ({"tau_m": [5.0, -1.0]}, "tau_m must be positive, got -1"),
            ({"C_m": 0.0}, "C_m must be positive"),
            ({"t_ref": -0.1}, "t_ref must not be negative"),
            ({"V_th": [-50.0, -75.0]}, "V_reset must lie below V_th"),
        ):
            with pytest.raises(AnimatError, match=message):
                engine.set(some, values)
        assert engine.get(some, ["tau_m", "V_th"]) == {"tau_m": [8.0, 9.0], "V_th": [-55.0, -55.0]}
        with pytest.raises(AnimatError, match="has 5 neurons"):
            engine.get(Selection("N", indices=(5,)), ["V_m"])
        with pytest.raises(AnimatError, match="unknown population"):
            engine.get(Selection("M"), ["V_m"])
        with pytest.raises(AnimatError, match="name what to get"):
            engine.get(Selection("N"), [])
        with pytest.raises(AnimatError, match="there is no projection N->N"):
            engine.set(ProjectionName("N", "N"), {"cut": True})
        with pytest.raises(AnimatError, match="unknown population"):
            engine.set(ProjectionName("N", "M"), {"cut": True})
        with pytest.raises(AnimatError, match="property of the projection N->N"):
            engine.set(ProjectionName("N", "N"), {"cutt": True})


def test_the_shard_holds_the_recorded_populations(tmp_path: Path) -> None:
    shard = tmp_path / "shard"
    with running(example_network(), record=("I",), shard=str(shard), sample=5) as loop:
        recorder = loop.attach("spike_recorder", "I")
        replies = loop.run(5)
        assert all(len(np.frombuffer(reply.sample, SHARD_DTYPE)) == 5 for reply in replies)
        written = np.sort(np.fromfile(shard, SHARD_DTYPE), order=["tick", "index"])
        found = events(replies, recorder)
        assert set(written["population"]) == {1} and len(found) > 20
        assert list(zip(written["tick"].tolist(), written["index"].tolist(), strict=True)) == found


def test_a_full_disk_is_explained() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with (
        running(example_network(), record=("*",), shard="/dev/full") as loop,
        pytest.raises(AnimatError, match="/dev/full: cannot write spikes: No space left on device"),
    ):
        loop.run(5)


def test_wrong_settings() -> None:
    for wrong, message in (
        ({"precision": "quadruple"}, "precision in compact.* 'quadruple'"),
        ({"weights": "quarter"}, "weights in compact.* 'quarter'"),
        ({"precison": "double"}, "unknown setting of compact: 'precison'. Did you mean 'precision'"),
        ({"precision": 1}, "precision in compact"),
        ({"threads": 2}, "unknown setting of compact"),
    ):
        with pytest.raises(AnimatError, match=message), running(one("parrot_neuron"), options=wrong):
            pass
    with (
        pytest.raises(AnimatError, match="multiple of the resolution"),
        running(one("iaf_psc_exp"), resolution=300_000),
    ):
        pass
    with running(one("parrot_neuron")) as loop:
        for until in (0, -STEP, 20 * MS + 1):
            with pytest.raises(AnimatError, match="multiple of its resolution"):
                loop.engine.advance([], until)
    with (
        pytest.raises(AnimatError, match="unknown population to record 'X'"),
        running(one("iaf_psc_exp"), record=("X",)),
    ):
        pass
    engine = CompactEngine()
    with pytest.raises(AnimatError, match="network descriptions, no scripts"):
        engine.load(BrainScript("brain.py", "pynest"), BrainSettings(seed=1, step=STEP), lambda _what, _done: None)
    engine.close()


def pair(**changed: Any) -> Network:
    """Two populations and a projection, of which something is changed."""
    fields = {
        "pre": "A",
        "post": "B",
        "rule": AllToAll(),
        "weight": Constant(1.0),
        "delay_ms": 1.5,
        **{name: changed.pop(name) for name in list(changed) if name in Projection.__struct_fields__},
    }
    wanted: dict[str, Any] = {"name": "B", "model": "iaf_psc_alpha", "size": 4, **changed}
    populations = (Population(name="A", model="iaf_psc_alpha", size=3), Population(**wanted))
    return Network(name="pair", populations=populations, projections=(Projection(**fields),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "iaf_psc_alhpa"}, "model of population B in compact: 'iaf_psc_alhpa'. Did you mean 'iaf_psc_alpha'"),
        ({"model": "aeif_cond_alpha"}, "of population B .*The engine nest has more"),
        ({"params": {"V_thr": 1.0}}, r"population B \(iaf_psc_alpha\): .*V_thr"),
        ({"params": {"V_th": -80.0}}, r"population B \(iaf_psc_alpha\): V_reset must lie below V_th"),
        ({"params": {"tau_m": 0.0}}, r"population B \(iaf_psc_alpha\): tau_m must be positive"),
        ({"params": {"tau_m": math.nan}}, "population 'B': parameter tau_m must be finite"),
        ({"params": {"I_e": math.inf}}, "population 'B': parameter I_e must be finite"),
        ({"params": {"V_min": math.nan}}, "population 'B': parameter V_min must be finite"),
        ({"params": {"t_ref": -1.0}}, r"population B \(iaf_psc_alpha\): t_ref must not be negative"),
        ({"params": {"V_th": [1.0, 2.0]}}, r"population B \(iaf_psc_alpha\): V_th takes one number"),
        ({"params": {"V_m": math.nan}}, "population 'B': parameter V_m must be finite"),
        ({"initial": {"V_n": Constant(1.0)}}, r"population B \(iaf_psc_alpha\): .*V_n"),
        ({"initial": {"V_m": Constant(math.nan)}}, "population 'B': initial V_m: values must be finite"),
        ({"initial": {"V_m": Values((1.0,))}}, "population 'B': initial V_m: needs 4 values, got 1"),
        ({"initial": {"tau_m": Uniform(-5.0, 5.0)}}, r"population B \(iaf_psc_alpha\): tau_m must be positive"),
        ({"initial": {"V_th": Normal(-71.0, 5.0)}}, r"population B \(iaf_psc_alpha\): V_reset must lie below V_th"),
        ({"drive": Drive(rate_hz=1.0, weight=1.0, delay_ms=1.0, receptor=2)}, "population B .*drive: .*receptor 2"),
        ({"drive": Drive(rate_hz=-1.0, weight=1.0, delay_ms=1.0)}, "B.*rate must not be negative"),
        ({"drive": Drive(rate_hz=1.0, weight=math.nan, delay_ms=1.0)}, "B.*weight must be a number"),
        ({"model": "iaf_psc_alpha_multisynapse"}, "projection A->B: name the receptor: B .* has 1"),
        ({"model": "iaf_psc_alpha_multisynapse", "receptor": 2}, "projection A->B: there is no receptor 2 in B"),
        ({"model": "iaf_psc_alpha_multisynapse", "params": {"tau_syn": 2.0}}, "tau_syn takes a list"),
        ({"model": "iaf_psc_alpha_multisynapse", "params": {"tau_syn": []}}, "population B.*tau_syn needs 1 to 30"),
        (
            {"model": "iaf_psc_alpha_multisynapse", "params": {"tau_syn": [2.0] * 31}},
            "population B.*tau_syn needs 1 to 30",
        ),
        ({"model": "iaf_psc_alpha_multisynapse", "params": {"tau_syn": [2.0, -1.0]}}, "tau_syn must be positive"),
        ({"receptor": 1}, "projection A->B: there is no receptor 1 in B"),
        ({"synapse": Tsodyks()}, "projection A->B: Tsodyks synapses are not in compact"),
        ({"synapse": SynapseModel(name="x")}, "projection A->B: x synapses are not in compact"),
        (
            {"synapse": Stdp(update="additive"), "delay_ms": Uniform(1.0, 2.0)},
            "projection A->B: STDP with drawn delays is not in compact",
        ),
        ({"synapse": Stdp(update="power_law"), "weight": Constant(-1.0)}, "A->B.*power law needs positive weights"),
        ({"weight": Constant(math.nan)}, "A->B.*weight.*finite"),
        ({"weight": Values((1.0,))}, "A->B.*weight"),
        ({"delay_ms": 0.0}, "A->B.*delay must be positive"),
        ({"delay_ms": math.nan}, "A->B.*delay must be positive"),
        ({"rule": OneToOne()}, "A->B.*equal sizes"),
        ({"rule": FixedIndegree(indegree=4, multapses=False)}, "A->B.*cannot be drawn from 3"),
        ({"rule": PairwiseBernoulli(p=Gaussian(0.5, 1.0))}, "A->B.*no layout"),
        ({"rule": PairwiseBernoulli(p=1.5)}, "A->B.*probability"),
        ({"rule": Pairs(sources=(3,), targets=(0,))}, "A->B.*no source neuron 3"),
        ({"pre": "X"}, "unknown population 'X'"),
        ({"size": 0}, "B"),
    ],
    ids=str,
)
def test_what_cannot_be_built_is_explained(change: dict[str, Any], message: str) -> None:
    with pytest.raises(AnimatError, match=message), running(pair(**change)):
        pass


def test_checks_alone_find_the_same_and_say_where() -> None:
    engine = CompactEngine()
    assert engine.check(example_network()) == []
    ((where, what),) = engine.check(msgspec.structs.replace(example_network(), modules=("mymodule",)))
    assert where == ("modules",) and "mymodule" in what
    ((where, what),) = engine.check(pair(synapse=Tsodyks()))
    assert where == ("projections", 0, "synapse") and "Tsodyks" in what
    ((where, what),) = engine.check(pair(params={"V_th": [1.0, 2.0]}))
    assert where == ("populations", 1, "params", "V_th") and "takes one number; what differs between neurons" in what
    engine.close()


def test_wrong_networks_are_explained_across_the_link() -> None:
    link = BrainLink("compact", title="test")
    try:
        with pytest.raises(AnimatError, match=r"population B \(iaf_psc_alpha\): V_reset must lie below V_th"):
            link.load(pair(params={"V_th": -80.0}), BrainSettings(seed=1, step=STEP), lambda _what, _done: None)
        info = link.load(pair(), BrainSettings(seed=1, step=STEP), lambda _what, _done: None)
        assert info.synapses == 12
        with pytest.raises(AnimatError, match="unknown device"):
            link.attach([Device(name="x", kind="poison", neurons=(Selection("A"),))])
        assert link.advance([], STEP).counts == [0, 0]
    finally:
        link.close()


@pytest.mark.parametrize(
    ("kind", "rest", "message"),
    [
        ("dc_source", {}, "dc_source: relays take spikes only"),
        ("poisson", {"receptor": 1}, "poisson: there is no receptor 1"),
    ],
)
def test_devices_that_relays_do_not_take(kind: str, rest: dict[str, Any], message: str) -> None:
    with running(one("parrot_neuron", 3)) as loop:
        with pytest.raises(AnimatError, match=message):
            loop.attach(kind, "N", **rest)
        assert counts(loop.run(2)).tolist() == [0]


def test_devices_name_receptors_where_there_are_several() -> None:
    with running(one("iaf_psc_alpha_multisynapse", 3, tau_syn=[2.0, 5.0])) as loop:
        for receptor, message in ((None, "poisson: name the receptor"), (3, "no receptor 3"), (0, "no receptor 0")):
            with pytest.raises(AnimatError, match=message):
                loop.attach("poisson", "N", receptor=receptor)
        with pytest.raises(AnimatError, match="dc_source: a current takes no receptor"):
            loop.attach("dc_source", "N", receptor=1)
        assert loop.attach("poisson", "N", receptor=2) > 0


def test_a_refused_group_of_devices_leaves_none() -> None:
    with running(one("iaf_psc_alpha", 3)) as loop:
        good = Device(name="a", kind="dc_source", neurons=(Selection("N"),), params={"amplitude": 2000.0})
        wrong = Device(name="b", kind="poisson", neurons=(Selection("N"),), receptor=9)
        with pytest.raises(AnimatError, match="b: there is no receptor 9"):
            loop.engine.attach([good, wrong])
        assert counts(loop.run(5)).tolist() == [0]


def test_unloaded_rates_are_refused() -> None:
    with running(one("parrot_neuron", 3)) as loop:
        device = loop.attach("fixed_frequency", "N", weight=1.0)
        with pytest.raises(AnimatError, match="at most one spike per time step"):
            loop.run(1, (device, "rate", 20_000.0))
        poisson = loop.attach("poisson", "N", weight=1.0)
        for value in (math.nan, math.inf, -1.0, [1.0, 2.0, 3.0], "1"):
            with pytest.raises(AnimatError, match=r"poisson\.rate"):
                loop.engine.advance([(poisson, "rate", value)], loop.now + STEP)  # type: ignore[list-item]


@pytest.mark.parametrize("model", ["iaf_psc_alpha", "iaf_psc_exp", "iaf_cond_alpha", "iaf_cond_exp"])
def test_one_neuron_without_projections(model: str) -> None:
    with running(one(model, 1, I_e=1000.0)) as loop:
        assert counts(loop.run(20))[0] > 10
        assert loop.engine.get(Selection("N"), ["V_m"])["V_m"][0] < -55.0


@pytest.mark.parametrize("model", ["iaf_psc_alpha", "iaf_psc_exp", "iaf_cond_alpha", "iaf_cond_exp"])
def test_neurons_go_on_after_a_long_refractory_time(model: str) -> None:
    """Whatever happens between two exchanges of spikes; others rest meanwhile."""
    for t_ref in np.arange(3.0, 14.0, 0.1).round(1).tolist():
        with running(one(model, 2, I_e=2000.0, t_ref=t_ref)) as loop:
            found = counts(loop.run(10))[0]
            assert found >= 2 * math.floor(200 / (t_ref + 5)), t_ref


def test_a_neuron_at_rest_leaves_it_when_anything_changes() -> None:
    with running(one("iaf_psc_alpha", 3)) as loop:
        loop.run(50)
        loop.engine.set(Selection("N", indices=(1,)), {"I_e": 1000.0})
        assert counts(loop.run(5))[0] > 0
        loop.engine.set(Selection("N"), {"I_e": 0.0})
        loop.run(50)
        loop.engine.set(Selection("N"), {"V_m": -50.0})
        assert counts(loop.run(1))[0] == 3
        loop.run(50)
        source = loop.attach("dc_source", "N")
        loop.run(50)
        assert counts(loop.run(5, (source, "amplitude", 1000.0)))[0] > 0
        loop.run(20, (source, "amplitude", 0.0))
        loop.engine.set(Selection("N"), {"E_L": -40.0})
        assert counts(loop.run(5))[0] > 0


def test_a_potential_decays_after_the_last_spike() -> None:
    """V_reset lies above E_L: a neuron that fired once comes to rest at E_L, whenever it fired."""
    for when in np.arange(5.0, 14.0, 0.1).round(1).tolist():
        with running(one("iaf_psc_exp", 1, V_reset=-60.0, t_ref=20.0, tau_syn_ex=0.1)) as loop:
            recorder = loop.attach("spike_recorder", "N")
            loop.attach("spike_times", "N", times=[when], weight=1e5, delay_ms=0.5)
            assert len(events(loop.run(20), recorder)) == 1
            assert loop.get("N")[0] == pytest.approx(-70.0, abs=1e-3), when


def arrival(loop: Loop, weight: float, delay_ms: float) -> list[int]:
    """Steps after the present at which a spike of a device attached now arrives at the relays N."""
    recorder = loop.attach("spike_recorder", "N")
    begin = loop.now
    at = begin / MS + 1.0
    device = loop.attach("spike_times", "N", times=[at], weight=weight, delay_ms=delay_ms, exact_delay=True)
    replies = loop.run(math.ceil((delay_ms + 1) / 20) + 1)
    loop.engine.detach([recorder, device])
    return sorted({(tick - begin) // 100_000 - 10 for tick, _ in events(replies, recorder)})


def test_delays_longer_than_all_others_while_running() -> None:
    """What is on its way when the rings get longer arrives in time."""
    relays = Population(name="N", model="parrot_neuron", size=3)
    listeners = Population(name="M", model="parrot_neuron", size=3)
    joined = Projection(pre="N", post="M", rule=OneToOne(), weight=Constant(1.0), delay_ms=1.3)
    with running(Network(name="n", populations=(relays, listeners), projections=(joined,))) as loop:
        loop.attach("poisson", "N", rate=1.0, weight=1.0)
        for delay in (0.1, 0.4, 1.3, 5.0, 60.0, 333.3, 2.0, 1000.0):
            found = arrival(loop, 1.0, delay)
            assert round(delay * 10) in found, delay


def test_spikes_on_their_way_survive_a_longer_delay_and_a_detachment() -> None:
    with running(one("parrot_neuron", 1)) as loop:
        recorder = loop.attach("spike_recorder", "N")
        first = loop.attach("spike_times", "N", times=[19.0, 50.0], weight=1.0, delay_ms=30.0)
        replies = loop.run(1)
        loop.engine.detach([first])
        second = loop.attach("spike_times", "N", times=[21.0, 95.0], weight=1.0, delay_ms=150.0)
        replies += loop.run(4)
        loop.engine.detach([second])
        replies += loop.run(20)
        assert [tick / MS for tick, _ in events(replies, recorder)] == [49.0, 171.0, 245.0]


def test_long_and_short_delays_of_one_projection() -> None:
    """Drawn between one step and 500 ms: a spike comes to each target when its delay says."""
    populations = (
        Population(name="A", model="parrot_neuron", size=1),
        Population(name="B", model="parrot_neuron", size=2000),
    )
    joined = Projection(pre="A", post="B", rule=AllToAll(), weight=Constant(1.0), delay_ms=Uniform(0.1, 500.0))
    with running(Network(name="n", populations=populations, projections=(joined,))) as loop:
        recorder = loop.attach("spike_recorder", "B")
        loop.attach("spike_times", "A", times=[3.0], weight=1.0, delay_ms=0.1, exact_delay=True)
        found = events(loop.run(30), recorder)
        _, target, _, delay = synapses(loop)
        assert sorted((31 + steps) * 100_000 for steps in delay.tolist()) == [tick for tick, _ in found]
        assert dict(zip(target.tolist(), delay.tolist(), strict=True)) == {
            index: tick // 100_000 - 31 for tick, index in found
        }


def test_reset_restores_weights_lesions_and_parameters() -> None:
    network = busy()
    with running(network) as loop:
        recorder = loop.attach("spike_recorder", "E")
        source = loop.attach("poisson", "E", rate=100.0, weight=50.0)
        before = events(loop.run(3), recorder)
        learnt = synapses(loop)
        loop.engine.set(ProjectionName("I", "E"), {"cut": True})
        loop.engine.set(Selection("E", stop=100), {"silent": True, "tau_m": 20.0})
        loop.run(1, (source, "rate", 1000.0))
        loop.engine.reset()
        loop.now = 0
        assert events(loop.run(3), recorder) == before
        assert all(map(np.array_equal, synapses(loop), learnt))


def test_weights_of_either_sign_in_one_projection() -> None:
    """Each acts on the receptor that its own sign says."""
    for model in ("iaf_psc_alpha", "iaf_cond_alpha"):
        for kept in ("half", "single", "double"):
            populations = (
                Population(name="A", model="parrot_neuron", size=1),
                Population(name="B", model=model, size=40, params={"V_th": 1e3}),
            )
            weight = Uniform(-8.0, 8.0)
            joined = Projection(pre="A", post="B", rule=AllToAll(), weight=weight, delay_ms=1.0)
            network = Network(name="n", populations=populations, projections=(joined,))
            with running(network, options={"weights": kept}) as loop:
                loop.attach("spike_times", "A", times=[5.0], weight=1.0)
                loop.run(1, step=9 * MS)
                _, target, weights, _ = synapses(loop)
                moved = loop.get("B")[target] + 70.0
                assert len(np.unique(np.sign(weights))) == 2
                assert np.all(np.sign(moved) == np.sign(weights))


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("model", ["iaf_cond_alpha", "iaf_cond_exp"])
def test_conductances_beyond_all_measure_leave_numbers(model: str, precision: str) -> None:
    """A membrane that follows its reversal potentials within a hundredth of a step; it stays between these."""
    with running(one(model, 3, C_m=10.0, V_th=1e3), options={"precision": precision}) as loop:
        for weight in (1e5, -1e5):
            loop.attach("poisson", "N", rate=2000.0, weight=weight)
        loop.run(5)
        potential = loop.get("N")
        assert np.isfinite(potential).all() and potential.min() >= -86.0 and potential.max() <= 1.0
