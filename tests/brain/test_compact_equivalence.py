"""The engine `compact` against NEST: small networks with the same connections, weights, delays and input spikes."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from compact_networks import MS, Events, Loop, events, one, running
from nest_brain import nest
from numpy.typing import NDArray

from animat.brain.compact.engine import CompactEngine
from animat.brain.nest.engine import NestEngine
from animat.brain.network import Constant, Drive, Network, OneToOne, Pairs, Population, Projection, Uniform, Values
from animat.brain.protocol import Selection
from animat.errors import AnimatError

assert nest

DOUBLE = {"precision": "double"}
BOTH = (NestEngine, CompactEngine)
CURRENTS = ["iaf_psc_alpha", "iaf_psc_exp", "iaf_psc_alpha_multisynapse"]
CONDUCTANCES = ["iaf_cond_alpha", "iaf_cond_exp"]

#: Delays (ms) of the projections that join the same two populations.
DELAYS = (0.4, 1.5, 4.2)

#: Weight of an input spike that makes neurons fire, by model.
INPUT = {
    "iaf_psc_alpha": 300.0,
    "iaf_psc_exp": 600.0,
    "iaf_psc_alpha_multisynapse": 300.0,
    "iaf_cond_alpha": 20.0,
    "iaf_cond_exp": 60.0,
}


def listed(rng: np.random.Generator, pre: int, post: int, count: int) -> Pairs:
    """Random pairs, some of them repeated."""
    sources, targets = rng.integers(0, pre, count), rng.integers(0, post, count)
    return Pairs(sources=tuple(sources.tolist()), targets=tuple(targets.tolist()))


def recurrent(model: str, seed: int = 1, **params: Any) -> Network:
    """Relays that excite 80 neurons, which excite and are inhibited by 20 others; three delays between any two."""
    rng = np.random.default_rng(seed)
    sizes = {"R": 30, "A": 80, "B": 20}
    several = "multi" in model
    if several:
        params = {"tau_syn": [2.0, 5.0, 0.5], **params}
    projections = []
    for pre, post in [("R", "A"), ("R", "B"), ("A", "R"), ("A", "A"), ("A", "B"), ("B", "A"), ("B", "B")]:
        for delay in DELAYS:
            rule = listed(rng, sizes[pre], sizes[post], sizes[pre] * sizes[post] // 40)
            weights = rng.uniform(0.5, 1.5, len(rule.sources)) * INPUT[model] / 5 * (-4 if pre == "B" else 1)
            receptor = 2 if pre == "B" else 3 if delay == 0.4 else 1
            projections.append(
                Projection(
                    pre=pre,
                    post=post,
                    rule=rule if post != "R" else OneToOne() if pre == post else listed(rng, 80, 30, 10),
                    weight=Values(tuple(weights.tolist())) if post != "R" else Constant(1.0),
                    delay_ms=delay,
                    receptor=receptor if several and post != "R" else None,
                )
            )
    start = {"V_m": Uniform(-70.0, -56.0)}
    populations = (
        Population(name="R", model="parrot_neuron", size=sizes["R"]),
        *(Population(name=name, model=model, size=sizes[name], params=params, initial=start) for name in "AB"),
    )
    return Network(name="recurrent", populations=populations, projections=tuple(projections))


def feed(loop: Loop, name: str, size: int, weight: float, *, number: int = 60, rate: float = 80.0, **rest: Any) -> None:
    """Give neurons spikes at random times, every train to a quarter of them."""
    rng = np.random.default_rng(5)
    for _ in range(number):
        chosen = rng.choice(size, max(1, size // 4), replace=False).tolist()
        times = np.unique(np.round(rng.uniform(1.0, 990.0, int(rate)), 1)).tolist()
        loop.attach("spike_times", name, indices=chosen, times=times, weight=weight, delay_ms=1.5, **rest)


def fed(model: str, network: Network, make: Any, options: dict[str, Any] = DOUBLE) -> tuple[dict[str, Events], Any]:
    """Spikes of every population in a second, and the potentials of A after every exchange."""
    with running(network, make, options=options) as loop:
        names = [population.name for population in network.populations]
        recorders = [loop.attach("spike_recorder", name) for name in names]
        feed(loop, "A", network.population("A").size, INPUT[model], receptor=1 if "multi" in model else None)
        if "R" in names:
            feed(loop, "R", 30, 1.0, number=5)
        replies, potentials = [], []
        for _ in range(50):
            replies += loop.run(1)
            potentials.append(loop.get("A"))
        return {name: events(replies, place) for name, place in zip(names, recorders, strict=True)}, potentials


@pytest.mark.parametrize("model", CURRENTS)
def test_current_based_networks_fire_the_same_spikes(model: str) -> None:
    network = recurrent(model)
    (spikes, potentials), (mine, found) = (fed(model, network, make) for make in BOTH)
    assert min(map(len, spikes.values())) > 200
    assert mine == spikes
    assert np.abs(np.array(found) - potentials).max() < 1e-9


@pytest.mark.parametrize("model", CURRENTS)
def test_single_precision_fires_nearly_the_same_spikes(model: str) -> None:
    """A spike moves by a step where a potential meets the threshold within rounding; few do before it matters."""
    network = recurrent(model)
    (spikes, _), (mine, _) = (fed(model, network, make, {}) for make in BOTH)
    for name in "RAB":
        early = [[event for event in found[name] if event[0] <= 100 * MS] for found in (spikes, mine)]
        assert len(early[0]) > 10 and early[0] == early[1]
        assert len(mine[name]) == pytest.approx(len(spikes[name]), rel=0.02)


@pytest.mark.parametrize("model", CURRENTS)
def test_neurons_that_all_differ_fire_the_same_spikes(model: str) -> None:
    """Every parameter that a neuron may have for itself, given at the start."""
    rng = np.random.default_rng(2)
    ranges = {
        "C_m": (200.0, 300.0),
        "tau_m": (8.0, 14.0),
        "t_ref": (1.0, 3.0),
        "E_L": (-72.0, -68.0),
        "V_th": (-57.0, -53.0),
        "V_reset": (-75.0, -65.0),
        "I_e": (0.0, 200.0),
        "V_m": (-74.0, -60.0),
    }
    if "multi" not in model:
        ranges |= {"tau_syn_ex": (1.0, 3.0), "tau_syn_in": (2.0, 6.0)}
    if "alpha" in model:
        ranges["V_min"] = (-80.0, -76.0)
    network = recurrent(model)

    def varied(population: Population) -> Population:
        if population.relay:
            return population
        drawn = {name: np.round(rng.uniform(low, high, population.size), 1) for name, (low, high) in ranges.items()}
        initial = {name: Values(tuple(values.tolist())) for name, values in drawn.items()}
        return msgspec.structs.replace(population, initial=initial)

    network = msgspec.structs.replace(network, populations=tuple(map(varied, network.populations)))
    (spikes, potentials), (mine, found) = (fed(model, network, make) for make in BOTH)
    assert min(map(len, spikes.values())) > 200
    assert mine == spikes
    assert np.abs(np.array(found) - potentials).max() < 1e-9


def changed(name: str, model: str, make: Any, change: tuple[float, float], sizes: int = 20) -> Any:
    """Spikes and potentials of driven neurons, of which every second gets other values of a parameter on the way."""
    with running(one(model, sizes, I_e=400.0), make, options=DOUBLE, step=MS) as loop:
        recorder = loop.attach("spike_recorder", "N")
        feed(loop, "N", sizes, INPUT[model] / 10, number=10, rate=400.0)
        replies, traces = loop.run(30), []
        some = tuple(range(1, sizes, 2))
        loop.engine.set(Selection("N", indices=some), {name: np.linspace(*change, len(some)).round(1).tolist()})
        for _ in range(60):
            replies += loop.run(1)
            traces.append(loop.get("N"))
        assert loop.get("N", name)[1] == change[0] or name == "V_m"
        return events(replies, recorder), np.array(traces)


SETTINGS = {
    "C_m": (200.0, 300.0),
    "t_ref": (0.0, 5.0),
    "E_L": (-72.0, -68.0),
    "V_th": (-60.0, -50.0),
    "V_reset": (-75.0, -65.0),
    "I_e": (-100.0, 500.0),
    "V_m": (-80.0, -60.0),
    "tau_syn_ex": (0.5, 3.0),
    "tau_syn_in": (0.5, 3.0),
}


@pytest.mark.parametrize("name", [*SETTINGS, "tau_m", "V_min"])
@pytest.mark.parametrize("model", CURRENTS[:2])
def test_a_parameter_set_while_running_has_the_same_effect(model: str, name: str) -> None:
    if name == "V_min" and model == "iaf_psc_exp":
        pytest.skip("it has no lower bound")
    change = {**SETTINGS, "tau_m": (8.0, 20.0), "V_min": (-71.0, -69.0)}[name]
    (spikes, potentials), (mine, found) = (changed(name, model, make, change) for make in BOTH)
    assert len(spikes) > 50 and mine == spikes
    assert np.abs(found - potentials).max() < 1e-9


@pytest.mark.parametrize("name", [*SETTINGS, "g_L", "E_ex", "E_in"])
@pytest.mark.parametrize("model", CONDUCTANCES)
def test_a_parameter_of_conductance_models_set_while_running_has_the_same_effect(model: str, name: str) -> None:
    """NEST's solver errs by up to 1e-3 mV a step; neurons are compared until their first spike that moves by a step."""
    own = {"g_L": (12.0, 20.0), "E_ex": (-10.0, 10.0), "E_in": (-90.0, -80.0), "V_th": (-58.0, -50.0)}
    change = {**SETTINGS, **own}[name]
    (spikes, potentials), (mine, found) = (changed(name, model, make, change) for make in BOTH)
    assert len(spikes) > 50
    same = [neuron for neuron in range(20) if times_of(spikes, neuron) == times_of(mine, neuron)]
    assert len(same) >= 16
    assert np.abs(found - potentials)[:, same].max() < 5e-3


def times_of(spikes: Events, neuron: int) -> list[int]:
    return [tick for tick, index in spikes if index == neuron]


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("model", CONDUCTANCES)
def test_conductance_based_potentials_below_threshold(model: str, precision: str) -> None:
    """100 ms of random exciting and inhibiting input: within 1e-3 mV."""

    def trace(make: Any) -> NDArray[np.float64]:
        with running(one(model, 50, V_th=1000.0), make, options={"precision": precision}, step=MS) as loop:
            for weight in (INPUT[model] / 2, -INPUT[model]):
                feed(loop, "N", 50, weight, number=30, rate=300.0)
            return loop.trace("N", 100)

    theirs, mine = map(trace, BOTH)
    assert theirs.std() > 2
    assert np.abs(mine - theirs).max() < 1e-3


@pytest.mark.parametrize("model", CONDUCTANCES)
def test_conductance_based_neurons_fire_within_a_step(model: str) -> None:
    """Of 100 neurons with random input for a second, until the first spike of each that moves by more than a step."""
    network = Network(name="n", populations=(Population(name="A", model=model, size=100),))
    spikes, mine = (fed(model, network, make)[0]["A"] for make in BOTH)
    agree = total = 0
    for neuron in range(100):
        theirs, own = (np.array(times_of(found, neuron)) for found in (spikes, mine))
        shared = min(len(theirs), len(own))
        apart = np.abs(theirs[:shared] - own[:shared]) > 100_000
        agree += int(np.argmax(apart)) if apart.any() else shared
        total += len(theirs)
    assert total > 1000
    assert agree / total > 0.9
    assert len(mine) == pytest.approx(len(spikes), rel=0.01)


@pytest.mark.parametrize("model", CONDUCTANCES)
def test_conductance_based_networks_fire_alike(model: str) -> None:
    """Chaos multiplies what solvers do differently, so only the first spikes are the same; rates are."""
    network = recurrent(model)
    (spikes, _), (mine, _) = (fed(model, network, make) for make in BOTH)
    for name in "RAB":
        shared = min(100, len(spikes[name]))
        assert shared > 50
        first = [[tick for tick, _ in found[name][:20]] for found in (spikes, mine)]
        assert np.abs(np.subtract(*first)).max() <= 100_000
        assert len(mine[name]) == pytest.approx(len(spikes[name]), rel=0.05)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize(("resolution", "tau"), [(1.0, 0.2), (1.0, 0.02), (0.1, 0.03), (0.5, 0.5), (0.8, 0.3)])
@pytest.mark.parametrize("model", CONDUCTANCES)
def test_steps_that_are_long_against_conductances(model: str, resolution: float, tau: float, precision: str) -> None:
    """The potential that single spikes cause, exciting and inhibiting: to 1 %."""
    parameters = {"V_th": 1000.0, "tau_syn_ex": tau, "tau_syn_in": tau, "E_in": -100.0}

    def trace(make: Any, weight: float) -> NDArray[np.float64]:
        step = round(resolution * MS)
        fields = {"resolution": step, "step": step, "options": {"precision": precision}}
        with running(one(model, 1, **parameters), make, **fields) as loop:
            loop.attach("spike_times", "N", times=[5 * resolution], weight=weight, delay_ms=resolution)
            return loop.trace("N", 40)[:, 0] + 70.0

    for weight in (10.0 / tau, -10.0 / tau):
        theirs, mine = (trace(make, weight) for make in BOTH)
        assert np.abs(theirs).max() > 0.5
        assert np.abs(mine - theirs).max() < 0.01 * np.abs(theirs).max()


def test_a_step_too_long_for_a_conductance_is_refused() -> None:
    message = (
        r"population N \(iaf_cond_exp\): tau_syn_in is 0.01 ms, too short for a resolution of 1 ms: it must be at "
        r"least 0.015625 ms there, or `resolution` at most 0.64 ms"
    )
    with pytest.raises(AnimatError, match=message), running(one("iaf_cond_exp", tau_syn_in=0.01), resolution=MS):
        pass


def exact(model: str, times: list[float], weights: list[float], until: int, parts: int = 64) -> NDArray[np.float64]:
    """Potential after every 0.1 ms by 4th-order Runge-Kutta in much smaller steps, conductances in closed form."""
    c_m, g_l, e_l, e_ex, e_in = 250.0, 16.6667, -70.0, 0.0, -85.0
    taus = {1: 0.2, -1: 2.0}
    arrivals = [(round(time * 10), weight) for time, weight in zip(times, weights, strict=True)]

    def conductance(t: float, sign: int) -> float:
        tau, total = taus[sign], 0.0
        for step, weight in arrivals:
            since = t - step / 10
            if weight * sign > 0 and since >= 0:
                shape = np.e * since / tau * np.exp(-since / tau) if "alpha" in model else np.exp(-since / tau)
                total += abs(weight) * shape
        return total

    def slope(v: float, g_e: float, g_i: float) -> float:
        return (-g_l * (v - e_l) - g_e * (v - e_ex) - g_i * (v - e_in)) / c_m

    h, v, found = 0.1 / parts, e_l, []
    eps = 1e-9
    for step in range(until):
        for part in range(parts):
            t = step / 10 + part * h
            g0, gm, g1 = ([conductance(at, sign) for sign in (1, -1)] for at in (t + eps, t + h / 2, t + h - eps))
            k1 = slope(v, *g0)
            k2 = slope(v + h / 2 * k1, *gm)
            k3 = slope(v + h / 2 * k2, *gm)
            k4 = slope(v + h * k3, *g1)
            v += h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        found.append(v)
    return np.array(found)


@pytest.mark.parametrize("weight", [20.0, 500.0, 5000.0])
@pytest.mark.parametrize("model", CONDUCTANCES)
def test_conductances_however_large_are_integrated_right(model: str, weight: float) -> None:
    """Against a solution in 64 times smaller steps, also where the membrane follows within a step: within 1e-2 mV."""
    times, weights = [1.0, 1.5, 3.0], [weight, -weight, weight / 3]
    with running(one(model, 1, V_th=1000.0), options=DOUBLE, step=MS // 10) as loop:
        for time, value in zip(times, weights, strict=True):
            loop.attach("spike_times", "N", times=[time - 0.5], weight=value, delay_ms=0.5)
        found = loop.trace("N", 60)[:, 0]
    assert np.abs(found - exact(model, times, weights, 60)).max() < 1e-2


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("model", CURRENTS + CONDUCTANCES)
def test_currents_have_the_same_effect(model: str, each: bool) -> None:
    """Constant and sinusoidal, changed and detached while running, through any delay."""

    def trace(make: Any) -> NDArray[np.float64]:
        def value(one: float) -> float | list[float]:
            return [one, 2 * one, -one, 0.0] if each else one

        found = []
        with running(one(model, 4, V_th=1000.0), make, options=DOUBLE, step=MS) as loop:
            dc = loop.attach("dc_source", "N", each=each, amplitude=value(50.0), delay_ms=2.3)
            ac = loop.attach(
                "ac_source", "N", each=each, amplitude=value(100.0), offset=20.0, frequency=33.0, phase=40.0, weight=1.5
            )
            found.append(loop.trace("N", 15))
            loop.run(1, (dc, "amplitude", value(-30.0)), (ac, "frequency", 70.0))
            found.append(loop.trace("N", 15))
            loop.engine.detach([dc])
            loop.run(1, (ac, "amplitude", value(40.0)), (ac, "offset", 5.0), (ac, "phase", 200.0))
            found.append(loop.trace("N", 15))
            loop.engine.detach([ac])
            found.append(loop.trace("N", 15))
        return np.concatenate(found)

    theirs, mine = map(trace, BOTH)
    assert theirs.std() > 0.5
    assert np.abs(mine - theirs).max() < (1e-3 if "cond" in model else 1e-9)


@pytest.mark.parametrize("t_ref", [0.0, 0.1, 0.7, 2.0, 15.0])
@pytest.mark.parametrize("model", CURRENTS + CONDUCTANCES)
def test_refractory_times(model: str, t_ref: float) -> None:
    """Also longer ones than the core advances neurons at a time."""

    def spikes(make: Any) -> Events:
        with running(one(model, 3, t_ref=t_ref, I_e=3000.0), make, options=DOUBLE) as loop:
            recorder = loop.attach("spike_recorder", "N")
            return events(loop.run(5), recorder)

    theirs, mine = map(spikes, BOTH)
    assert len(theirs) > 10 and mine == theirs


@pytest.mark.parametrize("model", ["iaf_psc_alpha", "iaf_psc_alpha_multisynapse"])
def test_no_potential_falls_below_its_bound(model: str) -> None:
    def trace(make: Any) -> NDArray[np.float64]:
        with running(one(model, 2, V_min=-75.0), make, options=DOUBLE, step=MS) as loop:
            receptor = 1 if "multi" in model else None
            loop.attach("spike_times", "N", times=[3.0, 4.0, 30.0], weight=-2000.0, delay_ms=1.0, receptor=receptor)
            return loop.trace("N", 60)

    theirs, mine = map(trace, BOTH)
    assert theirs.min() == mine.min() == -75.0
    assert np.abs(mine - theirs).max() < 1e-9


@pytest.mark.parametrize("model", CURRENTS + CONDUCTANCES)
@pytest.mark.parametrize("how", ["params", "initial", "drawn"])
def test_start_values(model: str, how: str) -> None:
    """A resting potential that a population is given does not move the potential that it starts at."""
    given = {"E_L": -65.0, "V_th": -50.0, "I_e": 100.0}
    population = {
        "params": Population(name="N", model=model, size=3, params=given),
        "initial": Population(name="N", model=model, size=3, initial={k: Constant(v) for k, v in given.items()}),
        "drawn": Population(
            name="N", model=model, size=3, initial={"E_L": Values((-65.0, -66.0, -70.0)), "V_m": Uniform(-70.0, -60.0)}
        ),
    }[how]
    found = []
    for make in BOTH:
        with running(Network(name="n", populations=(population,)), make, options=DOUBLE, step=MS) as loop:
            found.append([loop.get("N"), *loop.trace("N", 10)])
    assert np.abs(np.subtract(*found)).max() < (1e-3 if "cond" in model else 1e-9)


@pytest.mark.parametrize("each", [False, True])
def test_regular_trains_are_the_same(each: bool) -> None:
    def spikes(make: Any) -> Events:
        with running(one("parrot_neuron", 3), make) as loop:
            recorder = loop.attach("spike_recorder", "N")
            source = loop.attach("fixed_frequency", "N", each=each, weight=1.0, rate=43.7, delay_ms=1.0)
            replies = loop.run(20)
            replies += loop.run(20, (source, "rate", [317.3, 0.0, 999.0] if each else 317.3))
            replies += loop.run(5, (source, "rate", 0.0))
            return events(replies, recorder)

    theirs, mine = map(spikes, BOTH)
    assert len(theirs) > 300 and mine == theirs


def test_listed_trains_are_the_same() -> None:
    """Times off the grid, twice the same, past ones, and others while running."""

    def spikes(make: Any) -> Events:
        with running(one("parrot_neuron", 3), make) as loop:
            recorder = loop.attach("spike_recorder", "N")
            times = [0.0, 0.04, 0.1, 3.14, 3.16, 5.0, 5.0, 5.04, 39.9, 40.0, 40.1, 70.0, 90.0]
            source = loop.attach("spike_times", "N", times=times, weight=1.0, delay_ms=3.0)
            replies = loop.run(3)
            replies += loop.run(5, (source, "times", [20.0, 59.9, 60.0, 60.1, 75.0]))
            return events(replies, recorder)

    theirs, mine = map(spikes, BOTH)
    assert len(theirs) == 27 and mine == theirs


def test_relays_hand_on_every_spike() -> None:
    """Several in a step count each; weights of any sign are ignored, delays are not."""

    def spikes(make: Any) -> Events:
        pops = tuple(Population(name=name, model="parrot_neuron", size=4) for name in "AB")
        rule = Pairs(sources=(0, 0, 1, 2, 3, 3), targets=(0, 0, 0, 1, 2, 3))
        joined = Projection(pre="A", post="B", rule=rule, weight=Constant(-2.5), delay_ms=1.7)
        with running(Network(name="n", populations=pops, projections=(joined,)), make) as loop:
            recorder = loop.attach("spike_recorder", "B")
            for index in range(4):
                times = [1.0 + index, 5.0, 9.0]
                loop.attach("spike_times", "A", indices=(index,), times=times, delay_ms=1.7, weight=0.1)
            return events(loop.run(1), recorder)

    theirs, mine = map(spikes, BOTH)
    assert len(theirs) == 18 and mine == theirs


@pytest.mark.parametrize("delay_ms", [0.1, 0.04, 0.35, 1.15, 1.25, 1.49, 2.25, 100.0, 7000.0])
def test_delays_come_to_the_same_step(delay_ms: float) -> None:
    def arrivals(make: Any) -> Events:
        pops = tuple(Population(name=name, model="parrot_neuron", size=1) for name in "AB")
        joined = Projection(pre="A", post="B", rule=OneToOne(), weight=Constant(1.0), delay_ms=delay_ms)
        with running(Network(name="n", populations=pops, projections=(joined,)), make) as loop:
            recorder = loop.attach("spike_recorder", "B")
            loop.attach("spike_times", "A", times=[5.0], delay_ms=1.0, exact_delay=True)
            return events(loop.run(8, step=1000 * MS), recorder)

    theirs, mine = map(arrivals, BOTH)
    assert len(theirs) == 1 and mine == theirs


@pytest.mark.parametrize("t_ref", [0.0004, 0.04, 0.16, 0.25, 0.35, 1.99, 2.00001, 2.0004, 2.0005, 2.0006])
def test_refractory_times_off_the_grid_come_to_the_same_step(t_ref: float) -> None:
    def spikes(make: Any) -> Events:
        with running(one("iaf_psc_alpha", 1, t_ref=t_ref, I_e=3000.0), make, options=DOUBLE) as loop:
            recorder = loop.attach("spike_recorder", "N")
            return events(loop.run(5), recorder)

    theirs, mine = map(spikes, BOTH)
    assert len(theirs) > 10 and mine == theirs


@pytest.mark.parametrize("resolution", [50_000, 200_000, 1_000_000])
def test_other_resolutions_fire_the_same_spikes(resolution: int) -> None:
    def spikes(make: Any) -> Events:
        network = one("iaf_psc_alpha", 10, t_ref=2.0)
        with running(network, make, options=DOUBLE, resolution=resolution) as loop:
            recorder = loop.attach("spike_recorder", "N")
            rng = np.random.default_rng(3)
            for index in range(10):
                times = np.unique(np.round(rng.uniform(1.0, 190.0, 60))).tolist()
                loop.attach("spike_times", "N", indices=(index,), times=times, weight=500.0, delay_ms=2.0)
            return events(loop.run(10), recorder)

    theirs, mine = map(spikes, BOTH)
    assert len(theirs) > 50 and mine == theirs


@pytest.mark.parametrize("start_ms", [0.0, 0.1, 7.3])
def test_drives_begin_at_the_same_step(start_ms: float) -> None:
    """At 1 MHz every step has spikes."""

    def first(make: Any) -> tuple[int, int]:
        drive = Drive(rate_hz=1e6, weight=1.0, delay_ms=1.2, start_ms=start_ms)
        population = Population(name="N", model="parrot_neuron", size=3, drive=drive)
        with running(Network(name="n", populations=(population,)), make) as loop:
            recorder = loop.attach("spike_recorder", "N")
            return min(events(loop.run(1), recorder))

    theirs, mine = map(first, BOTH)
    assert mine == theirs


@pytest.mark.parametrize("make", BOTH)
def test_starts_and_draws_off_the_grid_are_refused(make: Any) -> None:
    drive = Drive(rate_hz=1.0, weight=1.0, delay_ms=1.0, start_ms=0.15)
    population = Population(name="N", model="iaf_psc_exp", size=1, drive=drive)
    message = r"drive of population N: .*start.* must be a multiple of the .*resolution"
    with pytest.raises(AnimatError, match=message), running(Network(name="n", populations=(population,)), make):
        pass
    with running(one("iaf_psc_exp"), make) as loop, pytest.raises(AnimatError, match=r"dt .* must be a multiple"):
        loop.attach("nc_source", "N", dt=0.25)


def test_sources_begin_and_end_at_the_same_step() -> None:
    """Set on the way, and detached: the first and the last spike of a source that fires in every step."""

    def ends(make: Any) -> list[tuple[int, int]]:
        found = []
        with running(one("parrot_neuron", 3), make) as loop:
            recorder = loop.attach("spike_recorder", "N")
            for kind, rate in (("poisson", 1e6), ("fixed_frequency", 1e4)):
                source = loop.attach(kind, "N", weight=1.0, delay_ms=1.7)
                loop.run(2)
                replies = loop.run(2, (source, "rate", rate))
                loop.engine.detach([source])
                times = [tick - loop.now for tick, _ in events(replies + loop.run(2), recorder)]
                found.append((min(times), max(times)))
        return found

    theirs, mine = map(ends, BOTH)
    assert mine == theirs


@pytest.mark.parametrize("model", CURRENTS[:2])
def test_most_of_many_neurons_at_rest(model: str) -> None:
    """Few of 9000 get input, with long breaks, and reach others far away; the rest is not touched."""
    rng = np.random.default_rng(4)
    size, chosen = 9000, [0, 3, 1023, 1024, 2000, 4095, 4096, 8191, 8192, 8999]
    targets = rng.choice(size, 400)
    rule = Pairs(sources=tuple(rng.choice(chosen, 400).tolist()), targets=tuple(targets.tolist()))
    joined = Projection(pre="N", post="N", rule=rule, weight=Constant(6 * INPUT[model]), delay_ms=1.5)
    network = Network(name="n", populations=(Population(name="N", model=model, size=size),), projections=(joined,))

    def found(make: Any) -> tuple[Events, NDArray[np.float64]]:
        with running(network, make, options=DOUBLE) as loop:
            recorder = loop.attach("spike_recorder", "N")
            for times in ([5.0, 6.0, 7.0, 8.0], [700.0, 701.0, 702.3, 703.1]):
                loop.attach("spike_times", "N", indices=chosen, times=times, weight=3 * INPUT[model], delay_ms=1.5)
            return events(loop.run(36), recorder), loop.get("N")

    (theirs, potentials), (mine, own) = map(found, BOTH)
    assert len(theirs) > 100 and mine == theirs
    assert np.abs(potentials - own).max() < 1e-9
