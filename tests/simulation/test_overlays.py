from animat.simulation.overlays import Overlays


def test_what_was_beneath_comes_back():
    overlays = Overlays()
    overlays.lay("I_e", 1, 500, lambda: 10)
    assert overlays.lift("I_e", 1) == 10


def test_overlapping_values_may_end_in_any_order():
    overlays = Overlays()
    overlays.lay("rate", "a", 1, lambda: 5)
    overlays.lay("rate", "b", 2, lambda: 1)
    assert overlays.lift("rate", "a") == 2
    assert overlays.lift("rate", "b") == 5
    overlays.lay("rate", "a", 1, lambda: 5)
    overlays.lay("rate", "b", 2, lambda: 1)
    assert overlays.lift("rate", "b") == 1
    assert overlays.lift("rate", "a") == 5


def test_keys_are_independent():
    overlays = Overlays()
    overlays.lay("I_e", "a", 1, lambda: 0)
    overlays.lay("V_th", "a", -40, lambda: -50)
    assert overlays.lift("V_th", "a") == -50
    assert overlays.lift("I_e", "a") == 0


def test_a_lasting_change_goes_beneath_what_lies_there():
    overlays = Overlays()
    assert not overlays.rebase("rate", 7)
    overlays.lay("rate", "a", 1, lambda: 5)
    assert overlays.rebase("rate", 7)
    assert overlays.lift("rate", "a") == 7
