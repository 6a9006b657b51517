"""In which order transfer functions run, checked against what they declare to read and write."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from animat.errors import AnimatError
from animat.transfer.declare import BodyPort, DevicePort, TransferFunction, Variable
from animat.units import format_time

__all__ = ["ScheduleRow", "check_periods", "order", "schedule_rows"]


@dataclass(frozen=True)
class ScheduleRow:
    """One transfer function as `animat validate` shows it."""

    name: str
    priority: int
    every: int | None
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    #: Values that this function reads before another writes them in the same step: it sees last step's.
    stale: tuple[str, ...]


def order(functions: Sequence[TransferFunction], bodies: Sequence[str] = ()) -> list[TransferFunction]:
    """Return the functions by descending priority, ties in file order.

    Parameters
    ----------
    functions
        In file order.
    bodies
        Names of the experiment's bodies. Without, a port that names no body belongs to the only body that others name.

    Raises
    ------
    AnimatError
        When two functions have one name, or write one port and the later does not say ``override=True``.
    """
    names: dict[str, TransferFunction] = {}
    for function in functions:
        if function.name in names:
            raise AnimatError(
                f"two transfer functions are called {function.name!r}; the other stands in "
                f"{names[function.name].file}:{names[function.name].line}",
                file=function.file,
                line=function.line,
            )
        names[function.name] = function
    ordered = sorted(functions, key=lambda function: -function.priority)
    only = _only_body(functions, bodies)
    writers: dict[str, str] = {}
    for function in ordered:
        for parameter, declaration in function.declarations.items():
            if not isinstance(declaration, BodyPort):
                continue
            for port in _written(declaration, only):
                if port in writers and not declaration.override:
                    raise AnimatError(
                        f"{function.name}.{parameter} writes {port}, which {writers[port]} writes before it; say "
                        "override=True in the later declaration if that is meant",
                        file=function.file,
                        line=function.line,
                    )
                writers[port] = f"{function.name}.{parameter}"
    return ordered


def check_periods(functions: Sequence[TransferFunction], step: int) -> None:
    """Refuse a function whose `every` is no whole multiple of the exchange step (ticks): it would run less often.

    Raises
    ------
    AnimatError
        With the function's file and line.
    """
    for function in functions:
        if function.every is not None and function.every % step:
            raise AnimatError(
                f"{function.name}: every={format_time(function.every)!r} must be a whole multiple of the step "
                f"({format_time(step)})",
                file=function.file,
                line=function.line,
            )


def schedule_rows(ordered: Sequence[TransferFunction]) -> list[ScheduleRow]:
    """Return the schedule as rows, in the order of execution."""
    writers: dict[str, list[int]] = defaultdict(list)
    for place, function in enumerate(ordered):
        for written in _writes(function):
            writers[written].append(place)
    return [
        ScheduleRow(
            name=function.name,
            priority=function.priority,
            every=function.every,
            reads=tuple(_reads(function)),
            writes=tuple(_writes(function)),
            stale=tuple(read for read in _reads(function) if any(writer > place for writer in writers[read])),
        )
        for place, function in enumerate(ordered)
    ]


def _only_body(functions: Sequence[TransferFunction], bodies: Sequence[str]) -> str | None:
    """Return the body that is meant where none is named, if that is clear."""
    named = set(bodies) or {
        declaration.body
        for function in functions
        for declaration in function.declarations.values()
        if isinstance(declaration, BodyPort) and declaration.body is not None
    }
    return named.pop() if len(named) == 1 else None


def _written(port: BodyPort, only: str | None = None) -> list[str]:
    body = only if port.body is None else port.body
    prefix = "" if body is None else f"{body}/"
    return [prefix + name for attribute in sorted(port.writes) for name in port.attributes[attribute]]


def _reads(function: TransferFunction) -> list[str]:
    found: list[str] = []
    for name, declaration in function.declarations.items():
        if isinstance(declaration, DevicePort) and not declaration.writes:
            device = declaration.device
            found.append(f"{device.kind}({', '.join(map(str, device.neurons))})")
        elif isinstance(declaration, BodyPort):
            prefix = "" if declaration.body is None else f"{declaration.body}/"
            for attribute, ports in declaration.attributes.items():
                if attribute not in declaration.writes:
                    found += [prefix + port for port in ports]
        elif isinstance(declaration, Variable):
            found.append(declaration.shared or f"{function.name}.{name}")
    return found


def _writes(function: TransferFunction) -> list[str]:
    found: list[str] = []
    for name, declaration in function.declarations.items():
        if isinstance(declaration, DevicePort) and declaration.writes:
            device = declaration.device
            found.append(f"{device.kind}({', '.join(map(str, device.neurons))})")
        elif isinstance(declaration, BodyPort):
            found += _written(declaration)
        elif isinstance(declaration, Variable) and declaration.writes and declaration.shared:
            found.append(declaration.shared)
        elif isinstance(declaration, Variable) and declaration.writes:
            found.append(f"{function.name}.{name}")
    return found
