"""Tables of wanted rates and the knobs that they name."""

from __future__ import annotations

import pytest

from animat.brain.network import Constant, Drive, Network, OneToOne, Population, Projection
from animat.errors import AnimatError
from animat.tuning.targets import Knob, Target, knob_of, read_targets

DRIVE = Drive(rate_hz=100, weight=2, delay_ms=1)
NETWORK = Network(
    name="three",
    populations=(
        Population(name="A", model="iaf_psc_exp", size=10, drive=DRIVE),
        Population(name="B", model="iaf_psc_exp", size=10),
        Population(name="calmed", model="iaf_psc_exp", size=10, drive=Drive(rate_hz=100, weight=-2, delay_ms=1)),
        Population(name="relay", model="parrot_neuron", size=10),
    ),
    projections=(
        Projection(pre="A", post="B", rule=OneToOne(), weight=Constant(2), delay_ms=1.0),
        Projection(pre="calmed", post="B", rule=OneToOne(), weight=Constant(-2), delay_ms=1.0),
        Projection(pre="A", post="relay", rule=OneToOne(), weight=Constant(2), delay_ms=1.0),
    ),
)


def target(population, knob=""):
    return Target(population=population, rate_hz=1, low_hz=1, high_hz=1, knob=knob)


@pytest.mark.parametrize(
    ("population", "text", "knob"),
    [
        ("A", "", Knob(kind="drive")),
        ("B", "", Knob(kind="current")),
        ("A", "current", Knob(kind="current")),
        ("A", "none", Knob(kind="none")),
        ("A", "drive of 3", Knob(kind="drive", weight=3)),
        ("B", "drive of 3", Knob(kind="drive", weight=3)),
        ("B", "drive of -3", Knob(kind="drive", weight=-3, sign=-1)),
        ("calmed", "drive", Knob(kind="drive", sign=-1)),
        ("B", "gain A", Knob(kind="gain", up="A")),
        ("B", "gain A / calmed", Knob(kind="gain", up="A", down="calmed")),
        ("B", "gain calmed", Knob(kind="gain", sign=-1, up="calmed")),
        ("relay", "drive of 1", Knob(kind="drive", weight=1)),
    ],
)
def test_a_knob_is_read_with_its_sign(population, text, knob):
    assert knob_of(target(population, text), NETWORK) == knob


@pytest.mark.parametrize(
    ("population", "text", "said"),
    [
        ("C", "", "unknown population 'C'.*Known: A, B, calmed, relay"),
        ("B", "drive", "B has no background drive; write `drive of WEIGHT`"),
        ("B", "drive of much", "must be a number other than 0, got 'much'"),
        ("B", "drive of 0", "must be a number other than 0, got '0'"),
        ("B", "gain", "cannot read the knob 'gain'; write drive, drive of WEIGHT, current, gain PRE"),
        ("B", "gain C", "unknown source of B 'C'.*Known: A, calmed"),
        ("B", "gain A / A", "cancel"),
        ("relay", "", "is a relay"),
        ("relay", "gain A", "is a relay"),
    ],
)
def test_a_knob_that_does_not_fit_is_refused(population, text, said):
    with pytest.raises(AnimatError, match=said):
        knob_of(target(population, text), NETWORK)


def test_a_table_is_read_with_its_ranges_and_what_else_stands_there(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text(
        "\ufeffpopulation,rate_hz,low_hz,high_hz,source,knob,note\nA,5,0,8,a paper, gain B / C ,x\nB,3,,,,,\n",
        encoding="utf-8",
    )
    assert read_targets(file) == [
        Target(population="A", rate_hz=5, low_hz=0, high_hz=8, source="a paper", knob="gain B / C"),
        Target(population="B", rate_hz=3, low_hz=3, high_hz=3),
    ]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("population,rate\nA,5\n", 1, "needs the column 'rate_hz'"),
        ("name,rate_hz\nA,5\n", 1, "needs the column 'population'"),
        ("population,rate_hz\nA,5\nB,fast\n", 3, "rates of 'B' must be numbers in Hz"),
        ("population,rate_hz\nA\n", 2, "rates of 'A' must be numbers in Hz"),
        ("population,rate_hz\nA,0\n", 2, "above 0 Hz"),
        ("population,rate_hz\nA,nan\n", 2, "must be finite"),
        ("population,rate_hz,low_hz,high_hz\nA,5,6,8\n", 2, r"within its range, got 5 \(6 to 8\)"),
        ("population,rate_hz\nA,5\nA,6\n", 3, "A stands here twice"),
        ("population,rate_hz\n", None, "holds no target"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_line(tmp_path, text, line, said):
    file = tmp_path / "t.csv"
    file.write_text(text)
    with pytest.raises(AnimatError, match=said) as caught:
        read_targets(file)
    assert (caught.value.file, caught.value.line) == (str(file), line)


def test_a_missing_table_is_said(tmp_path):
    with pytest.raises(AnimatError, match="there is no table of target rates"):
        read_targets(tmp_path / "none.csv")
