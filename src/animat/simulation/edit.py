"""Replace the source of transfer functions while a simulation runs: tried beside the loop, applied between steps."""

from __future__ import annotations

from animat.errors import AnimatError, unknown_name
from animat.simulation.control import Command
from animat.simulation.running import Running
from animat.simulation.trial import Trial
from animat.transfer.bind import Bound, bind, release, resolve
from animat.transfer.load import load_functions
from animat.transfer.schedule import check_periods, order

__all__ = ["ask_for_edit", "replace_source", "take_edits"]


def ask_for_edit(sim: Running, file: str, source: str, command: Command) -> None:
    """Line an edit up; `command` is answered when it has taken effect or is refused.

    Raises
    ------
    AnimatError
        When the file is not one of the experiment's.
    """
    _check_file(sim, file)
    sim.asked.edits.append((Trial(file, source), command))
    take_edits(sim)


def take_edits(sim: Running) -> None:
    """Apply the edits whose trial is over, in their order, and begin the trial of the next; never waits."""
    edits = sim.asked.edits
    while edits:
        trial, command = edits[0]
        if not trial.begun:
            _begin(sim, trial)
        if not trial.done:
            return
        edits.pop(0)
        try:
            _apply(sim, trial)
        except AnimatError as error:
            command.refuse(str(error))
        else:
            command.reply(None)


def replace_source(sim: Running, file: str, source: str) -> None:
    """Put new functions in the place of those of `file`, or keep the old ones when the new source is broken.

    The new source is first run, and each function called, in a throwaway process; then its names are
    resolved and its devices attached. Variables that both have keep their value; devices that both have stay
    attached; what is gone is detached and set to rest. The edit is written to the run's events.

    Raises
    ------
    AnimatError
        When the file is not one of the experiment's or the source is broken; nothing has changed then.
    """
    _check_file(sim, file)
    trial = Trial(file, source)
    _begin(sim, trial)
    _apply(sim, trial)


def _check_file(sim: Running, file: str) -> None:
    if file not in sim.sources:
        raise unknown_name("transfer function file", file, sim.sources)


def _begin(sim: Running, trial: Trial) -> None:
    trial.begin(
        sim.sources,
        sim.around,
        {name: side.sensors for name, side in sim.board.bodies.items()},
        parameters=sim.experiment.part.parameters,
        seconds=sim.parts.trial_seconds(),
        patience_s=sim.experiment.part.trial_patience / 1e9,
        folder=sim.experiment.folder,
    )


def _apply(sim: Running, trial: Trial) -> None:
    file, source, engines = trial.file, trial.source, sim.engines
    sources = {**sim.sources, file: source}
    before = sim.loop.functions
    fresh: list[Bound] = []
    try:
        trial.wait()
        functions = order(
            [item for name, text in sources.items() for item in load_functions(text, name)], list(engines.bodies)
        )
        check_periods(functions, sim.experiment.part.step)
        for function in functions:
            resolve(function, sim.around)
        untouched = {bound.function.name: bound for bound in before if bound.function.file != file}
        after = []
        for function in functions:
            bound = untouched.get(function.name)
            if bound is None:
                bound = bind(function, sim.around, sim.board, engines.attach)
                fresh.append(bound)
            after.append(bound)
    except AnimatError as error:
        release(sim.board, fresh, before, engines.detach)
        load_functions(sim.sources[file], file)
        sim.writer.event("edit_refused", sim.loop.time, file=file, source=source, text=str(error))
        raise AnimatError(f"the old source stays in use, because the new one is broken: {error}") from None
    release(sim.board, [bound for bound in before if bound.function.file == file], after, engines.detach)
    sim.loop.functions = after
    sim.sources = sources
    sim.writer.event("edit", sim.loop.time, file=file, source=source)
