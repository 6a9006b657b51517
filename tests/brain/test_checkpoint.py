"""A brain in `compact` saved and restored: it goes on bit by bit, and what does not fit is refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from animat.brain.compact.engine import CompactEngine
from animat.brain.conformance import check_brain_engine, example_network
from animat.brain.network import (
    Constant,
    Drive,
    FixedIndegree,
    LogNormal,
    Network,
    Normal,
    Population,
    Projection,
    Stdp,
    Uniform,
)
from animat.brain.protocol import BrainEngine, BrainReply, BrainSettings, Change, Device, ProjectionName, Selection
from animat.brain.remote import BrainLink
from animat.errors import AnimatError
from animat.packing import pack, unpack

MS = 1_000_000
STEP = 20 * MS


def network(size: int = 200, synapse: Stdp | None = None) -> Network:
    """Driven neurons whose parameters differ, with drawn weights and delays, or plastic synapses."""
    drive = Drive(rate_hz=8000.0, weight=40.0, delay_ms=1.5)
    rule = FixedIndegree(indegree=20)
    onto_itself = Projection(
        pre="A", post="A", rule=rule, weight=LogNormal(3.0, 0.3), delay_ms=1.5 if synapse else Uniform(1.0, 12.0)
    )
    if synapse:
        onto_itself = msgspec.structs.replace(onto_itself, synapse=synapse)
    return Network(
        name="two",
        populations=(
            Population(
                name="A",
                model="iaf_psc_alpha",
                size=size,
                drive=drive,
                initial={"V_m": Uniform(-70.0, -55.0), "V_th": Normal(-55.0, 0.5)},
            ),
            Population(name="B", model="iaf_cond_alpha", size=size // 2),
        ),
        projections=(
            onto_itself,
            Projection(pre="A", post="B", rule=rule, weight=Constant(4.0), delay_ms=1.0),
        ),
    )


STDP = Stdp(update="additive", learning_rate=0.1, w_max=100.0)
PLASTIC = network(synapse=STDP)
EACH = Selection("B", indices=(4, 0, 2))
DEVICES = [
    Device(name="spikes", kind="spike_recorder", neurons=(Selection("A"),)),
    Device(name="others", kind="spike_recorder", neurons=(Selection("B"),)),
    Device(name="rate", kind="population_rate", neurons=(Selection("A"),), delay_ms=25.0),
    Device(name="alpha", kind="leaky_integrator_alpha", neurons=(Selection("A", 3, 90),), each=True),
    Device(name="exp", kind="leaky_integrator_exp", neurons=(Selection("B"), Selection("A"))),
    Device(name="poisson", kind="poisson", neurons=(Selection("A"), Selection("B")), weight=3.0),
    Device(name="each", kind="poisson", neurons=(EACH,), each=True, weight=3.0, delay_ms=30.0),
    Device(name="regular", kind="fixed_frequency", neurons=(EACH,), each=True, weight=9.0),
    Device(
        name="times", kind="spike_times", neurons=(EACH,), params={"times": [10.0, 59.9, 60.0, 60.1, 95.0]}, weight=99.0
    ),
    Device(name="dc", kind="dc_source", neurons=(Selection("A"),)),
    Device(name="ac", kind="ac_source", neurons=(Selection("A", 0, 50),), params={"frequency": 33.0}),
    Device(name="noise", kind="nc_source", neurons=(Selection("B"),), params={"dt": 0.7, "std": 0.0}),
]
CHANGES: list[Change] = [
    (5, "rate", 700.0),
    (6, "rate", [100.0, 2000.0, 0.0]),
    (7, "rate", [0.0, 17.3, 411.0]),
    (9, "amplitude", 30.0),
    (10, "amplitude", 55.0),
    (11, "std", 40.0),
]


@contextmanager
def loaded(brain: Network, **settings: Any) -> Iterator[CompactEngine]:
    with closing(CompactEngine()) as engine:
        load(engine, brain, **settings)
        yield engine


def load(engine: BrainEngine, brain: Network, **settings: Any) -> None:
    engine.load(brain, BrainSettings(**{"seed": 5, "step": STEP, **settings}), lambda _what, _done: None)


def run(engine: BrainEngine, first: int, last: int, changes: list[Change] | None = None) -> list[BrainReply]:
    return [engine.advance((changes or []) if step == first else [], (step + 1) * STEP) for step in range(first, last)]


def seen(replies: list[BrainReply]) -> list[Any]:
    return [(reply.time, reply.spikes, reply.values, reply.counts, reply.sample) for reply in replies]


def states(engine: BrainEngine) -> list[Any]:
    return [engine.get(Selection("A"), ["V_m", "V_th"]), engine.get(Selection("B"), ["V_m", "g_ex", "g_in"])]


@pytest.mark.parametrize("brain", [network(), PLASTIC], ids=["static", "plastic"])
@pytest.mark.parametrize("precision", ["single", "double"])
def test_a_restored_brain_goes_on_bit_by_bit(brain: Network, precision: str, tmp_path: Path) -> None:
    options = {"precision": precision}
    with loaded(brain, options=options, sample=5) as engine:
        engine.attach(DEVICES)
        drawn = engine._core.synapses_of(0)[2]
        engine.set(Selection("A", indices=(3, 7)), {"silent": True})
        engine.set(Selection("B"), {"V_th": np.linspace(-56.0, -50.0, 100).tolist()})
        engine.set(ProjectionName("A", "B"), {"cut": True})
        run(engine, 0, 2, CHANGES)
        engine.set(ProjectionName("A", "B"), {"cut": False})
        engine.set(ProjectionName("A", "A"), {"cut": True})
        run(engine, 2, 3)
        engine.save(str(tmp_path / "state"))
        engine.set(ProjectionName("A", "A"), {"cut": False})
        expected, end = seen(run(engine, 3, 9)), states(engine)
        weights = engine._core.synapses_of(0)
        assert np.array_equal(weights[2], drawn) == (brain is not PLASTIC)
        assert sum(reply[3][0] for reply in expected) > 100 and sum(reply[3][1] for reply in expected) > 20
    with loaded(brain, options=options, sample=5) as engine:
        engine.attach(DEVICES)
        engine.restore(str(tmp_path / "state"))
        engine.set(ProjectionName("A", "A"), {"cut": False})
        assert seen(run(engine, 3, 9)) == expected
        assert states(engine) == end
        for one, other in zip(engine._core.synapses_of(0), weights, strict=True):
            assert np.array_equal(one, other)


@pytest.mark.parametrize("synapse", [None, STDP], ids=["static", "plastic"])
@pytest.mark.parametrize(("saved", "restored"), [(2, 1), (1, 2)])
def test_the_number_of_threads_may_differ(saved: int, restored: int, synapse: Stdp | None, tmp_path: Path) -> None:
    brain = network(70_000, synapse)
    with loaded(brain, threads=saved) as engine:
        engine.attach(DEVICES)
        run(engine, 0, 2, CHANGES)
        engine.save(str(tmp_path))
        expected = seen(run(engine, 2, 4))
    with loaded(brain, threads=restored) as engine:
        engine.attach(DEVICES)
        engine.restore(str(tmp_path))
        assert seen(run(engine, 2, 4)) == expected


def test_a_state_survives_devices_that_came_and_went(tmp_path: Path) -> None:
    """Random numbers of the later devices, and the ring of currents that a detached one left."""
    late = Device(name="late", kind="poisson", neurons=(Selection("A"),), weight=5.0, params={"rate": 500.0})
    sink = Device(name="sink", kind="leaky_integrator_alpha", neurons=(Selection("A"),))
    gone = Device(name="gone", kind="dc_source", neurons=(Selection("B"),), params={"amplitude": 90.0}, delay_ms=60.0)
    more = Device(name="more", kind="poisson", neurons=(Selection("B"),), weight=5.0, params={"rate": 900.0})
    with loaded(network()) as engine:
        (first,) = engine.attach([gone])
        engine.attach([sink])
        run(engine, 0, 2)
        engine.detach([first])
        engine.attach([late, DEVICES[0], msgspec.structs.replace(sink, name="second")])
        run(engine, 2, 4)
        engine.save(str(tmp_path))
        expected = [reply[2:4] for reply in seen(run(engine, 4, 6))]
        engine.attach([more])
        expected += [reply[2:4] for reply in seen(run(engine, 6, 9))]
    with loaded(network()) as engine:
        engine.attach([sink, late, DEVICES[0], msgspec.structs.replace(sink, name="second")])
        for _ in range(2):
            engine.restore(str(tmp_path))
            found = [reply[2:4] for reply in seen(run(engine, 4, 6))]
            (last,) = engine.attach([more])
            found += [reply[2:4] for reply in seen(run(engine, 6, 9))]
            assert found == expected
            engine.detach([last])


def test_a_restored_brain_resets_to_its_beginning(tmp_path: Path) -> None:
    with loaded(network()) as engine:
        engine.attach(DEVICES)
        expected = seen(run(engine, 0, 3, CHANGES))
        engine.save(str(tmp_path))
        engine.reset()
        assert seen(run(engine, 0, 3, CHANGES)) == expected
        engine.restore(str(tmp_path))
        engine.reset()
        assert seen(run(engine, 0, 3, CHANGES)) == expected


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"seed": 6}, "seed was 5 and is 6"),
        ({"options": {"precision": "double"}}, "precision was single and is double"),
        ({"resolution": 200_000}, "resolution was 0.1 ms and is 0.2 ms"),
    ],
)
def test_another_seed_precision_or_resolution_is_refused(other: dict[str, Any], words: str, tmp_path: Path) -> None:
    with loaded(network()) as engine:
        engine.save(str(tmp_path))
    with loaded(network(), **other) as engine, pytest.raises(AnimatError, match=words):
        engine.restore(str(tmp_path))


def test_another_network_or_other_devices_are_refused_by_name(tmp_path: Path) -> None:
    with loaded(network()) as engine:
        engine.attach(DEVICES[:2])
        engine.save(str(tmp_path))
        engine.attach(DEVICES[2:3])
        with pytest.raises(AnimatError, match=r"saved with 2 devices, and 3 .* spikes \(spike_recorder\), others"):
            engine.restore(str(tmp_path))
    with loaded(PLASTIC) as engine, pytest.raises(AnimatError, match=r"projection A->A is another$"):
        engine.restore(str(tmp_path))
    with loaded(network(100)) as engine, pytest.raises(AnimatError, match="population A is another, population B is"):
        engine.restore(str(tmp_path))
    with loaded(network()) as engine:
        engine.attach([DEVICES[1], DEVICES[0]])
        with pytest.raises(AnimatError, match=r"others .* is not what was saved in its place, spikes"):
            engine.restore(str(tmp_path))


def test_synapses_that_were_drawn_otherwise_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with loaded(network()) as engine:
        engine.save(str(tmp_path))
    build = CompactEngine._build

    def other(self: CompactEngine, own: Any) -> Any:
        settings, self._settings = self._settings, msgspec.structs.replace(self._settings, seed=6)
        info = build(self, own)
        self._settings = settings
        return info

    monkeypatch.setattr(CompactEngine, "_build", other)
    with loaded(network()) as engine, pytest.raises(AnimatError, match="another version of compact saved this brain"):
        engine.restore(str(tmp_path))


def test_a_state_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    with loaded(PLASTIC) as engine:
        engine.save(str(tmp_path))
    core, rest = (tmp_path / name for name in ("core.state", "brain.msgpack"))
    whole = core.read_bytes()
    with loaded(PLASTIC) as engine:
        core.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(AnimatError, match="cut off"):
            engine.restore(str(tmp_path))
        rest.write_bytes(rest.read_bytes()[:-9])
        with pytest.raises(AnimatError, match="cannot be read"):
            engine.restore(str(tmp_path))
        rest.unlink()
        with pytest.raises(AnimatError, match="no saved brain here"):
            engine.restore(str(tmp_path))


def test_nest_refuses_and_says_which_engine_can(tmp_path: Path) -> None:
    pytest.importorskip("nest")
    with closing(BrainLink("nest")) as link:
        load(link, example_network())
        for call in (link.save, link.restore):
            with pytest.raises(AnimatError, match=r"nest cannot be saved .* brain: \{engine: compact\}"):
                call(str(tmp_path))


def test_the_public_check_covers_saving(monkeypatch: pytest.MonkeyPatch) -> None:
    check_brain_engine(CompactEngine)
    check_brain_engine(lambda: BrainLink("compact"))

    def forgetful(self: CompactEngine, folder: str) -> None:
        whole(self, folder)
        self._readouts.restore([[np.zeros((3, size)) for size in (1, 40)], self._readouts.save()[1]])

    whole = CompactEngine.restore
    monkeypatch.setattr(CompactEngine, "restore", forgetful)
    with pytest.raises(AnimatError, match="values differ after a restore"):
        check_brain_engine(CompactEngine)


def test_values_come_back_as_they_were() -> None:
    random = np.random.default_rng(3)
    value: dict[Any, Any] = {
        "number": 2**80,
        ("a", 1): [None, True, 1.5, "ä", b"\x00", (1, {2, 3})],
        "array": np.arange(6, dtype=np.int16).reshape(2, 3).T,
        "scalar": np.float32(0.1),
        "queue": deque([1.0, 2.0], maxlen=2),
        "random": random,
    }
    found = unpack(pack(value, "x"))
    assert {key: found[key] for key in ("number", ("a", 1), "queue")} == {
        key: value[key] for key in ("number", ("a", 1), "queue")
    }
    assert found["queue"].maxlen == 2 and type(found["scalar"]) is np.float32
    assert np.array_equal(found["array"], value["array"]) and found["array"].dtype == np.int16
    assert found["random"].normal(size=4).tolist() == random.normal(size=4).tolist()
    with pytest.raises(AnimatError, match=r"x\['deep'\]\[1\] cannot be saved: it is a object"):
        pack({"deep": [1, object()]}, "x")
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(AnimatError, match="holds itself"):
        pack(endless, "x")
    with pytest.raises(AnimatError, match="cannot be read"):
        unpack(b"\x93\x01")
