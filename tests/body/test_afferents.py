"""The afferents' published curves, their scaling to other muscles, and what is refused."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from animat.body import load_body
from animat.body.afferents import HIGHEST_RATE, Afferents, primary_rate, secondary_rate, tendon_organ_rate, touch_rate
from animat.body.model import BodyModel, Muscle, PathPoint
from animat.body.mujoco import MujocoEngine
from animat.errors import AnimatError

NAMES = ("Humerus1", "Foot2", "Radius1")


def one(cat_length: float = 0.1) -> Afferents:
    """A muscle with fibres of 10 mm and 2 N that rests at 12 mm."""
    return Afferents(0.010, 2.0, 0.012, cat_length=cat_length)


@pytest.mark.parametrize(
    ("displacement", "velocity", "activation", "expected"),
    [
        (0.0, 0.0, 0.0, 50.0),
        (5.0, 0.0, 0.0, 60.0),
        (0.0, 1.0, 0.0, 54.3),
        (0.0, -1.0, 0.0, 45.7),
        (0.0, 32.0, 0.0, 50.0 + 4.3 * 8.0),
        (0.0, 0.0, 1.0, 100.0),
        (3.0, 32.0, 0.5, 50.0 + 6.0 + 34.4 + 25.0),
    ],
)
def test_primary_at_points_of_the_published_curve(
    displacement: float, velocity: float, activation: float, expected: float
) -> None:
    assert primary_rate(displacement, velocity, activation) == pytest.approx(expected, rel=1e-12)


def test_secondary_at_points_of_the_published_curve() -> None:
    assert secondary_rate([0.0, 2.0, -2.0, 0.0], [0.0, 0.0, 0.0, 1.0]) == pytest.approx([80.0, 107.0, 53.0, 100.0])


def test_tendon_organ_at_points_of_the_published_curve() -> None:
    assert tendon_organ_rate([0.0, 4.0, 12.0]) == pytest.approx([0.0, 60.0 * np.log(2), 60.0 * np.log(4)])
    assert tendon_organ_rate(-1.0) == 0.0


def test_touch_follows_its_power_of_the_force() -> None:
    assert touch_rate([0.0, 0.06, 0.6]) == pytest.approx([0.0, 24.0, 24.0 * 10**0.66])
    assert touch_rate(-1.0) == 0.0


def test_touch_counts_relative_to_what_a_paw_carries() -> None:
    assert touch_rate([0.1, 5.0], standing_n=10.0) == pytest.approx(touch_rate([0.0006, 0.03]))
    for impossible in (0.0, -1.0, float("nan")):
        with pytest.raises(AnimatError, match="standing_n needs a force above 0 N"):
            touch_rate(1.0, standing_n=impossible)


def test_rates_grow_with_what_they_feel() -> None:
    x = np.linspace(-5.0, 5.0, 1001)
    assert (np.diff(primary_rate(x, 0.0)) > 0).all()
    assert (np.diff(primary_rate(0.0, x)) > 0).all()
    assert (np.diff(secondary_rate(x)) > 0).all()
    assert (np.diff(tendon_organ_rate(np.linspace(0.0, 60.0, 1001))) > 0).all()
    assert (np.diff(touch_rate(np.linspace(0.0, 1.0, 1001))) > 0).all()
    assert secondary_rate(3.0, 1.0) > secondary_rate(3.0, 0.0)


def test_rates_stay_between_silence_and_the_highest() -> None:
    assert primary_rate([-1000.0, 1000.0], 0.0) == pytest.approx([0.0, HIGHEST_RATE])
    assert primary_rate(0.0, [-1000.0, 1000.0]) == pytest.approx([0.0, HIGHEST_RATE])
    assert secondary_rate([-1000.0, 1000.0]) == pytest.approx([0.0, HIGHEST_RATE])
    assert tendon_organ_rate(1e6) == HIGHEST_RATE
    assert touch_rate(1e6) == HIGHEST_RATE


def test_stretch_and_force_count_relative_to_the_muscle() -> None:
    rates = one().rates(0.0125, 0.002, 1.0, 0.2)
    assert rates.ia == pytest.approx(primary_rate([5.0], 20.0, 0.2))
    assert rates.ii == pytest.approx(secondary_rate([5.0], 0.2))
    assert rates.ib == pytest.approx(tendon_organ_rate([21.5 / 2]))


def test_a_muscle_of_another_size_fires_alike() -> None:
    small, large = one().rates(0.0123, -0.004, 0.7), Afferents(0.05, 80.0, 0.06).rates(0.0615, -0.020, 28.0)
    np.testing.assert_allclose(small, large, rtol=1e-12)


def test_a_shorter_cat_makes_spindles_less_sensitive() -> None:
    long, short = one().rates(0.0122, 0.0, 0.5), one(cat_length=0.05).rates(0.0122, 0.0, 0.5)
    assert long.ia - 50 == pytest.approx(2 * (short.ia - 50))
    assert long.ii - 80 == pytest.approx(2 * (short.ii - 80))
    assert long.ib == short.ib


def test_many_muscles_over_time_equal_each_alone() -> None:
    many = Afferents([0.010, 0.005], [2.0, 1.0], [0.012, 0.006])
    random = np.random.default_rng(1)
    length = np.array([0.012, 0.006]) + random.normal(0.0, 3e-4, (7, 2))
    velocity, force = random.normal(0.0, 0.01, (7, 2)), random.uniform(0.0, 1.0, (7, 2))
    together = many.rates(length, velocity, force, 0.1)
    for place, alone in enumerate((one(), Afferents(0.005, 1.0, 0.006))):
        part = slice(place, place + 1)
        apart = alone.rates(length[:, part], velocity[:, part], force[:, part], 0.1)
        for both, single in zip(together, apart, strict=True):
            assert both.shape == (7, 2)
            np.testing.assert_array_equal(both[:, part], single)


def test_described_muscles_rest_at_the_reference_pose_of_the_engine() -> None:
    model = load_body({"library": "mouse-forelimb"})
    engine = MujocoEngine()
    ports = {port.name: port.offset for port in engine.load(model).sensors}
    sensors = engine.read().sensors

    def sensed(quantity: str) -> list[float]:
        return [sensors[ports[f"{quantity}/{name}"]] for name in NAMES]

    rates = Afferents.of(model, *NAMES).rates(sensed("length"), sensed("speed"), sensed("force"))
    assert rates.ia == pytest.approx([50.0] * 3, abs=1e-9)
    assert rates.ii == pytest.approx([80.0] * 3, abs=1e-9)
    known = {muscle.name: muscle.max_isometric_force for muscle in model.muscles}
    share = np.array(sensed("force")) / [known[name] for name in NAMES]
    assert rates.ib == pytest.approx(tendon_organ_rate(21.5 * share))


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (([0.01, 0.01], [1.0], [0.01]), "one number per muscle each"),
        ((0.0, 1.0, 0.01), "fibre_length needs one finite number above 0 m"),
        ((0.01, -1.0, 0.01), "max_isometric_force needs one finite number above 0 N"),
        ((0.01, 1.0, float("nan")), "rest_length needs one finite number above 0 m"),
    ],
)
def test_impossible_muscles_are_refused(numbers: tuple[float, float, float], said: str) -> None:
    with pytest.raises(AnimatError, match=said):
        Afferents(*numbers)


def test_rates_want_one_number_for_each_muscle() -> None:
    both = Afferents([0.010, 0.005], [2.0, 1.0], [0.012, 0.006])
    with pytest.raises(AnimatError, match=r"velocity needs the shape \(\.\.\., 2\)"):
        both.rates([0.012, 0.006], [0.0, 0.0, 0.0], [0.0, 0.0])
    with pytest.raises(AnimatError, match="length needs the shape"):
        both.rates(0.012, [0.0, 0.0], [0.0, 0.0])


def test_names_that_no_body_describes_are_refused() -> None:
    model = load_body({"library": "mouse-forelimb"})
    with pytest.raises(AnimatError, match="Did you mean 'Radius1'"):
        Afferents.of(model, "Radius1x")
    with pytest.raises(AnimatError, match="name at least one muscle"):
        Afferents.of(model)


def test_a_muscle_on_a_part_of_a_source_file_needs_numbers() -> None:
    path = tuple(PathPoint(link=link, position=(0.0, 0.0, 0.0)) for link in ("world", "arm"))
    muscle = Muscle(name="m", path=path, max_isometric_force=1.0, optimal_fibre_length=0.01, tendon_slack_length=0.001)
    model = msgspec.structs.replace(BodyModel(name="file"), muscles=(muscle,))
    with pytest.raises(AnimatError, match=r"fixed to 'arm', .* source file"):
        Afferents.of(model, "m")
