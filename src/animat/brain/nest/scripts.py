"""Brains as scripts: PyNEST or PyNN code that leaves a dictionary of populations."""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from animat.brain.nest.kernel import kernel_settings
from animat.brain.protocol import BrainScript, BrainSettings
from animat.errors import AnimatError

__all__ = ["run_script"]


def run_script(nest: Any, script: BrainScript, settings: BrainSettings) -> dict[str, Any]:
    """Run the script in its own folder and return its populations as node collections by name.

    Resolution, threads and seed are set before it runs and again when it resets the kernel; PyNN's `setup` takes
    them as defaults. What the script then sets otherwise is refused, except the seed, which is set again.

    Raises
    ------
    AnimatError
        With the script's file and line.
    """
    path = Path(script.path)
    try:
        code = compile(path.read_text(encoding="utf-8"), str(path), "exec")
    except (OSError, UnicodeDecodeError) as error:
        raise AnimatError(f"cannot read the script: {error}", file=path) from None
    except (SyntaxError, ValueError) as error:
        line, why = (error.lineno, error.msg) if isinstance(error, SyntaxError) else (None, str(error))
        raise AnimatError(f"not valid Python: {why}", file=path, line=line) from None
    namespace: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    with _settings_kept(nest, script, settings), _in_folder(path.parent):
        try:
            exec(code, namespace)
        except SystemExit as error:
            raise AnimatError(
                f"the script ended itself (exit {error.code})", file=path, line=_line(error, path)
            ) from None
        except AnimatError as error:
            raise error.at(path, _line(error, path)) from None
        except Exception as error:
            raise AnimatError(f"{type(error).__name__}: {error}", file=path, line=_line(error, path)) from None
    if script.kind == "pynn":
        _connect_relays()
    _check_kernel(nest, path, settings)
    return _populations(nest, namespace, path)


@contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    """Run with `folder` as the current one and its modules importable."""
    before = Path.cwd()
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        os.chdir(before)
        sys.path.remove(str(folder))


@contextmanager
def _settings_kept(nest: Any, script: BrainScript, settings: BrainSettings) -> Iterator[None]:
    """Have a script's ResetKernel and PyNN's setup begin from the experiment's settings."""
    reset = nest.ResetKernel

    def reset_and_set() -> None:
        reset()
        nest.SetKernelStatus(kernel_settings(settings))

    vars(nest)["ResetKernel"] = reset_and_set
    pynn = _pynn() if script.kind == "pynn" else None
    setup = getattr(pynn, "setup", None)
    if pynn is not None and setup is not None:
        pynn.setup = _with_defaults(setup, kernel_settings(settings))
    try:
        yield
    finally:
        vars(nest)["ResetKernel"] = reset
        if pynn is not None:
            pynn.setup = setup


def _with_defaults(setup: Callable[..., Any], values: Mapping[str, Any]) -> Callable[..., Any]:
    @functools.wraps(setup)
    def setup_with_defaults(timestep: float | None = None, *rest: Any, **extra: Any) -> Any:
        extra = {"threads": values["local_num_threads"], "rng_seed": values["rng_seed"], **extra}
        return setup(values["resolution"] if timestep is None else timestep, *rest, **extra)

    return setup_with_defaults


def _check_kernel(nest: Any, path: Path, settings: BrainSettings) -> None:
    """Refuse another resolution or number of threads than the experiment's; set the seed again."""
    wanted = kernel_settings(settings)
    if abs(nest.resolution - wanted["resolution"]) > 1e-9:
        raise AnimatError(
            f"the script sets a resolution of {nest.resolution:g} ms, the experiment says {wanted['resolution']:g} ms; "
            f"leave it out of the script, or write brain: {{resolution: {nest.resolution:g} ms}}",
            file=path,
        )
    if nest.local_num_threads != wanted["local_num_threads"]:
        raise AnimatError(
            f"the script sets {nest.local_num_threads} threads, the experiment says {wanted['local_num_threads']}; "
            f"leave it out of the script, or write brain: {{threads: {nest.local_num_threads}}}",
            file=path,
        )
    if nest.rng_seed != wanted["rng_seed"]:
        nest.SetKernelStatus({"rng_seed": wanted["rng_seed"]})


def _connect_relays() -> None:
    """Connect PyNN's spike sources to the relays that stand for them, as PyNN itself does when it runs."""
    from pyNN.nest import simulator

    for population in simulator.state.populations:
        if getattr(population, "_deferred_parrot_connections", False):
            population._connect_parrot_neurons()


def _populations(nest: Any, namespace: Mapping[str, Any], path: Path) -> dict[str, Any]:
    found = namespace.get("populations")
    if not isinstance(found, Mapping) and "circuit" in namespace:
        found = {"circuit": namespace["circuit"]}
    if not isinstance(found, Mapping) or not found:
        raise AnimatError(
            'the script must leave a dictionary of its populations, for example populations = {"exc": exc, "inh": inh}',
            file=path,
        )
    return {str(name): _nodes(nest, str(name), value, path) for name, value in found.items()}


def _nodes(nest: Any, name: str, value: Any, path: Path) -> Any:
    if isinstance(value, nest.NodeCollection):
        nodes = value
    elif hasattr(value, "node_collection"):
        nodes = value.node_collection
    elif hasattr(value, "all_cells"):
        nodes = nest.NodeCollection(sorted(int(cell) for cell in value.all_cells))
    elif isinstance(value, list | tuple) and all(isinstance(item, int) for item in value):
        nodes = nest.NodeCollection(list(value))
    else:
        raise AnimatError(
            f"populations[{name!r}] is a {type(value).__name__}; it must be a NodeCollection or a PyNN population",
            file=path,
        )
    if len(nodes) == 0:
        raise AnimatError(f"populations[{name!r}] is empty", file=path)
    return nodes


def _line(error: BaseException, path: Path) -> int | None:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return frames[-1].lineno if frames else None


def _pynn() -> Any:
    try:
        import pyNN.nest
    except ImportError as error:
        raise AnimatError(f"the script needs PyNN ({error}): {sys.executable} -m pip install PyNN") from None
    return pyNN.nest
