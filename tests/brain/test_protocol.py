"""Neurons of a population: which ones a selection means at a population's size."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from animat.brain.protocol import Percent, Selection
from animat.errors import AnimatError


@pytest.mark.parametrize(
    ("size", "first", "last"), [(8, 1, 1), (40, 5, 9), (1001, 125, 249), (1_000_000, 125_000, 249_999)]
)
def test_percentages_serve_populations_of_any_size(size, first, last):
    found = Selection("A", Percent(12.5), Percent(25)).resolve(size)
    assert (found[0], found[-1], len(found)) == (first, last, last - first + 1)


def test_percentages_mix_with_open_ends_numbers_and_steps():
    assert Selection("A", None, Percent(30)).resolve(10).tolist() == [0, 1, 2]
    assert Selection("A", Percent(70)).resolve(10).tolist() == [7, 8, 9]
    assert Selection("A", 2, Percent(50)).resolve(10).tolist() == [2, 3, 4]
    assert Selection("A", Percent(0), Percent(100), 4).resolve(10).tolist() == [0, 4, 8]


@given(st.integers(1, 3000), st.lists(st.floats(0, 100), max_size=6))
def test_neighbouring_slices_have_every_neuron_once(size, bounds):
    cuts = [Percent(0), *map(Percent, sorted(bounds)), Percent(100)]
    found = []
    for start, stop in itertools.pairwise(cuts):
        try:
            found += Selection("A", start, stop).resolve(size).tolist()
        except AnimatError as error:
            assert "selects no neuron" in str(error)
    assert found == list(range(size))


def test_within_a_population_percentages_become_numbers():
    sizes = {"A": 40, "B": 3}
    assert Selection("A", Percent(12.5), Percent(25)).within(sizes) == Selection("A", 5, 10)
    for plain in (Selection("A"), Selection("A", -5), Selection("A", 0, 9, 2), Selection("A", indices=(3, 1))):
        assert plain.within(sizes) == plain
    with pytest.raises(AnimatError, match=r"B\[5%:10%\] selects no neuron: B has 3 neurons"):
        Selection("B", Percent(5), Percent(10)).within(sizes)
    with pytest.raises(AnimatError, match="unknown population 'C'"):
        Selection("C", Percent(5)).within(sizes)


def test_selections_travel():
    for selection in (Selection("A", 1, 5), Selection("A", Percent(12.5), 7)):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(selection), type=Selection) == selection
