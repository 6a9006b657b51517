import pytest

from animat.errors import AnimatError
from animat.simulation.lifecycle import FINAL, State, transition

ALLOWED = {
    (State.CREATED, "initialize"): State.INITIALIZED,
    (State.CREATED, "stop"): State.STOPPED,
    (State.CREATED, "fail"): State.FAILED,
    (State.INITIALIZED, "run"): State.RUNNING,
    (State.INITIALIZED, "pause"): State.INITIALIZED,
    (State.INITIALIZED, "reset"): State.INITIALIZED,
    (State.INITIALIZED, "stop"): State.STOPPED,
    (State.INITIALIZED, "fail"): State.FAILED,
    (State.RUNNING, "run"): State.RUNNING,
    (State.RUNNING, "pause"): State.PAUSED,
    (State.RUNNING, "reset"): State.INITIALIZED,
    (State.RUNNING, "complete"): State.COMPLETED,
    (State.RUNNING, "stop"): State.STOPPED,
    (State.RUNNING, "fail"): State.FAILED,
    (State.PAUSED, "run"): State.RUNNING,
    (State.PAUSED, "pause"): State.PAUSED,
    (State.PAUSED, "reset"): State.INITIALIZED,
    (State.PAUSED, "stop"): State.STOPPED,
    (State.PAUSED, "fail"): State.FAILED,
}
TRIGGERS = ("initialize", "run", "pause", "reset", "complete", "stop", "fail")


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_every_trigger_in_every_state(state: State, trigger: str) -> None:
    after = ALLOWED.get((state, trigger))
    if after is not None:
        assert transition(state, trigger) is after
        return
    with pytest.raises(AnimatError, match=f"cannot {trigger} a simulation that is {state}"):
        transition(state, trigger)


def test_nothing_leaves_a_final_state() -> None:
    assert {State.STOPPED, State.COMPLETED, State.FAILED} == FINAL
    assert not [state for state, _ in ALLOWED if state in FINAL]
