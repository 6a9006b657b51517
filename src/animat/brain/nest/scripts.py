"""Brains as scripts: PyNEST or PyNN code that leaves a dictionary of populations."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from animat.brain.nest.kernel import reset_kernel
from animat.brain.protocol import BrainScript, BrainSettings
from animat.errors import AnimatError

__all__ = ["run_script"]


def run_script(nest: Any, script: BrainScript, settings: BrainSettings) -> dict[str, Any]:
    """Run the script in its own folder and return its populations as node collections by name.

    Resolution, threads and seed are set before it runs. A script may reset the kernel (PyNN's `setup` does);
    it must then leave the resolution that the experiment states, and the seed is set again.

    Raises
    ------
    AnimatError
        With the script's file and line.
    """
    path = Path(script.path)
    reset_kernel(nest, settings)
    try:
        source = path.read_text()
        code = compile(source, str(path), "exec")
    except (OSError, UnicodeDecodeError) as error:
        raise AnimatError(f"cannot read the script: {error}", file=path) from None
    except SyntaxError as error:
        raise AnimatError(f"not valid Python: {error.msg}", file=path, line=error.lineno) from None
    if script.kind == "pynn":
        _need_pynn()
    namespace: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    sys.path.insert(0, str(path.parent))
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        exec(code, namespace)
    except SystemExit as error:
        raise AnimatError(f"the script ended itself (exit {error.code})", file=path, line=_line(error, path)) from None
    except Exception as error:
        raise AnimatError(f"{type(error).__name__}: {error}", file=path, line=_line(error, path)) from None
    finally:
        os.chdir(before)
        sys.path.remove(str(path.parent))
    wanted = settings.resolution / 1e6
    if abs(nest.resolution - wanted) > 1e-9:
        raise AnimatError(
            f"the script sets a resolution of {nest.resolution} ms, the experiment says {wanted} ms; make them agree "
            f"(brain: {{resolution: {nest.resolution} ms}}, or in PyNN setup(timestep={wanted}))",
            file=path,
        )
    return _populations(nest, namespace, path)


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


def _need_pynn() -> None:
    try:
        import pyNN.nest  # noqa: F401
    except ImportError as error:
        raise AnimatError(f"the script needs PyNN ({error}): {sys.executable} -m pip install 'PyNN>=0.12'") from None
