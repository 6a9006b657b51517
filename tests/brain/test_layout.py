"""Where neurons lie."""

from __future__ import annotations

import numpy as np
import pytest

from animat.brain.layout import Explicit, Lattice, Layout, Random, layout_faults, positions


def test_a_lattice_has_both_ends_and_z_fastest() -> None:
    lattice = Lattice(shape=(2, 3, 2), lower=(0, 0, 0), upper=(1, 2, 3))
    assert lattice.size == 12
    points = positions(lattice, 12)
    assert points[:4].tolist() == [[0, 0, 0], [0, 0, 3], [0, 1, 0], [0, 1, 3]]
    assert points[-1].tolist() == [1, 2, 3]
    assert positions(Lattice(shape=(1, 1, 1), lower=(5, 6, 7), upper=(8, 9, 10)), 1).tolist() == [[5, 6, 7]]


def test_neurons_may_share_a_point() -> None:
    lattice = Lattice(shape=(2, 1, 1), lower=(0, 0, 0), upper=(1, 0, 0), per_site=3)
    assert lattice.size == 6
    assert positions(lattice, 6)[:, 0].tolist() == [0, 0, 0, 1, 1, 1]


def test_a_thinned_lattice_keeps_some_points_in_order() -> None:
    lattice = Lattice(shape=(10, 10, 1), lower=(0, 0, 0), upper=(0.9, 0.9, 0), sites=30, seed=7)
    points = positions(lattice, lattice.size)
    assert len(np.unique(points, axis=0)) == 30
    assert np.array_equal(points, positions(lattice, 30))
    key = np.rint(points[:, 0] * 100 + points[:, 1] * 10)
    assert np.all(np.diff(key) > 0)


def test_random_places_fill_their_box_and_are_stated_by_their_seed() -> None:
    layout = Random(lower=(0, -1, 2), upper=(1, 1, 2), seed=3)
    points = positions(layout, 4000)
    assert np.all((points >= layout.lower) & (points <= layout.upper))
    assert abs(points[:, 0].mean() - 0.5) < 4 / np.sqrt(12 * 4000)
    assert np.array_equal(points, positions(layout, 4000))


def test_explicit_places() -> None:
    assert positions(Explicit(points=((1, 2, 3), (4, 5, 6))), 2).tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("layout", "size", "words"),
    [
        (Lattice(shape=(0, 1, 1), lower=(0, 0, 0), upper=(1, 1, 1)), 1, "at least one point"),
        (Lattice(shape=(2, 1, 1), lower=(0, 0, 0), upper=(1, 1, 1), per_site=0), 2, "per_site"),
        (Lattice(shape=(2, 1, 1), lower=(0, 0, 0), upper=(1, 1, 1), sites=3), 3, "between 1 and the 2 points"),
        (Lattice(shape=(2, 2, 1), lower=(0, 0, 0), upper=(1, 1, 1), per_site=2), 4, "2 x 2 x 1 holds 8 neurons"),
        (Lattice(shape=(2, 1, 1), lower=(0, 0, 0), upper=(1, 1, 1), extent_mm=(1.0, 1.0)), 2, "does not fit"),
        (Lattice(shape=(2, 1, 1), lower=(0, 0, 0), upper=(1, 1, 1), extent_mm=(0.0, 1.0)), 2, "positive lengths"),
        (Random(lower=(0, 0, 0), upper=(1, -1, 0)), 5, "along y must ascend"),
        (Random(lower=(0, 0, 0), upper=(1, 1, 0), extent_mm=(1.2, 1.0)), 5, "wide along y"),
        (Random(lower=(0, 0, 0), upper=(1, 1, 0), seed=-1), 5, "must not be negative"),
        (Explicit(points=((0, 0, 0),)), 2, "has 1 points"),
        (Explicit(points=((0, 0, float("nan")),)), 1, "finite"),
        (Explicit(points=((0, 0, 0), (2, 0, 0)), extent_mm=(1.5, 1.5)), 2, "wide along x"),
    ],
)
def test_what_does_not_fit_is_named(layout: Layout, size: int, words: str) -> None:
    faults = list(layout_faults(layout, size))
    assert len(faults) == 1 and words in faults[0], faults


def test_sound_layouts_have_no_faults() -> None:
    flat = Lattice(shape=(2, 2, 1), lower=(0, 0, 5), upper=(1, 1, 6), extent_mm=(1.2, 1.2, 0.2))
    assert not list(layout_faults(flat, 4))
    assert not list(layout_faults(Random(lower=(0, 0, 0), upper=(1, 1, 0), extent_mm=(1.2, 1.2)), 3))
