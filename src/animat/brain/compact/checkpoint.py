"""The folder in which a `compact` brain keeps its state: the core's part, and what Python knows beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from animat.brain.fingerprint import differences
from animat.errors import AnimatError
from animat.packing import pack, unpack

__all__ = ["check_wiring", "read_brain", "restore_core", "save_core", "write_brain"]

_FORMAT = 2
_CORE, _BRAIN = "core.state", "brain.msgpack"


def write_brain(folder: Path, state: dict[str, Any]) -> None:
    """Write all but the core's part.

    Raises
    ------
    AnimatError
        If the folder cannot be written.
    """
    try:
        (folder / _BRAIN).write_bytes(pack({"format": _FORMAT, **state}, "the brain's state"))
    except OSError as error:
        raise AnimatError(f"the brain cannot be saved: {error.strerror}", file=folder / _BRAIN) from None


def read_brain(folder: Path, fingerprint: dict[str, str]) -> dict[str, Any]:
    """Return what `write_brain` wrote, for the network, seed and grid with this fingerprint.

    Raises
    ------
    AnimatError
        If it is missing, damaged, or belongs to another network; says what differs.
    """
    try:
        state: dict[str, Any] = unpack((folder / _BRAIN).read_bytes())
    except OSError as error:
        raise AnimatError(f"there is no saved brain here: {error.strerror}", file=folder / _BRAIN) from None
    except AnimatError as error:
        raise error.at(folder / _BRAIN) from None
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        raise AnimatError("this brain was saved by another version of animat", file=folder / _BRAIN)
    different = differences(state["fingerprint"], fingerprint)
    if different:
        raise AnimatError(f"the saved brain is not this one: {different}", file=folder)
    return state


def save_core(core: Any, folder: Path) -> None:
    """Let the core write its part.

    Raises
    ------
    AnimatError
        If it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        core.save(str(folder / _CORE))
    except OSError as error:
        raise AnimatError(f"the brain cannot be saved: {error.strerror}", file=folder) from None
    except RuntimeError as error:
        raise AnimatError(f"the brain cannot be saved: {error}", file=folder) from None


def restore_core(core: Any, folder: Path) -> None:
    """Let the core read its part.

    Raises
    ------
    AnimatError
        If it is missing or cut off.
    """
    try:
        core.restore(str(folder / _CORE))
    except RuntimeError as error:
        raise AnimatError(f"the saved brain cannot be read: {error}", file=folder / _CORE) from None


def check_wiring(saved: int, mine: int) -> None:
    """Refuse a state whose synapses were drawn otherwise from the same description and seed."""
    if saved != mine:
        raise AnimatError(
            "another version of compact saved this brain, which draws other synapses from the same description and "
            "seed; go on with that version, or run it anew with this one"
        )
