"""Sinks computed from spikes, against neurons of NEST that never fire."""

from __future__ import annotations

import numpy as np
import pytest
from nest_brain import MS, nest

from animat.brain.devices import KINDS, parameter_value
from animat.brain.protocol import Device, Selection
from animat.brain.readout import Readouts, unit_area_weight
from animat.brain.selected import Selected


def read(
    device: Device, spikes_ms: np.ndarray, resolution: float, delay: float, steps: int, step_ms: float
) -> list[float]:
    readouts = Readouts()
    readouts.add(0, device, Selected(np.array([5]), "x"), round(delay * MS), round(resolution * MS), 0)
    values = []
    for place in range(steps):
        mine = spikes_ms[(spikes_ms > place * step_ms + 1e-9) & (spikes_ms <= (place + 1) * step_ms + 1e-9)]
        ticks = np.rint(mine * MS).astype(np.int64)
        values += readouts.advance(np.full(len(ticks), 5), ticks, round((place + 1) * step_ms * MS))
    return values  # type: ignore[return-value]


@pytest.mark.parametrize("resolution", [0.1, 0.5])
@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("leaky_integrator_alpha", {}),
        ("leaky_integrator_alpha", {"tau_m": 2.0, "tau_syn": 2.0}),
        ("leaky_integrator_alpha", {"tau_m": 2.0, "tau_syn": 10.0, "C_m": 250.0}),
        ("leaky_integrator_exp", {}),
        ("leaky_integrator_exp", {"tau_m": 5.0, "tau_syn": 5.0}),
    ],
)
def test_a_leaky_integrator_is_nests_neuron(kind: str, params: dict[str, float], resolution: float) -> None:
    device = Device(name="d", kind=kind, neurons=(Selection("x"),), params=params)
    rng = np.random.default_rng(4)
    grid = np.sort(rng.choice(np.arange(2, int(200 / resolution)), 60, replace=False)) * resolution
    nest.ResetKernel()
    nest.SetKernelStatus({"resolution": resolution})
    tau_m, tau_s, c_m = (parameter_value(device, name) for name in ("tau_m", "tau_syn", "C_m"))
    neuron = nest.Create(
        "iaf_psc_alpha" if kind.endswith("alpha") else "iaf_psc_exp",
        params={"V_th": float("inf"), "E_L": 0.0, "V_m": 0.0, "V_reset": 0.0, "C_m": c_m, "tau_m": tau_m}
        | {"tau_syn_ex": tau_s, "tau_syn_in": tau_s},
    )
    generator = nest.Create("spike_generator", params={"spike_times": grid})
    nest.Connect(generator, neuron, syn_spec={"weight": KINDS[kind].weight, "delay": 1.5})
    expected = []
    for _ in range(11):
        nest.Simulate(20.0)
        expected.append(neuron.V_m)
    found = read(device, grid, resolution, 1.5, 11, 20.0)
    assert max(expected) > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("resolution", [0.1, 0.5])
@pytest.mark.parametrize(("rise", "fall"), [(10.0, 20.0), (20.0, 10.0), (7.0, 7.0)])
def test_a_population_rate_has_the_right_scale_at_any_resolution(resolution: float, rise: float, fall: float) -> None:
    params = {"tau_rise": rise, "tau_fall": fall}
    device = Device(name="d", kind="population_rate", neurons=(Selection("x"),), params=params)
    period = 2.0
    regular = np.arange(1, 1500) * period
    values = read(device, regular, resolution, resolution, 300, 7.5 if resolution == 0.5 else 7.7)
    assert np.mean(values[100:]) == pytest.approx(1000.0 / period, rel=2e-3)


def test_unit_area() -> None:
    for resolution in (0.1, 0.5, 1.0):
        grid = np.arange(1, 20_000) * resolution
        for rise, fall in ((10.0, 20.0), (5.0, 5.0)):
            weight = unit_area_weight(rise, fall, 1000.0, resolution)
            if rise == fall:
                psp = weight / 1000.0 * grid * np.exp(-grid / fall)
            else:
                psp = weight / 1000.0 * rise * fall / (fall - rise) * (np.exp(-grid / fall) - np.exp(-grid / rise))
            assert psp.sum() * resolution == pytest.approx(1.0, rel=1e-6)


def test_spikes_under_way_arrive_in_the_next_step_and_detached_sinks_read_nothing() -> None:
    readouts = Readouts()
    device = Device(name="d", kind="leaky_integrator_alpha", neurons=(Selection("x"),))
    neurons = Selected(np.array([1, 2]), "x")
    readouts.add(0, device, neurons, 30 * MS, MS // 10, 0)
    readouts.add(1, device, neurons, MS, MS // 10, 0)
    late, early = readouts.advance(np.array([1]), np.array([5 * MS]), 20 * MS)
    assert late == 0.0 and early > 0.0
    readouts.remove(1)
    (late,) = readouts.advance(np.zeros(0, np.int64), np.zeros(0, np.int64), 40 * MS)
    assert late > 0.0


def test_selected_keeps_the_users_order() -> None:
    selected = Selected(np.array([9, 3, 7]), "x")
    index, places = selected.find(np.array([1, 3, 3, 5, 7, 9, 12]))
    assert index.tolist() == [1, 1, 2, 0] and places.tolist() == [1, 2, 4, 5]
    whole = Selected(np.array([4, 3, 5]), "x")
    index, places = whole.find(np.array([1, 3, 3, 5, 7]))
    assert index.tolist() == [1, 1, 2] and places == slice(1, 4)
