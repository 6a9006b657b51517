"""The table of devices and its checks, without a simulator."""

from __future__ import annotations

import pytest

from animat.brain.devices import KINDS, check_device, check_value, initial_values
from animat.brain.protocol import Device, Selection
from animat.errors import AnimatError

HERE = (Selection("E"),)


def device(kind: str, **changes: object) -> Device:
    return Device(**{"name": "d", "kind": kind, "neurons": HERE, **changes})  # type: ignore[arg-type]


def test_all_kinds_of_the_platform_are_there() -> None:
    sources = {name for name, kind in KINDS.items() if kind.direction == "source"}
    assert sources == {"poisson", "fixed_frequency", "dc_source", "ac_source", "nc_source", "spike_times"}
    assert set(KINDS) - sources == {
        "leaky_integrator_alpha",
        "leaky_integrator_exp",
        "population_rate",
        "spike_recorder",
    }
    for kind in KINDS.values():
        assert kind.doc and (kind.reads != "") == (kind.direction == "sink")


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_pass_their_own_check(kind: str) -> None:
    known = check_device(device(kind))
    if known.direction == "source":
        values = initial_values(device(kind))
        assert set(values) == set(known.settable)
        check_device(device(kind, params=values))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (device("poison"), "unknown device 'poison'. Did you mean 'poisson'"),
        (device("poisson", params={"rat": 1.0}), "unknown parameter of poisson 'rat'. Did you mean 'rate'"),
        (device("poisson", params={"rate": -1.0}), "poisson.rate must be a finite number at least 0"),
        (device("poisson", params={"rate": float("nan")}), "finite"),
        (device("poisson", params={"rate": "fast"}), "must be a number in Hz"),
        (device("poisson", params={"rate": [1.0, 2.0]}), "each=True"),
        (device("spike_times", params={"times": 3.0}), "takes a list"),
        (device("spike_times", each=True), "attach one to every neuron"),
        (device("population_rate", params={"reduce": "median"}), "Known: mean, sum"),
        (device("leaky_integrator_exp", params={"tau_m": 0.0}), "above 0"),
        (device("leaky_integrator_exp", receptor=1), "takes no receptor"),
        (device("poisson", delay_ms=0.0), "longer than 0 ms"),
        (device("poisson", weight=float("inf")), "must be finite"),
        (device("spike_recorder", weight=1.0), "takes no weight"),
        (device("poisson", neurons=()), "needs neurons"),
    ],
)
def test_mistakes_are_explained(wrong: Device, message: str) -> None:
    with pytest.raises(AnimatError) as caught:
        check_device(wrong)
    assert message in str(caught.value)


def test_lists_have_one_value_per_element() -> None:
    rate = KINDS["poisson"].settable["rate"]
    check_value("rate", rate, [1.0, 2.0], each=True, elements=2)
    with pytest.raises(AnimatError, match="one number or 2, got 3"):
        check_value("rate", rate, [1.0, 2.0, 3.0], each=True, elements=2)
