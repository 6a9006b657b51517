import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from animat.body.protocol import BodyInfo, Port
from animat.errors import AnimatError
from animat.experiment.events import read_event
from animat.experiment.schema import EventPart

CONTROLS = (
    Port(name="actuator/motor", unit="N m", offset=0),
    Port(name="wrench/rod", unit="N, N m", shape=(6,), offset=1),
    Port(name="clamp/M", unit="", offset=7),
    Port(name="reward/drop", unit="", offset=8),
)
BODIES = {"body": BodyInfo(engine="none", version="0", timestep=1, controls=CONTROLS, sensors=())}
BRAINS = {"brain": {"A": 20, "B": 10}, "script": None}


def read(**action):
    return read_event(
        EventPart(at="0 ms", **action),
        BRAINS,
        BODIES,
        ["gain"],
        {"brain": ["A->B"], "script": None},
        units={"gain": {"", "Hz"}},
        variables={"f.n": 0},
    )


def test_values_of_controls_become_numbers_in_the_ports_unit():
    assert read(set={"control": "actuator/motor", "value": "3 mN m"})[3] == 3e-3
    assert read(set={"control": "wrench/rod", "value": ["1 kN", 0, 0, 0, 0, "2 mN m"]})[3] == [1000, 0, 0, 0, 0, 2e-3]
    assert read(set={"control": "wrench/rod", "value": 0})[2:4] == ("control:body/wrench/rod", 0.0)


def test_percentages_of_a_population_become_numbers_where_its_size_is_known():
    assert read(silence="brain/A[25%:50%]")[2] == "brain/A[5:10]"
    assert read(set={"neurons": "brain/B[50%:]", "I_e": 7})[2:4] == ("neurons:brain/B[5:]", {"I_e": 7.0})
    assert read(silence="script/C[12.5%:]")[2] == "script/C[12.5%:]"
    with pytest.raises(AnimatError, match=r"B\[1%:2%\] selects no neuron: B has 10 neurons"):
        read(silence="brain/B[1%:2%]")


_words = st.text(max_size=6) | st.sampled_from(
    [
        "A",
        "brain/A[0:3]",
        "B[99]",
        "brain/B[5%:50%]",
        "script/C",
        "A->B",
        "actuator/motor",
        "wrench/rod",
        "M",
        "drop",
        "rod",
        "gain",
        "f.n",
    ]
)
_numbers = st.integers() | st.floats() | st.sampled_from(["1 N", "2 N m", "-70 mV", "5 kg", "1e400 N", "0.5"])
_values = st.none() | st.booleans() | _numbers | _words | st.lists(_numbers | _words, max_size=6)
_keys = st.text(max_size=4) | st.sampled_from(
    ["neurons", "parameter", "variable", "control", "value", "muscle", "activation", "link", "force", "torque", "I_e"]
)
_maps = st.dictionaries(_keys, _values, max_size=3)


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.tuples(st.sampled_from(["set", "clamp", "wrench"]), _maps),
        st.tuples(st.sampled_from(["silence", "cut", "reward", "message", "stop"]), _words),
    )
)
@example(("set", {"neurons": 3, "I_e": 1}))
@example(("set", {"control": "wrench/rod", "value": [[1], 2]}))
@example(("set", {"parameter": "gain", "value": 10**400}))
@example(("set", {"control": "actuator/motor", "value": 10**400}))
def test_any_event_is_resolved_or_refused_without_a_traceback(event):
    action, value = event
    try:
        read(**{action: value})
    except AnimatError as error:
        assert str(error)
