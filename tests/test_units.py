"""Quantities as text, and what is said of text that is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animat.errors import AnimatError
from animat.units import format_time, quantity, ticks


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("20 ms", "ms", 20.0),
        ("20ms", "ms", 20.0),
        ("5 \u00b5s", "ms", 0.005),
        ("-.5e3 uV", "mV", -0.5),
        ("0.3 N m", "N m", 0.3),
        ("0.3 N*m", "N m", 0.3),
        ("9.81 m/s^2", "m/s^2", 9.81),
        ("9.81 m/s**2", "m/s^2", 9.81),
        ("3 1/s", "Hz", 3.0),
        ("2 N m/rad", "N m/rad", 2.0),
        ("180 degree", "rad", 3.141592653589793),
        ("50 %", "", 0.5),
        ("0.25", "", 0.25),
        (7, "", 7.0),
    ],
)
def test_quantities(text: str | float, unit: str, number: float) -> None:
    assert quantity(text, unit) == pytest.approx(number, rel=1e-15)


@pytest.mark.parametrize(
    ("value", "unit", "message"),
    [
        (8, "ns", "8 has no unit; write a time with one, for example '20 ms' or '1.5 s'"),
        ("8", "Hz", "'8' has no unit; write a rate with one, for example '800 Hz'"),
        ("3 mV", "pA", "'3 mV' is a voltage, not a current; write for example '150 pA'"),
        ("5 N", "N m", "'5 N' is a force, not a torque; write for example '0.01 N m'"),
        ("3 mV", "", "'3 mV' is a voltage, not a plain number; write for example 0.5"),
        ("3 degree", "", "'3 degree' is an angle, not a plain number; write for example 0.5"),
        ("3 kg m", "mV", "'3 kg m' is not a voltage; write for example '-65 mV'"),
        ("5 rpm", "Hz", "'5 rpm' is not a rate; write for example '800 Hz'"),
        ("3 mV", "kg m", "'3 mV' is a voltage, not a quantity in kg m; write for example '1 kg m'"),
        ("5 apples", "mm", "there is no unit 'apples' (in '5 apples'). Write a length, for example '0.5 mm'."),
        ("-65 mv", "mV", "there is no unit 'mv' (in '-65 mv'). Did you mean 'mV'?"),
        (
            "5,5 ms",
            "ms",
            "cannot read '5,5 ms' as a time; write for example '1.5 ms'; decimals have a point, not a comma",
        ),
        ("5.5.5 ms", "ms", "cannot read '5.5.5 ms' as a time; write for example '1.5 ms'"),
        ("ms", "ms", "cannot read 'ms' as a time; write for example '1.5 ms'"),
        ("", "nS", "cannot read '' as a conductance; write for example '10 nS'"),
        ("9**9**9**9 ms", "ms", "cannot read '9**9**9**9 ms' as a time; write for example '1.5 ms'"),
        ("1 m^9^9^9^9", "m", "cannot read '1 m^9^9^9^9' as a length; write for example '5 cm'"),
        ("__import__('os') ms", "ms", "cannot read \"__import__('os') ms\" as a time; write for example '1.5 ms'"),
        (True, "pF", "expected a capacitance such as '250 pF', got True"),
        (float("nan"), "ms", "nan is not a number"),
    ],
)
def test_what_is_no_quantity_is_told_in_words(value: object, unit: str, message: str) -> None:
    with pytest.raises(AnimatError) as caught:
        quantity(value, unit)  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0.7 ns", "'0.7 ns' is finer than times are counted; the nearest is '1 ns'"),
        ("0.3333333 us", "'0.3333333 us' is finer than times are counted; the nearest is '333 ns'"),
        ("1e30 s", "'1e30 s' is too long a time: at most 146 years"),
        (8.5, "8.5 has no unit; write a time with one, for example '20 ms' or '1.5 s'"),
    ],
)
def test_times_that_cannot_be_counted(value: str | float, message: str) -> None:
    with pytest.raises(AnimatError) as caught:
        ticks(value)
    assert str(caught.value) == message


@given(st.text(max_size=30), st.sampled_from(["ms", "ns", "mV", "N m", "", "rad", "Hz"]))
def test_any_text_is_a_number_or_an_error_without_pints_words(text: str, unit: str) -> None:
    try:
        assert isinstance(quantity(text, unit), float)
    except AnimatError as error:
        assert "[length]" not in error.what and "registry" not in error.what


@given(st.integers(-(10**12), 10**12))
def test_times_read_back(time: int) -> None:
    assert ticks(format_time(time)) == time
