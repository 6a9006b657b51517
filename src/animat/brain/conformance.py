"""A public check that a brain engine keeps the protocol: ``check_brain_engine(MyEngine)``."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import numpy as np

from animat.brain.network import (
    RELAY_MODELS,
    Constant,
    Drive,
    FixedIndegree,
    Network,
    Population,
    Projection,
    Uniform,
)
from animat.brain.protocol import (
    SHARD_DTYPE,
    BrainEngine,
    BrainInfo,
    BrainReply,
    BrainSettings,
    Change,
    Device,
    ProjectionName,
    SavingEngine,
    Selection,
)
from animat.errors import AnimatError

__all__ = ["check_brain_engine", "example_network"]

_STEP = 20_000_000

#: Makes an engine that was not loaded; the one before is closed.
MakeEngine = Callable[[], BrainEngine]


def example_network(model: str = "iaf_psc_alpha") -> Network:
    """Return a small active network: 40 driven neurons that excite 10 others."""
    return Network(
        name="conformance",
        populations=(
            Population(
                name="E",
                model=model,
                size=40,
                initial={"V_m": Uniform(-70.0, -55.0)},
                drive=Drive(rate_hz=8000.0, weight=40.0, delay_ms=1.5),
            ),
            Population(name="I", model=model, size=10),
        ),
        projections=(
            Projection(pre="E", post="I", rule=FixedIndegree(indegree=20), weight=Constant(100.0), delay_ms=1.5),
        ),
    )


def check_brain_engine(make_engine: MakeEngine, network: Network | None = None, *, processes: int = 1) -> None:
    """Run an engine through what the loop relies on, and what its capability "save" promises.

    Parameters
    ----------
    make_engine
        Called for every check; engines are closed before the next is made.
    network
        Two populations, of which the first fires by itself and the second does not fire without it; by default
        `example_network`.
    processes
        How many processes the engines that are made run in.

    Raises
    ------
    AnimatError
        Naming the first thing that the engine does not keep.
    """
    case = _Case(make_engine, network or example_network(), processes)
    for check in (
        _checks,
        _same_seed,
        _reset,
        _sinks_leave_spikes,
        _time,
        _counts,
        _wrong_names,
        _get_set,
        _cuts,
        _cuts_onto_relays,
        _sources,
        _each,
        _save_restore,
    ):
        check(case)


def _require(kept: bool, what: str) -> None:
    if not kept:
        raise AnimatError(f"the brain engine does not keep the protocol: {what}")


@dataclass(frozen=True)
class _Case:
    """What is checked: engines that run a network in so many processes."""

    make: MakeEngine
    network: Network
    processes: int

    @contextmanager
    def loaded(self, seed: int = 1, shard: Path | None = None) -> Iterator[BrainEngine]:
        """Make an engine, load the network, and close it in the end."""
        with self.opened(seed, shard) as (engine, _):
            yield engine

    @contextmanager
    def unloaded(self) -> Iterator[BrainEngine]:
        """Make an engine, and close it in the end, twice."""
        engine = self.make()
        try:
            yield engine
        finally:
            engine.close()
            engine.close()

    def settings(self, seed: int = 1, shard: Path | None = None) -> BrainSettings:
        """Return how it is run."""
        return BrainSettings(
            seed=seed,
            step=_STEP,
            processes=self.processes,
            record=("*",) if shard else (),
            shard=None if shard is None else str(shard),
        )

    @contextmanager
    def opened(self, seed: int = 1, shard: Path | None = None) -> Iterator[tuple[BrainEngine, BrainInfo]]:
        """Do the same, and say what `load` returned."""
        with self.unloaded() as engine:
            info = engine.load(self.network, self.settings(seed, shard), lambda _what, _done: None)
            sizes = {population.name: population.size for population in self.network.populations}
            _require(info.sizes() == sizes, f"load returns population sizes {info.sizes()}, expected {sizes}")
            yield engine, info


def _run(engine: BrainEngine, steps: int, first: int = 0, changes: list[Change] | None = None) -> list[BrainReply]:
    return [engine.advance((changes or []) if step == 0 else [], (first + step + 1) * _STEP) for step in range(steps)]


def _watch(network: Network) -> list[Device]:
    return [
        Device(name=population.name, kind="spike_recorder", neurons=(Selection(population.name),))
        for population in network.populations
    ]


def _spikes(replies: list[BrainReply], devices: list[int]) -> list[tuple[bytes, bytes]]:
    return [reply.spikes[device] for reply in replies for device in devices]


def _checks(case: _Case) -> None:
    with case.unloaded() as engine:
        _require(not engine.check(case.network), "check refuses a network that can be built")
        wrong = msgspec.structs.replace(case.network.populations[0], model="no_such_model")
        faults = engine.check(msgspec.structs.replace(case.network, populations=(wrong, *case.network.populations[1:])))
        _require(bool(faults), "check passes a model that does not exist")
        where, what = faults[0]
        _require("no_such_model" in what, "check does not name the model that does not exist")
        _require(where[:2] == ("populations", 0), "check does not say which population is wrong")


def _same_seed(case: _Case) -> None:
    found = []
    for seed in (1, 1, 2):
        with case.loaded(seed) as engine:
            devices = engine.attach(_watch(case.network))
            found.append(_spikes(_run(engine, 5), devices))
    _require(found[0] == found[1], "the same seed gives other spikes")
    _require(found[0] != found[2], "another seed gives the same spikes")


def _reset(case: _Case) -> None:
    with case.loaded() as engine:
        source = Device(
            name="source", kind="poisson", neurons=(Selection(case.network.populations[1].name),), weight=1000.0
        )
        devices = engine.attach([*_watch(case.network), source])
        changes: list[Change] = [(devices[-1], "rate", 1000.0)]
        before = _spikes(_run(engine, 3, 0, changes), devices[:-1])
        engine.reset()
        rest = _spikes(_run(engine, 3), devices[:-1])
        engine.reset()
        after = _spikes(_run(engine, 3, 0, changes), devices[:-1])
    _require(before == after, "spikes after a reset differ from those after load")
    _require(before != rest, "a reset does not put devices to their initial values")


def _sinks_leave_spikes(case: _Case) -> None:
    found = []
    for sinks in (False, True):
        with case.loaded() as engine:
            devices = engine.attach(_watch(case.network))
            replies = _run(engine, 2)
            if sinks:
                engine.attach(
                    [
                        Device(name=kind, kind=kind, neurons=(Selection(case.network.populations[0].name),))
                        for kind in ("leaky_integrator_alpha", "leaky_integrator_exp", "population_rate")
                    ]
                )
            replies += _run(engine, 3, 2)
            found.append(_spikes(replies, devices))
            _require(len(replies[-1].values) == 3 * sinks, "values are not one per sink that is no recorder")
    _require(found[0] == found[1], "adding sinks changes spikes")


def _time(case: _Case) -> None:
    with case.loaded() as engine:
        reply = engine.advance([], 3 * _STEP)
        _require(reply.time == 3 * _STEP, f"after an advance to {3 * _STEP} the reply says {reply.time}")
        _refused(lambda: engine.advance([], _STEP), "an advance into the past")


def _counts(case: _Case) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shard = Path(folder) / "spikes.shard"
        with case.loaded(shard=shard) as engine:
            devices = engine.attach(_watch(case.network))
            replies = _run(engine, 5)
        files = [shard, *(shard.with_suffix(f".{rank}.shard") for rank in range(1, case.processes))]
        written = np.concatenate([np.fromfile(file, SHARD_DTYPE) for file in files])
    total = np.sum([reply.counts for reply in replies], axis=0)
    _require(bool(total[0] > 0), "the example network does not fire")
    for place, device in enumerate(devices):
        pieces = [reply.spikes[device] for reply in replies]
        index = np.concatenate([np.frombuffer(first, np.uint32) for first, _ in pieces])
        ticks = np.concatenate([np.frombuffer(second, np.int64) for _, second in pieces])
        mine = np.sort(written[written["population"] == place], order=["tick", "index"])
        name = case.network.populations[place].name
        _require(len(index) == total[place], f"{name}: {total[place]} spikes counted, {len(index)} recorded")
        same = np.array_equal(mine["index"], index) and np.array_equal(mine["tick"], ticks)
        _require(same, f"{name}: the shard's spikes are not the recorder's in order of time and index")
        ends = np.repeat([reply.time for reply in replies], [len(second) // 8 for _, second in pieces])
        _require(bool(np.all((ticks > ends - _STEP) & (ticks <= ends))), f"{name}: spikes lie outside their step")


def _wrong_names(case: _Case) -> None:
    here = (Selection(case.network.populations[0].name),)
    beyond = Selection(case.network.populations[0].name, indices=(10**6,))
    one = (Selection(case.network.populations[0].name, indices=(2,)),)
    with case.loaded() as engine:
        for what, device in (
            ("an unknown kind", Device(name="x", kind="no_such_kind", neurons=here)),
            ("an unknown population", Device(name="x", kind="poisson", neurons=(Selection("no such"),))),
            ("an unknown parameter", Device(name="x", kind="poisson", neurons=here, params={"no_such": 1.0})),
            ("an index out of range", Device(name="x", kind="poisson", neurons=(beyond,))),
            ("a receptor that one neuron lacks", Device(name="x", kind="poisson", neurons=one, receptor=99)),
        ):
            _refused(partial(engine.attach, [device]), f"a device with {what}")
        (known,) = engine.attach([Device(name="x", kind="poisson", neurons=here)])
        _refused(lambda: engine.advance([(known, "no_such", 1.0)], _STEP), "a change of an unknown property")
        _refused(lambda: engine.advance([(known + 1, "rate", 1.0)], _STEP), "a change of an unknown device")
        _refused(lambda: engine.advance([(known, "rate", -1.0)], _STEP), "a negative rate")
        _refused(lambda: engine.get(here[0], ["no_such"]), "a get of an unknown parameter")
        _refused(lambda: engine.set(here[0], {"no_such": 1.0}), "a set of an unknown parameter")
        _refused(lambda: engine.set(one[0], {"tau_m": -1.0}), "a negative time constant of one neuron")
        _refused(lambda: engine.detach([known + 1]), "a detach of an unknown device")
        _require(engine.advance([], _STEP).time == _STEP, "it cannot go on after refused requests")


def _refused(call: Callable[[], object], what: str) -> None:
    try:
        call()
    except AnimatError:
        return
    except Exception as error:
        name = type(error).__name__
        raise AnimatError(f"the brain engine refuses {what} with {name} instead of AnimatError") from error
    raise AnimatError(f"the brain engine accepts {what}")


def _get_set(case: _Case) -> None:
    some = Selection(case.network.populations[0].name, indices=(3, 1))
    with case.loaded() as engine:
        engine.set(some, {"V_m": [-61.0, -62.0]})
        _require(engine.get(some, ["V_m"]) == {"V_m": [-61.0, -62.0]}, "get does not return what was set, in order")
        first = Selection(some.population)
        engine.set(first, {"silent": True})
        _require(engine.advance([], _STEP).counts[0] == 0, "a silent population fires")
        engine.set(first, {"silent": False})
        fired = sum(reply.counts[0] for reply in _run(engine, 5, 1))
        _require(fired > 0, "a population that is silent no more does not fire")


def _cuts(case: _Case) -> None:
    """Check, of an engine that can cut, that what has left a source arrives, and that all comes back when it is healed.

    At a multiple of the smallest delay a cut is, for its targets, what silence of its sources is.
    """
    first, second = (population.name for population in case.network.populations)
    joined = ProjectionName(first, second)
    with case.opened() as (engine, info):
        if "cut" not in info.capabilities:
            return
        _refused(
            lambda: engine.set(ProjectionName(second, first), {"cut": True}), "a cut of a projection that is not there"
        )
        recorder = engine.attach(_watch(case.network))[1]
        exchange = round(info.min_delay_ms * 1e6)
        before, after = exchange // math.gcd(exchange, _STEP), 3 + round(info.max_delay_ms * 1e6) // _STEP
        _run(engine, before)
        engine.set(Selection(first), {"silent": True})
        silent = _run(engine, after, before)
        engine.reset()
        _run(engine, before)
        engine.set(joined, {"cut": True})
        cut = _run(engine, after, before)
        same = _spikes(cut, [recorder]) == _spikes(silent, [recorder])
        _require(same, "a cut loses spikes that had left their source, or lets through what left later")
        _require(cut[-1].counts[1] == 0, f"the projection {first}->{second} transmits although it is cut")
        engine.set(joined, {"cut": False})
        healed = sum(reply.counts[1] for reply in _run(engine, 5, before + after))
        _require(healed > 0, f"the projection {first}->{second} does not transmit when its cut is undone")


def _cuts_onto_relays(case: _Case) -> None:
    """Check that a cut onto relays, which take no notice of weights, stops them, too."""
    neurons, rest = case.network.populations
    relays = Population(name=rest.name, model=RELAY_MODELS[0], size=rest.size)
    joined = Projection(
        pre=neurons.name, post=rest.name, rule=FixedIndegree(indegree=1), weight=Constant(1.0), delay_ms=1.0
    )
    network = Network(name="relays", populations=(neurons, relays), projections=(joined,))
    with case.unloaded() as engine:
        try:
            engine.check(network)
        except AnimatError:
            return
        info = engine.load(network, case.settings(), lambda _what, _done: None)
        if "cut" not in info.capabilities:
            return
        _run(engine, 2)
        for first, cut in ((2, True), (5, False)):
            engine.set(ProjectionName(neurons.name, rest.name), {"cut": cut})
            fired = _run(engine, 3, first)[-1].counts[1]
            _require((fired == 0) == cut, f"a projection onto relays, of which `cut` is {cut}, does not keep to it")


def _sources(case: _Case) -> None:
    quiet = (Selection(case.network.populations[1].name),)
    with case.loaded() as engine:
        engine.set(Selection(case.network.populations[0].name), {"silent": True})
        kicks = {"poisson": ("rate", 2000.0), "fixed_frequency": ("rate", 500.0), "dc_source": ("amplitude", 2000.0)}
        step = 0
        for kind, (name, value) in kicks.items():
            weight = None if kind == "dc_source" else 1000.0
            (device,) = engine.attach([Device(name=kind, kind=kind, neurons=quiet, weight=weight)])
            _run(engine, 10, step)
            still = engine.advance([], (step + 11) * _STEP).counts[1]
            driven = _run(engine, 2, step + 11, [(device, name, value)])[-1].counts[1]
            engine.detach([device])
            _run(engine, 2, step + 13)
            after = engine.advance([], (step + 16) * _STEP).counts[1]
            _require(still == 0 and after == 0, f"neurons fire with a {kind} at rest or detached")
            _require(driven > 0, f"neurons do not fire when the {name} of a {kind} is set to {value}")
            step += 16


def _each(case: _Case) -> None:
    here = (Selection(case.network.populations[1].name, indices=(4, 0, 2)),)
    with case.loaded() as engine:
        engine.set(Selection(case.network.populations[0].name), {"silent": True})
        source, _ = engine.attach(
            [
                Device(name="source", kind="fixed_frequency", neurons=here, each=True, weight=2000.0),
                Device(name="sink", kind="leaky_integrator_alpha", neurons=here, each=True),
            ]
        )
        _run(engine, 3)
        (values,) = _run(engine, 3, 3, [(source, "rate", [0.0, 200.0, 0.0])])[-1].values
    _require(isinstance(values, list) and len(values) == 3, "a sink per neuron does not return a list of its values")
    assert isinstance(values, list)
    _require(values[1] > 0.0 and values[0] == values[2] == 0.0, "elements are not in the order of the selection")


def _save_restore(case: _Case) -> None:
    """Check, of an engine that can save, that a brain goes on from a saved state as if never interrupted."""
    first, second = (Selection(population.name) for population in case.network.populations)
    devices = [
        *_watch(case.network),
        Device(name="rates", kind="population_rate", neurons=(first,), delay_ms=5.0),
        Device(name="each", kind="leaky_integrator_alpha", neurons=(first,), each=True),
        Device(name="noise", kind="poisson", neurons=(second,), weight=100.0),
        Device(name="regular", kind="fixed_frequency", neurons=(second,), weight=100.0),
        Device(name="current", kind="dc_source", neurons=(second,)),
    ]
    with tempfile.TemporaryDirectory() as folder, case.opened() as (engine, info):
        if "save" not in info.capabilities:
            return
        saved = Path(folder) / "state"
        noise, regular, current = (found := engine.attach(devices))[-3:]
        engine.set(Selection(first.population, indices=(1,)), {"silent": True})
        _run(engine, 3, 0, [(noise, "rate", 2000.0), (regular, "rate", 37.0), (current, "amplitude", 50.0)])
        cast(SavingEngine, engine).save(str(saved))
        expected = _run(engine, 5, 3)
        with case.loaded() as other:
            other.attach(devices)
            cast(SavingEngine, other).restore(str(saved))
            replies = _run(other, 5, 3)
        _require(_spikes(replies, found[:2]) == _spikes(expected, found[:2]), "spikes differ after a restore")
        for what in ("values", "counts"):
            same = [getattr(reply, what) for reply in replies] == [getattr(reply, what) for reply in expected]
            _require(same, f"{what} differ after a restore")
        with case.loaded(seed=2) as another:
            another.attach(devices)
            _refused(
                partial(cast(SavingEngine, another).restore, str(saved)), "a state that was saved with another seed"
            )
