"""From a user's MJCF or URDF file to a MuJoCo specification: as the file says, with paths that lead somewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import mujoco

from animat.body.model import BodyModel, SourceFile
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
        spec = _parse(path, _urdf(path, model.base, remarks) if source.kind == "urdf" else path.read_bytes())
    except (ValueError, ElementTree.ParseError) as error:
        raise AnimatError(f"MuJoCo cannot read this file: {error}", file=path) from None
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


def _parse(path: Path, text: bytes) -> Any:
    """Read a model's text as if it stood in `path`; MuJoCo itself knows files by the ending .xml or .urdf only."""
    name = f"{path}.xml"
    return mujoco.MjSpec.from_file(name, include={name: text})


def _urdf(path: Path, base: str | None, remarks: list[str]) -> bytes:
    """Return the text of a URDF file with its paths left as they are, and its root joined as `base` says."""
    text = path.read_bytes()
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))  # which keep their lines
    robot = ElementTree.fromstring(text, parser)
    compiler = robot.find("mujoco/compiler")
    if compiler is None:
        settings = robot.find("mujoco")
        if settings is None:
            settings = ElementTree.SubElement(robot, "mujoco")
        compiler = ElementTree.SubElement(settings, "compiler")
    compiler.set("strippath", "false")
    _join_root(robot, path, base, remarks)
    before = text[: max(text.find(b"<robot"), 0)].count(b"\n")
    return b"\n" * before + ElementTree.tostring(robot)


def _join_root(robot: Any, path: Path, base: str | None, remarks: list[str]) -> None:
    children = {child.get("link") for child in robot.iterfind("joint/child")}
    roots = [link for link in robot.iterfind("link") if link.get("name") not in children]
    if len(roots) != 1:
        return
    name = roots[0].get("name", "")
    if name == "world":
        if base == "free":
            raise AnimatError("base: free needs a root link that is not called 'world'", file=path)
        return
    mass = roots[0].find("inertial/mass")
    heavy = mass is not None and float(mass.get("value", 0)) > 0
    if base == "free" and not heavy:
        raise AnimatError(f"base: free needs a root link with a mass; {name!r} has none", file=path)
    if base == "fixed" or not heavy:
        return
    joint = ElementTree.SubElement(robot, "joint", name=_free_name(name, robot), type="floating")
    ElementTree.SubElement(joint, "parent", link="world")
    ElementTree.SubElement(joint, "child", link=name)
    robot.insert(0, ElementTree.Element("link", name="world"))
    if base is None:
        remarks.append(f"{path.name} does not tie {name} to the world: it is free to move; `base: fixed` welds it")


def _free_name(name: str, robot: Any) -> str:
    taken = {joint.get("name") for joint in robot.iterfind("joint")}
    return _untaken(name, taken)


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
