"""How far a knob is turned."""

from __future__ import annotations

import math

import pytest

from animat.tuning.dial import Dial, error_of, turned


def test_an_error_is_the_logarithm_of_the_ratio_and_finite_in_silence():
    assert error_of(5, 10, 0) == pytest.approx(math.log(2))
    assert error_of(10, 10, 0.1) == 0
    assert error_of(0, 10, 0.1) == pytest.approx(math.log(101))


def test_an_error_that_may_be_chance_turns_nothing():
    dial = Dial(1.0, 0.2, 1)
    assert turned(dial, 0.1, 0.1) is dial
    assert turned(dial, -0.1, 0.1) is dial


def test_steps_grow_on_the_way_and_shrink_when_it_turns():
    first = turned(Dial(step=0.1), 2.0, 0)
    assert first == Dial(0.1, 0.1, 1)
    second = turned(first, 2.0, 0)
    assert second == Dial(pytest.approx(0.23), pytest.approx(0.13), 1)
    assert turned(second, -2.0, 0) == Dial(pytest.approx(0.165), pytest.approx(0.065), -1)


def test_small_errors_turn_it_in_proportion():
    assert turned(Dial(step=0.1), 0.25, 0).place == pytest.approx(0.05)
    assert turned(Dial(step=0.1), -0.05, 0).place == pytest.approx(-0.01)


@pytest.mark.parametrize("error", [3.0, -3.0])
def test_a_knob_in_vain_stops_somewhere(error):
    dial = Dial()
    for _ in range(100):
        dial = turned(dial, error, 0)
    assert dial.place == math.copysign(8.0, error) and dial.step <= 0.7


@pytest.mark.parametrize("steepness", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("begin", [-3.0, 2.0])
def test_it_finds_the_target_however_steep_the_response_is(steepness, begin):
    """A power law, which the procedure does not know; within 2 % after 30 looks."""
    dial = Dial(begin)
    for _ in range(30):
        dial = turned(dial, -steepness * dial.place, 0)
    assert abs(steepness * dial.place) < 0.02
