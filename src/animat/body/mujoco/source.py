"""From a user's MJCF, URDF or SDF file to a MuJoCo specification: as the file says, with paths that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import mujoco

from animat.body.model import BodyModel, SourceFile
from animat.body.mujoco.sdf import read_sdf
from animat.errors import AnimatError

__all__ = ["read_source"]

#: What of a body model does nothing where a file switches off a part of the physics.
_SWITCHES = {
    "actuation": (mujoco.mjtDisableBit.mjDSBL_ACTUATION, ("muscles", "actuators", "drives")),
    "contact": (mujoco.mjtDisableBit.mjDSBL_CONTACT, ("contacts",)),
    "equality": (mujoco.mjtDisableBit.mjDSBL_EQUALITY, ("closures",)),
    "constraint": (mujoco.mjtDisableBit.mjDSBL_CONSTRAINT, ("contacts", "closures")),
}


def read_source(model: BodyModel) -> tuple[Any, list[str]]:
    """Return the `mujoco.MjSpec` of a model's source file, all parts that can be addressed named; and remarks.

    Raises
    ------
    AnimatError
        If the file cannot be read, or what the model adds cannot act in it.
    """
    source, remarks = model.source, list[str]()
    assert source is not None
    path = Path(source.path)
    if source.kind == "osim":
        raise AnimatError("MuJoCo cannot run an .osim model; write `engine: opensim`", file=path)
    try:
        spec = read_sdf(path, remarks) if source.kind == "sdf" else _parse(path)
    except (ValueError, ElementTree.ParseError) as error:
        raise AnimatError(f"MuJoCo cannot read this file: {error}", file=path) from None
    if source.kind == "urdf":
        _join_root(spec, path, model.base, remarks)
    _name(spec)
    if model.gravity is not None:
        spec.option.gravity = model.gravity
        spec.option.disableflags &= ~int(mujoco.mjtDisableBit.mjDSBL_GRAVITY)
    for switch, (bit, sections) in _SWITCHES.items():
        added = [part.name for section in sections for part in getattr(model, section)]
        if added and spec.option.disableflags & int(bit):
            what = f'the file says <flag {switch}="disable"/>, so {", ".join(added)} could do nothing; take it out'
            raise AnimatError(what, file=path)
    _tell_keyframes(spec, model, source, remarks)
    return spec, remarks


def _tell_keyframes(spec: Any, model: BodyModel, source: SourceFile, remarks: list[str]) -> None:
    names = [key.name for key in spec.keys]
    if model.keyframe is None and names:
        known = ", ".join(names[:8]) + ", .." * (len(names) > 8)
        remarks.append(
            f"{Path(source.path).name} has keyframes ({known}); the body starts from the reference pose, or from a "
            f"keyframe with `keyframe: {names[0]}`"
        )


def _parse(path: Path) -> Any:
    """Read a file that MuJoCo knows by its ending, or its text as if it had one."""
    if path.suffix in (".xml", ".urdf"):
        return mujoco.MjSpec.from_file(str(path))
    return mujoco.MjSpec.from_file(f"{path}.xml", include={f"{path}.xml": path.read_bytes()})


def _join_root(spec: Any, path: Path, base: str | None, remarks: list[str]) -> None:
    """Let the root link of a URDF file move freely if `base` says so, or says nothing and the link has a mass."""
    text = re.sub(rb"<!--.*?-->", b"", path.read_bytes(), flags=re.DOTALL)
    children = {name.decode(errors="replace") for name in re.findall(rb"""<child\s+link\s*=\s*["']([^"']*)""", text)}
    roots = [body for body in spec.worldbody.bodies if body.name not in children and body.mass > 0]
    if base == "free" and not roots:
        raise AnimatError("base: free needs a root link that has a mass and is not called 'world'", file=path)
    for body in roots if base != "fixed" else ():
        body.add_freejoint(name=_untaken(body.name, {joint.name for joint in spec.joints}))
        if base is None:
            remarks.append(
                f"{path.name} does not tie {body.name} to the world: it is free to move; `base: fixed` welds it"
            )


def _untaken(name: str, taken: set[Any]) -> str:
    while name in taken:
        name += "_"
    return name


def _name(spec: Any) -> None:
    """Name unnamed parts by their kind and place."""
    for kind, parts in (
        ("body", spec.bodies[1:]),
        ("joint", spec.joints),
        ("actuator", spec.actuators),
        ("sensor", spec.sensors),
        ("key", spec.keys),
    ):
        taken = {part.name for part in parts}
        for number, part in enumerate(parts):
            if not part.name:
                part.name = _untaken(f"{kind}_{number}", taken)
                taken.add(part.name)
