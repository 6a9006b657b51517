"""How long a call may take."""

from __future__ import annotations

import time

import pytest

from animat.link.patience import Patience


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_call_has_twenty_times_what_the_slowest_of_its_kind_took(clock: list[float]) -> None:
    patience = Patience(60.0)
    patience.begin("step", None, None)
    assert patience.left_s == 60.0
    clock[0] += 5.0
    patience.end()
    patience.begin("step", None, None)
    assert patience.left_s == 100.0
    patience.begin("other", None, None)
    assert patience.left_s == 60.0


def test_a_call_with_a_limit_of_its_own_does_not_count_for_others(clock: list[float]) -> None:
    patience = Patience(60.0)
    patience.begin("step", 1000.0, None)
    clock[0] += 500.0
    patience.end()
    patience.begin("step", None, None)
    assert patience.left_s == 60.0


def test_silence_counts_from_the_last_sign_of_life(clock: list[float]) -> None:
    patience = Patience(60.0)
    patience.begin("load", float("inf"), 10.0)
    clock[0] += 9.0
    patience.heard()
    assert patience.left_s == 10.0
    clock[0] += 10.0
    assert patience.left_s == 0.0
    assert str(patience) == "did not answer 'load' within 19 s, was silent for 10 s"


def test_a_worker_that_does_not_start_is_not_waited_for_for_ever(clock: list[float]) -> None:
    patience = Patience(20.0)
    clock[0] += 300.0
    assert patience.left_s == 0.0
    assert str(patience) == "did not start within 300 s"
    assert Patience(60.0).left_s == 600.0
