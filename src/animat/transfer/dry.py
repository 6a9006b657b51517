"""Call every transfer function in a throwaway process, on the values that a run would begin with.

A function that fails, never returns, or brings the interpreter down is found before anything is simulated.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from animat.body.protocol import BodyInfo, Scene
from animat.errors import AnimatError, told
from animat.transfer.bind import Surroundings, bind
from animat.transfer.board import Board, BodyBoard, BrainBoard
from animat.transfer.declare import DevicePort, TransferFunction
from animat.transfer.load import error_place, load_functions
from animat.transfer.schedule import order
from animat.transfer.throwaway import Throwaway, serve
from animat.units import quantity

__all__ = ["dry_call", "dry_load"]

#: Seconds after which a call counts as one that never returns, unless the experiment says otherwise.
_PATIENCE_S = 10.0
#: Seconds that Python and animat have to start, and a file at least with all that it imports, on a slow disk.
_START_S, _LOAD_S = 300.0, 60.0


class _Task(msgspec.Struct):
    sources: dict[str, str]
    brains: dict[str, dict[str, int] | None] = {}
    bodies: dict[str, BodyInfo] = {}
    sensors: dict[str, bytes] = {}
    parameters: dict[str, float | str] = {}
    sheet_scale: list[tuple[str, str, float]] = []
    #: When functions are called; none: the files are loaded only.
    seconds: list[float] = []


class _Outcome(msgspec.Struct):
    """What begins, or with a `problem` what it came to; one with an empty `name` says that all went well."""

    name: str
    calling: bool = False
    problem: str = ""
    file: str | None = None
    line: int | None = None


def dry_call(
    sources: Mapping[str, str],
    around: Surroundings,
    sensors: Mapping[str, NDArray[np.float64]],
    *,
    parameters: Mapping[str, float | str] = {},
    seconds: Sequence[float] = (0.0,),
    patience_s: float = _PATIENCE_S,
) -> None:
    """Run the `sources` (text by file name) and call each function once for every time in `seconds`.

    Functions that read a brain whose populations are not known yet are left out.

    Parameters
    ----------
    sensors
        The bodies' flat vectors.
    parameters
        The experiment's `parameters:`, as they stand there.
    patience_s
        Seconds that each call has (10). Starting Python does not count; loading a file may take a minute at least.

    Raises
    ------
    AnimatError
        Naming function, file and line of the first that fails or does not return.
    """
    task = _Task(
        sources=dict(sources),
        brains={name: None if sizes is None else dict(sizes) for name, sizes in around.brains.items()},
        bodies={name: msgspec.structs.replace(info, scene=Scene(shapes=())) for name, info in around.bodies.items()},
        sensors={name: np.asarray(vector, np.float64).tobytes() for name, vector in sensors.items()},
        parameters=dict(parameters),
        sheet_scale=[(*key, scale) for key, scale in around.sheet_scale.items()],
        seconds=list(seconds),
    )
    _try(task, patience_s)


def dry_load(sources: Mapping[str, str], patience_s: float = _PATIENCE_S) -> None:
    """Run the `sources` without calling a function; see `dry_call`. The same ones are tried once."""
    if sources:
        _load_once(tuple(sources.items()), patience_s)


@lru_cache(maxsize=64)
def _load_once(sources: tuple[tuple[str, str], ...], patience_s: float) -> None:
    _try(_Task(sources=dict(sources)), patience_s)


def _try(task: _Task, patience_s: float) -> None:
    """Raise for the first thing that goes wrong in a throwaway process."""
    under_way = _Outcome("the trial process", file=next(iter(task.sources), None))
    limit, does_not = _START_S, "did not start"
    with Throwaway("animat.transfer.dry:serve_trial", msgspec.msgpack.encode(task)) as process:
        while under_way.name:
            try:
                line = process.line(limit)
            except TimeoutError:
                what = f"{under_way.name} {does_not} within {limit:g} s in a trial"
                if under_way.calling:
                    what += "; `trial_patience: 1 min` in the experiment would give each call longer"
                raise AnimatError(what, file=under_way.file, line=under_way.line) from None
            if line is None:
                what = f"{under_way.name} ended the trial process {process.ending()}".rstrip()
                raise AnimatError(what, file=under_way.file, line=under_way.line)
            under_way = msgspec.json.decode(line, type=_Outcome)
            if under_way.problem:
                whose = "" if under_way.name == under_way.file else f"{under_way.name}: "
                what = whose + under_way.problem
                raise AnimatError(what, file=under_way.file, line=under_way.line)
            limit, does_not = (
                (patience_s, "did not return") if under_way.calling else (max(_LOAD_S, patience_s), "was not loaded")
            )


def serve_trial() -> None:
    """Do what a trial asks of the throwaway process, and end it."""
    serve(lambda message: map(msgspec.json.encode, _call_all(msgspec.msgpack.decode(message, type=_Task))))


def _call_all(task: _Task) -> Iterator[_Outcome]:
    around = Surroundings(
        brains=task.brains,
        bodies=task.bodies,
        parameters={name: _reader(value) for name, value in task.parameters.items()},
        sheet_scale={(brain, population): scale for brain, population, scale in task.sheet_scale},
    )
    board = Board({name: BrainBoard() for name in task.brains}, {n: BodyBoard(info) for n, info in task.bodies.items()})
    for name, vector in task.sensors.items():
        board.bodies[name].sensors[:] = np.frombuffer(vector)
    numbers = itertools.count()
    functions = []
    for name, text in task.sources.items():
        yield _Outcome(name, file=name)
        try:
            functions += load_functions(text, name)
        except BaseException as error:
            line = error.line if isinstance(error, AnimatError) else error_place(error, name)
            yield _Outcome(name, problem=told(error), file=name, line=line)
            return
    if not task.seconds:
        yield _Outcome("")
        return
    bound = []
    try:
        ordered = order(_known(functions, task), list(task.bodies))
    except AnimatError as error:
        yield _Outcome("the schedule", problem=error.what, file=error.file, line=error.line)
        return
    for function in ordered:
        yield _Outcome(function.name, file=function.file, line=function.line)
        try:
            bound.append(bind(function, around, board, lambda _brain, _device: next(numbers)))
        except AnimatError as error:
            yield _Outcome(function.name, problem=error.what, file=function.file, line=error.line or function.line)
            return
    for seconds in task.seconds:
        for item in bound:
            function = item.function
            yield _Outcome(function.name, calling=True, file=function.file, line=function.line)
            try:
                function.call(seconds, **item.arguments)
            except BaseException as error:
                place = error_place(error, function.file) or function.line
                problem = f"{told(error)} (at {seconds:g} s)"
                yield _Outcome(function.name, problem=problem, file=function.file, line=place)
                return
    yield _Outcome("")


def _reader(value: float | str) -> Callable[[str], float]:
    return lambda unit: float(value) if isinstance(value, int | float) else quantity(value, unit)


def _known(functions: Sequence[TransferFunction], task: _Task) -> list[TransferFunction]:
    def known(function: TransferFunction) -> bool:
        ports = [item for item in function.declarations.values() if isinstance(item, DevicePort)]
        return all(task.brains.get(port.brain or next(iter(task.brains), "")) is not None for port in ports)

    return [function for function in functions if known(function)]
