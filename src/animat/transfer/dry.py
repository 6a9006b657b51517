"""Call every transfer function once in a throwaway process, on the values that a run would begin with.

A function that fails, never returns, or brings the interpreter down is found before anything is simulated.
"""

from __future__ import annotations

import io
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout

import msgspec
import numpy as np
from numpy.typing import NDArray

from animat.body.protocol import BodyInfo, Scene
from animat.errors import AnimatError
from animat.transfer.bind import Surroundings, bind
from animat.transfer.board import Board, BodyBoard, BrainBoard
from animat.transfer.declare import DevicePort, TransferFunction
from animat.transfer.load import error_place, load_functions
from animat.transfer.schedule import order
from animat.units import quantity

__all__ = ["dry_call"]

#: Seconds after which a function counts as one that never returns.
DRY_TIMEOUT_S = 10.0


class _Task(msgspec.Struct):
    sources: dict[str, str]
    brains: dict[str, dict[str, int] | None]
    bodies: dict[str, BodyInfo]
    sensors: dict[str, bytes]
    parameters: dict[str, float | str]
    sheet_scale: list[tuple[str, str, float]]
    seconds: list[float]


class _Outcome(msgspec.Struct):
    """What a call came to; one with an empty `function` says that all have returned."""

    function: str
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
    timeout: float | None = None,
) -> None:
    """Run the `sources` (text by file name) and call each function once for every time in `seconds`.

    Functions that read a brain whose populations are not known yet are left out.

    Parameters
    ----------
    sensors
        The bodies' flat vectors.
    parameters
        The experiment's `parameters:`, as they stand there.

    Raises
    ------
    AnimatError
        Naming function, file and line of the first that fails or does not return in `timeout` seconds (10).
    """
    timeout = DRY_TIMEOUT_S if timeout is None else timeout
    task = _Task(
        sources=dict(sources),
        brains={name: None if sizes is None else dict(sizes) for name, sizes in around.brains.items()},
        bodies={name: msgspec.structs.replace(info, scene=Scene(shapes=())) for name, info in around.bodies.items()},
        sensors={name: np.asarray(vector, np.float64).tobytes() for name, vector in sensors.items()},
        parameters=dict(parameters),
        sheet_scale=[(*key, scale) for key, scale in around.sheet_scale.items()],
        seconds=list(seconds),
    )
    nobody = _Outcome("the transfer functions", file=next(iter(sources), None))
    command = [sys.executable, "-c", "from animat.transfer.dry import _main; _main()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(item for item in sys.path if item)}
    try:
        done = subprocess.run(
            command, input=msgspec.msgpack.encode(task), capture_output=True, timeout=timeout, env=environment
        )
        said, returned, words = done.stdout, done.returncode, done.stderr
    except subprocess.TimeoutExpired as expired:
        last = (_read(expired.stdout or b"") or [_Outcome("the transfer functions", file=next(iter(sources), None))])[
            -1
        ]
        raise AnimatError(
            f"{last.function} did not return within {timeout:g} s in a trial call", file=last.file, line=last.line
        ) from None
    outcomes = _read(said)
    for outcome in outcomes:
        if outcome.problem:
            raise AnimatError(f"{outcome.function}: {outcome.problem}", file=outcome.file, line=outcome.line)
    if not outcomes or outcomes[-1].function:
        tail = " ".join(words.decode(errors="replace").strip().splitlines()[-3:])
        culprit = outcomes[-1] if outcomes else nobody
        what = f"{culprit.function} ended the trial process (exit {returned}) {tail}".rstrip()
        raise AnimatError(what, file=culprit.file, line=culprit.line)


def _read(said: bytes) -> list[_Outcome]:
    outcomes = []
    for line in said.splitlines():
        try:
            outcomes.append(msgspec.json.decode(line, type=_Outcome))
        except msgspec.DecodeError:
            continue
    return outcomes


def _main() -> None:
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Task)
    with os.fdopen(os.dup(1), "wb", buffering=0) as out, redirect_stdout(io.StringIO()):
        for outcome in _call_all(task):
            out.write(msgspec.json.encode(outcome) + b"\n")


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
        except AnimatError as error:
            yield _Outcome(name, error.what, name, error.line)
            return
    bound = []
    for function in order(_known(functions, task)):
        yield _Outcome(function.name, file=function.file, line=function.line)
        try:
            bound.append(bind(function, around, board, lambda _brain, _device: next(numbers)))
        except AnimatError as error:
            yield _Outcome(function.name, error.what, function.file, error.line or function.line)
            return
    for seconds in task.seconds:
        for item in bound:
            function = item.function
            yield _Outcome(function.name, file=function.file, line=function.line)
            try:
                function.call(seconds, **item.arguments)
            except (Exception, SystemExit) as error:
                what = error.what if isinstance(error, AnimatError) else f"{type(error).__name__}: {error}"
                place = error_place(error, function.file) or function.line
                yield _Outcome(function.name, f"{what} (at {seconds:g} s)", function.file, place)
                return
    yield _Outcome("")


def _reader(value: float | str) -> Callable[[str], float]:
    return lambda unit: float(value) if isinstance(value, int | float) else quantity(value, unit)


def _known(functions: Sequence[TransferFunction], task: _Task) -> list[TransferFunction]:
    def known(function: TransferFunction) -> bool:
        ports = [item for item in function.declarations.values() if isinstance(item, DevicePort)]
        return all(task.brains.get(port.brain or next(iter(task.brains), "")) is not None for port in ports)

    return [function for function in functions if known(function)]
