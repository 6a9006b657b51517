"""Replace the source of transfer functions while a simulation runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from animat.errors import AnimatError, unknown_name
from animat.transfer.bind import Bound, bind, release, resolve
from animat.transfer.load import load_functions
from animat.transfer.schedule import check_periods, order

if TYPE_CHECKING:
    from animat.simulation.runner import Runner

__all__ = ["replace_source"]


def replace_source(runner: Runner, file: str, source: str) -> None:
    """Put new functions in the place of those of `file`, or keep the old ones when the new source is broken.

    The new source is first run, and each function called once, in a throwaway process; then its names are
    resolved and its devices attached. Variables that both have keep their value; devices that both have stay
    attached; what is gone is detached and set to rest. The edit is written to the run's events.

    Raises
    ------
    AnimatError
        When the file is not one of the experiment's or the source is broken; nothing has changed then.
    """
    if file not in runner.sources:
        raise unknown_name("transfer function file", file, runner.sources)
    sources = {**runner.sources, file: source}
    before = runner.loop.functions
    fresh: list[Bound] = []
    try:
        runner.dry_call(sources)
        functions = order(
            [item for name, text in sources.items() for item in load_functions(text, name)], list(runner.bodies)
        )
        check_periods(functions, runner.experiment.part.step)
        for function in functions:
            resolve(function, runner.around)
        untouched = {bound.function.name: bound for bound in before if bound.function.file != file}
        after = []
        for function in functions:
            bound = untouched.get(function.name)
            if bound is None:
                bound = bind(function, runner.around, runner.board, runner.attach)
                fresh.append(bound)
            after.append(bound)
    except AnimatError as error:
        release(runner.board, fresh, before, runner.detach)
        load_functions(runner.sources[file], file)
        runner.writer.event("edit_refused", runner.loop.time, file=file, source=source, text=str(error))
        raise AnimatError(f"the old source stays in use, because the new one is broken: {error}") from None
    release(runner.board, [bound for bound in before if bound.function.file == file], after, runner.detach)
    runner.loop.functions = after
    runner.sources = sources
    runner.writer.event("edit", runner.loop.time, file=file, source=source)
