"""What ships with animat: experiments, networks and bodies, each a folder that a user can copy."""

from __future__ import annotations

import importlib.util
import inspect
import math
import sys
import typing
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from animat.brain.adjustments import adjusted, read_adjustments
from animat.brain.network import Fault, Network, network_faults
from animat.brain.network_file import fault_in_file, read_network
from animat.brain.sonata import circuit_files, read_sonata
from animat.errors import AnimatError, told, unknown_name
from animat.missing import missing

__all__ = [
    "is_network",
    "library_names",
    "library_path",
    "load_network",
    "network_builder",
    "network_error",
    "network_file",
    "network_files",
]

#: What a network in a folder of its own is called: Python, a description, a SONATA circuit.
NETWORK_FILES = ("network.py", "network.yaml", "circuit_config.json")

KINDS = ("bodies", "experiments", "networks")


def library_names(kind: str) -> list[str]:
    """Return the names of what ships of a kind: "bodies", "experiments" or "networks"."""
    if kind not in KINDS:
        raise unknown_name("library", kind, KINDS)
    folder = _root() / kind
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(("_", ".")))


def library_path(kind: str, name: str) -> Path:
    """Return the folder of something that ships; the error for an unknown name lists those that exist."""
    names = library_names(kind)
    if name not in names:
        raise unknown_name({"bodies": "body"}.get(kind, kind.removesuffix("s")) + " in the library", name, names)
    return _root() / kind / name


def _root() -> Path:
    return Path(__file__).parent


def load_network(spec: Mapping[str, Any], base: str | Path = ".") -> Network:
    """Return the network that `spec` names, checked.

    Parameters
    ----------
    spec
        Either `library` (a name from `library_names("networks")`) or `file`: a `network.yaml`, a Python file with a
        function `build(...)` that returns a `Network`, the `circuit_config.json` of a SONATA circuit, or a folder with
        one of these (`NETWORK_FILES`). A Python file may import others beside it (``from .cells import ..``).
        `adjustments` may name a table of drives, currents and gains (`animat.brain.adjustments`), as `animat tune`
        writes it. Every other entry is a parameter of `build`.
    base
        The folder that `file` and `adjustments` are relative to.

    Raises
    ------
    AnimatError
        If it cannot be found, has no such parameter, or describes a network that no engine could build.
    """
    parameters = {name: value for name, value in spec.items() if name not in ("library", "file", "adjustments")}
    path = network_file(spec, base)
    if path.suffix == ".py":
        network = _build(path, parameters)
    elif parameters:
        raise AnimatError(f"the network {path} is a description and takes no parameters, got {', '.join(parameters)}")
    else:
        network = read_sonata(path) if path.suffix == ".json" else read_network(path)
    if "adjustments" in spec:
        table = Path(base) / str(spec["adjustments"])
        changes = read_adjustments(table)
        try:
            network = adjusted(network, changes)
            network = msgspec.structs.replace(
                network, notes=(*network.notes, f"Adjusted: {len(changes)} drives, currents and gains by {table.name}.")
            )
        except AnimatError as error:
            raise error.at(table) from None
    for fault in network_faults(network):
        raise network_error(fault, path)
    return network


def network_file(spec: Mapping[str, Any], base: str | Path = ".") -> Path:
    """Return the file of the network that `spec` names; see `load_network`."""
    match spec:
        case {"library": _, "file": _}:
            raise AnimatError("network: give `library` or `file`, not both")
        case {"library": str(name)}:
            path = library_path("networks", name)
        case {"file": str(name)}:
            path = Path(base) / name
        case _:
            known = ", ".join(library_names("networks"))
            raise AnimatError(f"network: needs `library: NAME` (known: {known}) or `file: PATH`")
    if path.is_dir():
        found = [path / name for name in NETWORK_FILES if (path / name).is_file()]
        if not found:
            raise AnimatError(f"this folder holds none of {', '.join(NETWORK_FILES)}", file=path)
        path = found[0]
    if not path.is_file():
        raise missing("network file", path, is_network)
    return path


def network_files(spec: Mapping[str, Any], base: str | Path = ".") -> list[Path]:
    """Return the files that the network file of `spec` names in turn: those of a SONATA circuit, of others none."""
    path = network_file(spec, base)
    return circuit_files(path) if path.suffix == ".json" else []


def is_network(path: Path) -> bool:
    """Return whether a file by its ending, or a folder by what it holds, may be a network."""
    return path.suffix in (".py", ".yaml", ".yml", ".json") or any((path / name).is_file() for name in NETWORK_FILES)


def network_error(fault: Fault, path: Path) -> AnimatError:
    """Return the error for what is wrong with the network of a file, at its line where the file is a description."""
    return AnimatError(fault[1], file=path) if path.suffix in (".py", ".json") else fault_in_file(fault, path)


def network_builder(name: str) -> Callable[..., object] | None:
    """Return the function that builds a network of the library; None for one that takes no parameters."""
    path = library_path("networks", name) / "network.py"
    return _builder(path, _changes(path)) if path.is_file() else None


def _build(path: Path, parameters: Mapping[str, Any]) -> Network:
    build = _builder(path, _changes(path))
    known = inspect.signature(build).parameters
    if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in known.values()):
        for name in parameters:
            if name not in known:
                raise unknown_name(f"parameter of the network {_name(path)}:", name, known)
    absent = [
        name
        for name, parameter in known.items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        and name not in parameters
    ]
    if absent:
        raise AnimatError(f"the network {_name(path)} needs {absent[0]!r}; its parameters: {', '.join(known)}")
    for name, value in parameters.items():
        _check_type(build, name, value)
    try:
        network = build(**parameters)
    except AnimatError as error:
        raise error.at(None if path.is_relative_to(_root()) else path) from None
    except (Exception, SystemExit) as error:
        raise _from_user_code(error, path) from error
    if not isinstance(network, Network):
        raise AnimatError(f"build() must return an animat Network, got {type(network).__name__}", file=path)
    return network


def _name(path: Path) -> str:
    """Return what users call the network of a file: its folder's name where it ships."""
    return path.parent.name if path.is_relative_to(_root()) else str(path)


def _check_type(build: Callable[..., object], name: str, value: Any) -> None:
    """Raise if a parameter that is annotated as a plain type gets another; whole numbers pass as numbers."""
    try:
        kind = typing.get_type_hints(build).get(name)
    except NameError:
        return
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    if kind not in words:
        return
    fits = type(value) is kind or (kind is float and type(value) is int)
    if not fits or (isinstance(value, float) and not math.isfinite(value)):
        default = inspect.signature(build).parameters[name].default
        such = f" such as {default!r}" if kind is str and isinstance(default, str) else ""
        raise AnimatError(f"{name} must be {words[kind]}{such}, got {value!r}")


def _changes(path: Path) -> tuple[tuple[str, int], ...]:
    """Return the Python files that a network may be made of, and when each was changed."""
    return tuple((file.name, file.stat().st_mtime_ns) for file in sorted(path.parent.glob("*.py")))


@lru_cache(maxsize=16)
def _builder(path: Path, _changes: tuple[tuple[str, int], ...]) -> Callable[..., object]:
    """Return the function `build` of a file that is a package with those beside it."""
    name = f"animat_network_{abs(hash(path.resolve()))}"
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=[str(path.parent)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    for known in [known for known in sys.modules if known == name or known.startswith(f"{name}.")]:
        del sys.modules[known]
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _from_user_code(error, path) from error
    build = getattr(module, "build", None)
    if not callable(build):
        raise AnimatError("needs a function build(...) that returns a Network", file=path)
    return build  # type: ignore[no-any-return]


def _from_user_code(error: BaseException, path: Path) -> AnimatError:
    """Return the error with the file, `path` or one beside it, and the line at which it was raised."""
    file, line = path, None
    trace = error.__traceback__
    while trace is not None:
        here = Path(trace.tb_frame.f_code.co_filename)
        if here.is_file() and here.resolve().parent == path.resolve().parent:
            file, line = path.with_name(here.name), trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        file, line = path.with_name(Path(error.filename or path).name), error.lineno
    return AnimatError(told(error), file=file, line=line)
