"""Take a runner from beginning to end, whatever happens on the way."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from animat.errors import AnimatError
from animat.simulation.lifecycle import FINAL
from animat.simulation.runner import Runner

__all__ = ["INTERRUPTED", "conduct"]

#: The reason that a run ended by Ctrl-C carries.
INTERRUPTED = "interrupted by the user"


def conduct(
    runner: Runner,
    *,
    start: bool = True,
    until: int | None = None,
    on_open: Callable[[Runner], None] = lambda _runner: None,
) -> Runner:
    """Build, serve and close; how it went stands in the runner's `state`, `reason`, `error` and `interrupted`.

    Parameters
    ----------
    start, until
        As in `Runner.serve`.
    on_open
        Called when the simulation can be joined.
    """
    try:
        runner.catch_signals()
        runner.initialize()
        on_open(runner)
        runner.serve(start=start, until=until)
    except AnimatError as error:
        runner.fail(str(error))
    except KeyboardInterrupt:
        if runner.state not in FINAL:
            runner.end("stop", runner.stop_asked or INTERRUPTED)
    except Exception as error:
        runner.note_internal_error(traceback.format_exc())
        runner.fail(f"internal error, please report it: {type(error).__name__}: {error} (traceback in events.jsonl)")
    finally:
        runner.close()
    return runner
