"""Tables of drives, currents and gains: what they change, and what they refuse."""

from __future__ import annotations

import math

import pytest

from animat.brain.adjustments import Adjustment, adjusted, read_adjustments
from animat.brain.distributions import Constant, LogNormal, Normal, Uniform, Values, mean, mean_square, scaled
from animat.brain.network import Drive, FixedIndegree, Network, Population, Projection
from animat.errors import AnimatError

ALL = FixedIndegree(indegree=2)
NETWORK = Network(
    name="two",
    populations=(
        Population(name="A", model="iaf_psc_exp", size=10, drive=Drive(rate_hz=800, weight=3, delay_ms=2, start_ms=5)),
        Population(name="B", model="iaf_psc_exp", size=10, params={"C_m": 250.0}),
    ),
    projections=(
        Projection(pre="A", post="B", rule=ALL, weight=Normal(2, 1), delay_ms=1.0, receptor=1),
        Projection(pre="A", post="B", rule=ALL, weight=Constant(4), delay_ms=1.0, receptor=2),
        Projection(pre="B", post="A", rule=ALL, weight=Constant(-1), delay_ms=1.0),
    ),
)


def one(knob, name, value, weight=None):
    return Adjustment(knob=knob, name=name, value=value, weight=weight)


@pytest.mark.parametrize(
    "weight", [Constant(-2), Uniform(1, 4), Normal(-3, 2), LogNormal(0.5, 0.3), Values((1.0, -2.0, 4.0))]
)
def test_a_scaled_distribution_has_scaled_moments(weight):
    assert mean(scaled(weight, 3.0)) == pytest.approx(3 * mean(weight))
    assert mean_square(scaled(weight, 3.0)) == pytest.approx(9 * mean_square(weight))
    assert mean_square(weight) >= mean(weight) ** 2


def test_every_knob_changes_its_own_thing_only():
    found = adjusted(
        NETWORK,
        [one("drive", "A", 500), one("drive", "B", 90, 7), one("current", "B", -20), one("gain", "A->B", 2)],
    )
    a, b = found.populations
    assert a.drive == Drive(rate_hz=500, weight=3, delay_ms=2, start_ms=5)
    assert b.drive is not None and (b.drive.rate_hz, b.drive.weight) == (90, 7)
    assert b.params == {"C_m": 250.0, "I_e": -20}
    assert [projection.weight for projection in found.projections] == [Normal(4, 2), Constant(8), Constant(-1)]
    assert adjusted(NETWORK, []) == NETWORK


def test_gains_multiply_and_the_last_drive_counts():
    changes = [one("gain", "B->A", 2), one("gain", "B->A", 3), one("drive", "A", 1), one("drive", "A", 0)]
    found = adjusted(NETWORK, changes)
    assert found.projections[2].weight == Constant(-6)
    assert found.populations[0].drive is not None and found.populations[0].drive.rate_hz == 0


def test_names_that_are_not_built_are_left_out_only_when_asked_to():
    changes = [one("gain", "C->A", 2), one("drive", "C", 2, 1), one("drive", "A", 7)]
    found = adjusted(NETWORK, changes, partly=True)
    assert found.populations[0].drive is not None and found.populations[0].drive.rate_hz == 7
    with pytest.raises(AnimatError, match=r"unknown projection 'C->A'.*Known: A->B, B->A"):
        adjusted(NETWORK, changes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (one("drive", "C", 1), "unknown population 'C'.*Known: A, B"),
        (one("weight", "A", 1), "unknown knob 'weight'.*current, drive, gain"),
        (one("drive", "A", -1), "drive of A: -1 makes no sense"),
        (one("current", "A", math.nan), "current of A: nan makes no sense"),
        (one("gain", "A->B", 0), "cut it with an event"),
        (one("drive", "B", 1), "B has no background drive; write `drive of WEIGHT`"),
    ],
)
def test_what_makes_no_sense_is_refused(change, said):
    with pytest.raises(AnimatError, match=said):
        adjusted(NETWORK, [change])


def test_a_table_is_read_with_whatever_stands_beside(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("\ufeffknob,name,old,new,why\ndrive of 2.5, B ,0,90,x\ngain,A->B,1,0.5\n", encoding="utf-8")
    assert read_adjustments(file) == [one("drive", "B", 90, 2.5), one("gain", "A->B", 0.5)]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("knob,name\n", 1, "needs the column 'new'"),
        ("knob,name,new\ndrive,A,1\ndrive,A,much\n", 3, "drive of A: 'much' must be a number"),
        ("knob,name,new\ndrive of many,A,1\n", 2, "must be a number"),
        ("knob,name,new\ngain of 2,A->B,1\n", 2, "unknown knob 'gain of 2'.*drive of WEIGHT"),
        ("name,new,knob\nA,1\n", 2, "unknown knob ''"),
        ("knob,name,new\ndrive,A\n", 2, "'' must be a number"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_line(tmp_path, text, line, said):
    file = tmp_path / "a.csv"
    file.write_text(text)
    with pytest.raises(AnimatError, match=said) as caught:
        read_adjustments(file)
    assert (caught.value.file, caught.value.line) == (str(file), line)


def test_a_missing_table_is_said(tmp_path):
    with pytest.raises(AnimatError, match=r"there is no table of adjustments .*none.csv"):
        read_adjustments(tmp_path / "none.csv")
