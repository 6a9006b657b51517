"""The life of a simulation: which state follows which, as a table."""

from __future__ import annotations

from enum import StrEnum

from animat.errors import AnimatError

__all__ = ["FINAL", "State", "transition"]


class State(StrEnum):
    """Where a simulation stands."""

    CREATED = "created"
    INITIALIZED = "initialized"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    COMPLETED = "completed"
    FAILED = "failed"


#: States that nothing leaves.
FINAL = frozenset({State.STOPPED, State.COMPLETED, State.FAILED})

_LIVE = (State.CREATED, State.INITIALIZED, State.RUNNING, State.PAUSED)

_TABLE: dict[str, dict[State, State]] = {
    "initialize": {State.CREATED: State.INITIALIZED},
    "run": {State.INITIALIZED: State.RUNNING, State.PAUSED: State.RUNNING, State.RUNNING: State.RUNNING},
    "pause": {State.RUNNING: State.PAUSED, State.PAUSED: State.PAUSED, State.INITIALIZED: State.INITIALIZED},
    "reset": dict.fromkeys((State.INITIALIZED, State.RUNNING, State.PAUSED), State.INITIALIZED),
    "complete": {State.RUNNING: State.COMPLETED},
    "stop": dict.fromkeys(_LIVE, State.STOPPED),
    "fail": dict.fromkeys(_LIVE, State.FAILED),
}


def transition(state: State, trigger: str) -> State:
    """Return the state after `trigger` (initialize, run, pause, reset, complete, stop, fail).

    Raises
    ------
    AnimatError
        When the trigger does not apply in `state`; lists those that do.
    """
    after = _TABLE[trigger].get(state)
    if after is None:
        possible = [name for name, table in _TABLE.items() if state in table]
        what = f"possible: {', '.join(possible)}" if possible else "it has ended"
        raise AnimatError(f"cannot {trigger} a simulation that is {state}; {what}")
    return after
