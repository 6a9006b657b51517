import pytest

from animat.body import load_body, make_body_engine
from animat.body.conformance import check_body_engine
from animat.body.mujoco import MujocoEngine

FORELIMB = {"library": "mouse-forelimb"}


@pytest.mark.parametrize(
    ("spec", "engine", "settings"),
    [
        (FORELIMB, "mujoco", {}),
        (FORELIMB | {"activation_dynamics": True}, "mujoco", {}),
        ({"library": "husky"}, "mujoco", {}),
        ({"library": "husky", "drive": "wheels"}, "mujoco", {}),
        (FORELIMB, "opensim", {"tendon": "rigid"}),
        (FORELIMB | {"activation_dynamics": True}, "opensim", {}),
    ],
)
def test_shipped_bodies_keep_every_promise_of_the_protocol(spec, engine, settings):
    if engine == "opensim":
        pytest.importorskip("opensim")
    info = check_body_engine(lambda: make_body_engine(engine, settings), load_body(spec))
    assert info.engine == engine


class Forgetful(MujocoEngine):
    def restore(self, state):
        super().restore(state)
        self._activation = self._activation + 0.01


class Drifting(MujocoEngine):
    def reset(self):
        pass


@pytest.mark.parametrize(
    ("engine", "spec", "complaint"),
    [
        (Forgetful, FORELIMB | {"activation_dynamics": True}, "restored|reset"),
        (Drifting, FORELIMB, "reset"),
    ],
)
def test_an_engine_that_breaks_a_promise_is_found_out(engine, spec, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_body_engine(engine, load_body(spec))
