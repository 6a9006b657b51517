"""Every settable property of every device in NEST, changed while the brain runs."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from nest_brain import MS, Loop, counts, parrots, running, spikes

from animat.brain.conformance import example_network
from animat.brain.devices import KINDS
from animat.brain.protocol import Selection
from animat.errors import AnimatError

SIZE = 50


def test_poisson_rate() -> None:
    """Counts within 4.5 standard deviations, an independent train for every neuron."""
    with running(parrots(SIZE)) as loop:
        recorder = loop.attach("spike_recorder", "P")
        source = loop.attach("poisson", "P", weight=1.0)
        assert counts(loop.run(5))[0] == 0
        for rate in (100.0, 400.0, 0.0, 50.0):
            loop.run(1, (source, "rate", rate))
            replies = loop.run(25)
            expected = rate * 0.5 * SIZE
            assert abs(counts(replies)[0] - expected) <= 4.5 * np.sqrt(expected)
        index, ticks = spikes(loop.run(25), recorder)
        together = sum(1 for tick in set(ticks) if ticks.count(tick) > 10)
        assert len(set(index)) > 0.9 * SIZE and together == 0


@pytest.mark.parametrize("resolution", [100_000, 500_000])
def test_fixed_frequency_has_the_asked_rate(resolution: int) -> None:
    """Also above 500 Hz, at rates that do not divide the grid, and never at 0."""
    with running(parrots(4), resolution=resolution) as loop:
        recorder = loop.attach("spike_recorder", "P", indices=(0,))
        source = loop.attach("fixed_frequency", "P", weight=1.0)
        assert counts(loop.run(5))[0] == 0
        for rate in (10.0, 1000 / 2.5, 123.4, 700.0, 1999.0, 1e9 / resolution, 0.0, 33.0):
            loop.run(1, (source, "rate", rate))
            replies = loop.run(100)
            assert abs(counts(replies)[0] - 4 * 2 * rate) <= 4 * 1.01, rate
            _, ticks = spikes(replies, recorder)
            gaps = np.diff(ticks)
            if rate:
                assert np.all(np.abs(gaps - 1e9 / rate) < resolution + 1), rate


def test_fixed_frequency_keeps_its_phase() -> None:
    """First spike after one period; a fifth of a period at 10 Hz and four fifths at 20 Hz make one."""
    with running(parrots(2)) as loop:
        recorder = loop.attach("spike_recorder", "P", indices=(0,))
        source = loop.attach("fixed_frequency", "P", weight=1.0, rate=10.0, delay_ms=1.0)
        replies = loop.run(16)
        assert spikes(replies, recorder)[1] == [101 * MS, 201 * MS, 301 * MS]
        assert loop.now == 320 * MS
        replies = loop.run(10, (source, "rate", 20.0))
        assert spikes(replies, recorder)[1][:2] == [(320 + 40 + 1) * MS, (320 + 90 + 1) * MS]


def test_fixed_frequency_above_one_spike_per_step_is_refused() -> None:
    with running(parrots(2)) as loop:
        source = loop.attach("fixed_frequency", "P")
        with pytest.raises(AnimatError, match="at most one spike per time step"):
            loop.run(1, (source, "rate", 10_001.0))


def test_spike_times() -> None:
    with running(parrots(3)) as loop:
        recorder = loop.attach("spike_recorder", "P")
        source = loop.attach("spike_times", "P", weight=1.0, delay_ms=1.0, times=[5.0, 30.0, 45.0])
        replies = loop.run(1)
        replies += loop.run(1, (source, "times", [10.0, 25.0, 33.3, 50.0]))
        replies += loop.run(2)
        _, ticks = spikes(replies, recorder)
        assert sorted(set(ticks)) == [6 * MS, 26 * MS, 34_300_000, 51 * MS]
        assert counts(loop.run(1, (source, "times", [])))[0] == 0
        assert counts(loop.run(1, (source, "times", [1.0, loop.now / MS + 5.0])))[0] == 3


def potential(loop: Loop, steps: int = 1) -> np.ndarray:
    values = []
    for _ in range(steps):
        loop.run(1)
        values.append(loop.engine.get(Selection("N"), ["V_m"])["V_m"])
    return np.array(values)


#: iaf_psc_alpha in NEST: 10 ms and 250 pF, resting at -70 mV; so 1 pA holds it 0.04 mV higher.
MV_PER_PA = 0.04


def test_dc_amplitude() -> None:
    with running(parrots(3)) as loop:
        source = loop.attach("dc_source", "N")
        for current in (100.0, -50.0, 0.0):
            loop.run(15, (source, "amplitude", current))
            assert potential(loop)[0] == pytest.approx(-70.0 + MV_PER_PA * current, abs=1e-6)
        assert counts(loop.run(5, (source, "amplitude", 1000.0)))[1] > 0


def test_ac_source_is_its_formula() -> None:
    """The steady state of a membrane under offset + amplitude sin(2 pi f t + phase), sampled every 5 ms."""
    with running(parrots(3), step=5 * MS) as loop:
        source = loop.attach("ac_source", "N", delay_ms=0.1)
        settings = {"amplitude": 0.0, "offset": 0.0, "frequency": 10.0, "phase": 0.0}
        for name, value in (
            ("amplitude", 100.0),
            ("offset", 60.0),
            ("frequency", 25.0),
            ("phase", 90.0),
            ("amplitude", 30.0),
        ):
            settings[name] = value
            loop.run(30, (source, name, value))
            omega = 2 * np.pi * settings["frequency"] / 1000
            measured = []
            expected = []
            for _ in range(8):
                measured.append(potential(loop)[0, 0])
                t = loop.now / MS - 0.1
                shifted = np.arctan(omega * 10.0)
                wave = np.sin(omega * t + np.deg2rad(settings["phase"]) - shifted) / np.sqrt(1 + (omega * 10.0) ** 2)
                expected.append(-70.0 + MV_PER_PA * (settings["offset"] + settings["amplitude"] * wave))
            assert measured == pytest.approx(expected, abs=0.06), name


def test_nc_mean_and_std() -> None:
    """Mean within 4 standard errors; independent for every neuron; the size follows std."""
    with running(parrots(200)) as loop:
        source = loop.attach("nc_source", "N", std=0.0, mean=0.0)
        loop.run(15, (source, "mean", 150.0))
        assert potential(loop)[0] == pytest.approx(-70.0 + MV_PER_PA * 150.0, abs=1e-5)
        spread = []
        for std in (100.0, 200.0):
            loop.run(10, (source, "std", std))
            values = potential(loop, 10)
            spread.append(values.std())
            error = values.std() / np.sqrt(values.size / 2)
            assert abs(values.mean() - (-70.0 + MV_PER_PA * 150.0)) < 4 * error
        assert spread[1] / spread[0] == pytest.approx(2.0, rel=0.15)
        # A draw held for 1 ms through a membrane of 10 ms: variance tanh(dt / 2 tau) of what a constant would give.
        assert spread[0] == pytest.approx(100.0 * MV_PER_PA * np.sqrt(np.tanh(1 / 20)), rel=0.15)


def test_weight_delay_and_detached_sources() -> None:
    with running(parrots(3)) as loop:
        recorder = loop.attach("spike_recorder", "P")
        source = loop.attach("spike_times", "P", weight=3.0, delay_ms=7.0, times=[5.0, 25.0])
        replies = loop.run(1)
        assert spikes(replies, recorder)[1] == [12 * MS] * 3
        loop.engine.detach([source])
        assert counts(loop.run(3))[0] == 0
        with pytest.raises(AnimatError, match="there is no device"):
            loop.run(1, (source, "times", []))


def test_weight_scales_what_arrives() -> None:
    peaks = []
    for weight in (50.0, 100.0, -50.0):
        with running(parrots(2), step=MS) as loop:
            loop.attach("spike_times", "N", weight=weight, times=[5.0])
            moved = potential(loop, 30)[:, 0] + 70.0
            peaks.append(moved[np.abs(moved).argmax()])
    assert peaks[1] == pytest.approx(2 * peaks[0], rel=1e-9) and peaks[2] == pytest.approx(-peaks[0], rel=1e-9)


def test_each_is_in_the_users_order() -> None:
    with running(parrots(6)) as loop:
        source = loop.attach("fixed_frequency", "P", each=True, indices=(4, 0, 2), weight=1.0)
        loop.attach("population_rate", "P", each=True, indices=(2, 4, 0))
        recorder = loop.attach("spike_recorder", "P", indices=(0, 2, 4))
        loop.run(10, (source, "rate", [43.7, 0.0, 317.3]))
        replies = loop.run(40)
        index, _ = spikes(replies, recorder)
        assert [index.count(place) for place in range(3)] == pytest.approx([0, 253.84, 34.96], abs=1.01)
        mean = np.mean([reply.values[0] for reply in replies], axis=0)
        assert mean == pytest.approx([317.3, 43.7, 0.0], rel=0.03)


@pytest.mark.parametrize("resolution", [100_000, 500_000])
def test_population_rate_is_the_sum_in_hz(resolution: int) -> None:
    with running(parrots(20), resolution=resolution) as loop:
        loop.attach("population_rate", "P")
        loop.attach("population_rate", "P", reduce="mean")
        source = loop.attach("fixed_frequency", "P", weight=1.0)
        loop.run(10, (source, "rate", 43.7))
        total = np.mean([reply.values for reply in loop.run(50)], axis=0)
        assert total == pytest.approx([20 * 43.7, 43.7], rel=0.02)


def test_sinks_read_what_they_should() -> None:
    """A steady train of rate r through weight w gives w r tau_syn tau_m / C (exp) or e times it (alpha), in mV."""
    with running(parrots(10)) as loop:
        loop.attach("leaky_integrator_alpha", "P")
        loop.attach("leaky_integrator_exp", "P", weight=-5.0)
        recorder = loop.attach("spike_recorder", "P")
        source = loop.attach("poisson", "P", weight=1.0)
        replies = loop.run(2)
        assert replies[0].values == [0.0, 0.0] and recorder in replies[0].spikes
        for rate in (200.0, 500.0):
            loop.run(10, (source, "rate", rate))
            mean = np.mean([reply.values for reply in loop.run(100)], axis=0)
            per_ms = rate * 10 / 1000
            assert mean == pytest.approx([np.e * 10 * per_ms * 2 * 10 / 1000, -5 * per_ms * 0.5 * 20 / 1000], rel=0.06)


def test_delays_below_the_networks_are_raised_unless_exact() -> None:
    with running(example_network()) as loop:
        loop.attach("poisson", "I", delay_ms=0.1)
        assert loop.engine.get is not None and loop.engine._nest.min_delay == 1.5
        loop.attach("dc_source", "I", delay_ms=12.0)
        loop.run(1)
        assert (loop.engine._nest.min_delay, loop.engine._nest.max_delay) == (1.5, 12.0)
        loop.attach("leaky_integrator_alpha", "I", delay_ms=50.0)
        with pytest.raises(AnimatError, match="to 12 ms; a delay of 13 ms is possible"):
            loop.attach("dc_source", "I", delay_ms=13.0)
        loop.run(1)
    with running(example_network()) as loop:
        loop.attach("poisson", "I", delay_ms=0.5, exact_delay=True)
        loop.run(1)
        assert loop.engine._nest.min_delay == 0.5


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("when", [0, 3])
def test_adding_sinks_leaves_all_spikes(threads: int, when: int) -> None:
    def hashed(sinks: bool) -> str:
        digest = hashlib.sha256()
        with running(example_network(), threads=threads) as loop:
            recorders = [loop.attach("spike_recorder", name) for name in "EI"]
            for step in range(8):
                if step == when and sinks:
                    for kind in KINDS:
                        if KINDS[kind].direction == "sink":
                            loop.attach(kind, "E")
                            loop.attach(kind, "I", each=True)
                (reply,) = loop.run(1)
                for recorder in recorders:
                    digest.update(b"".join(reply.spikes[recorder]))
            assert counts([reply])[1] > 0
        return digest.hexdigest()

    assert hashed(False) == hashed(True)


@pytest.mark.parametrize(
    "kind", [kind for kind, known in KINDS.items() if known.direction == "source" and kind != "nc_source"]
)
def test_attaching_a_resting_source_while_running_leaves_all_spikes(kind: str) -> None:
    """A noise source draws random numbers even at rest; the others touch nothing."""
    found = []
    for attached in (False, True):
        with running(example_network()) as loop:
            recorders = [loop.attach("spike_recorder", name) for name in "EI"]
            loop.run(3)
            if attached:
                loop.attach(kind, "I")
            replies = loop.run(3)
            found.append([reply.spikes[recorder] for reply in replies for recorder in recorders])
    assert found[0] == found[1]


def test_a_device_that_nest_refuses_is_explained() -> None:
    with (
        running(parrots(3)) as loop,
        pytest.raises(AnimatError, match=r"(?s)dc_source: .*current input.*\(IllegalConnection\)"),
    ):
        loop.attach("dc_source", "P")
