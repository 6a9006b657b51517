"""Whether a body model can be built: names unique and known, numbers that make sense."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from animat.body.model import BodyModel
from animat.errors import AnimatError, unknown_name

__all__ = ["check_model"]

#: Where a part stands: (section, name) to (file, line).
Placing = Callable[[str, str], tuple[str | None, int | None]]

SECTIONS = (
    "links",
    "joints",
    "closures",
    "muscles",
    "actuators",
    "drives",
    "contacts",
    "rangefinders",
    "eyes",
    "objects",
    "rewards",
    "magnets",
)


def check_model(model: BodyModel, place: Placing = lambda section, name: (None, None)) -> None:
    """Refuse duplicates, unknown names and impossible numbers. With a `source` file, names are left to the engine.

    Raises
    ------
    AnimatError
        For the first problem, at the file and line that `place` knows.
    """
    for section, name, problem in _problems(model):
        raise problem.at(*place(section, name))


def _problems(model: BodyModel) -> Iterator[tuple[str, str, AnimatError]]:
    for section in SECTIONS:
        seen: set[str] = set()
        for part in getattr(model, section):
            if part.name in seen:
                yield (
                    section,
                    part.name,
                    AnimatError(f"{section} has two parts called {part.name!r}; names must differ"),
                )
            if not part.name or "/" in part.name:
                yield section, part.name, AnimatError(f"{part.name!r} cannot be a name: no slash, not empty")
            seen.add(part.name)
    links = [link.name for link in model.links]
    objects = [item.name for item in model.objects]
    for name in objects:
        if name in (*links, "world"):
            yield "objects", name, AnimatError(f"{name!r} is already the name of a link")
    yield from _out_of_place(model)
    if model.source is None:
        yield from _unknown(model, links, objects)
        yield from _tree(model, links)
    yield from _numbers(model)


def _out_of_place(model: BodyModel) -> Iterator[tuple[str, str, AnimatError]]:
    """Yield entries that the kind of the model has no place for, so that none is passed over in silence."""
    kind = "described" if model.source is None else model.source.kind
    for section in ("links", "joints"):
        for part in getattr(model, section):
            if model.source is not None:
                what = f"{part.name!r}: a {kind} file has its own {section}; add {section} there"
                yield section, part.name, AnimatError(what)
    if model.keyframe is not None and kind != "mjcf":
        yield "keyframe", "", AnimatError(f"keyframe {model.keyframe!r}: only MJCF files have keyframes")
    if model.base is not None and kind != "urdf":
        what = f"base: {model.base} says whether a URDF file is welded to the world; this body has joints that say so"
        yield "base", "", AnimatError(what)


def _unknown(model: BodyModel, links: list[str], objects: list[str]) -> Iterator[tuple[str, str, AnimatError]]:
    placed = ["world", *links]
    moving = {joint.name for joint in model.joints if joint.kind in ("revolute", "slide")}
    speeds = {actuator.name for actuator in model.actuators if actuator.kind == "velocity"}
    uses: list[tuple[str, str, str, str, object]] = []
    for joint in model.joints:
        uses += [
            ("joints", joint.name, "link", joint.child, links),
            ("joints", joint.name, "link", joint.parent, placed),
        ]
    for closure in model.closures:
        uses += [("closures", closure.name, "link", name, placed) for name in (closure.first, closure.second)]
    for muscle in model.muscles:
        uses += [("muscles", muscle.name, "link", point.link, placed) for point in muscle.path]
    for actuator in model.actuators:
        uses.append(("actuators", actuator.name, "revolute or slide joint", actuator.joint, moving))
    for drive in model.drives:
        uses.append(("drives", drive.name, "link", drive.link, links))
        uses += [("drives", drive.name, "velocity actuator", name, speeds) for name in (*drive.left, *drive.right)]
    for contact in model.contacts:
        names = [contact.on] if contact.by is None else [contact.on, contact.by]
        uses += [("contacts", contact.name, "link or object", name, [*links, *objects]) for name in names]
    for section in ("rangefinders", "eyes"):
        uses += [(section, part.name, "link", part.link, placed) for part in getattr(model, section)]
    uses += [("rewards", reward.name, "object", reward.drop, objects) for reward in model.rewards]
    uses += [("magnets", magnet.name, "link", magnet.link, links) for magnet in model.magnets]
    for section, part, kind, name, known in uses:
        if name not in known:  # type: ignore[operator]
            yield section, part, AnimatError(f"{part}: {unknown_name(kind, name, known).what}")  # type: ignore[arg-type]


def _tree(model: BodyModel, links: list[str]) -> Iterator[tuple[str, str, AnimatError]]:
    parent: dict[str, str] = {}
    for joint in model.joints:
        if joint.child in parent:
            what = f"{joint.child!r} is the child of two joints; close the loop with an entry of `closures`"
            yield "joints", joint.name, AnimatError(what)
        parent[joint.child] = joint.parent
    for name in links:
        if name not in parent:
            what = f"link {name!r} is the child of no joint; give it one (kind: fixed, free, revolute, slide or ball)"
            yield "links", name, AnimatError(what)
        above, steps = name, 0
        while above != "world" and above in parent and steps <= len(links):
            above, steps = parent[above], steps + 1
        if steps > len(links):
            what = f"the joints above link {name!r} go round in a circle; close the loop with an entry of `closures`"
            yield "links", name, AnimatError(what)
    for link in model.links:
        if link.shapes and any(shape.kind == "plane" for shape in link.shapes):
            yield "links", link.name, AnimatError(f"link {link.name!r} has a plane; only world objects can")


def _numbers(model: BodyModel) -> Iterator[tuple[str, str, AnimatError]]:
    sizes = {"box": 3, "sphere": 1, "capsule": 2, "cylinder": 2, "plane": 2, "ellipsoid": 3}
    for section in ("links", "objects"):
        for part in getattr(model, section):
            for shape in part.shapes:
                if len(shape.size) != sizes[shape.kind] or (shape.kind != "plane" and min(shape.size) <= 0):
                    what = (
                        f"{part.name}: a {shape.kind} needs {sizes[shape.kind]} positive sizes, got {list(shape.size)}"
                    )
                    yield section, part.name, AnimatError(what)
    for joint in model.joints:
        if joint.limits is not None and not joint.limits[0] < joint.limits[1]:
            yield (
                "joints",
                joint.name,
                AnimatError(f"{joint.name}: the lower limit must lie below the upper, got {joint.limits}"),
            )
        if not any(joint.axis):
            yield "joints", joint.name, AnimatError(f"{joint.name}: the axis must not be zero")
        if joint.kind in ("fixed", "free") and (joint.limits is not None or joint.damping or joint.stiffness):
            what = f"{joint.name}: a {joint.kind} joint has no limits, damping or stiffness"
            yield "joints", joint.name, AnimatError(what)
    for link in model.links:
        if any(link.inertia) and not link.mass:
            yield "links", link.name, AnimatError(f"{link.name}: an inertia needs a mass")
    for actuator in model.actuators:
        if actuator.damping and actuator.kind != "position":
            what = f"{actuator.name}: only a position actuator has damping; a {actuator.kind}'s is its joint's"
            yield "actuators", actuator.name, AnimatError(what)
    for muscle in model.muscles:
        if len(muscle.path) < 2:
            yield "muscles", muscle.name, AnimatError(f"{muscle.name}: a path needs at least two points")
        for name in (
            "max_isometric_force",
            "optimal_fibre_length",
            "max_speed",
            "activation_time",
            "deactivation_time",
        ):
            if getattr(muscle, name) <= 0:
                yield "muscles", muscle.name, AnimatError(f"{muscle.name}: {name} must be positive")
    for eye in model.eyes:
        if not (0 < eye.width <= 4096 and 0 < eye.height <= 4096 and eye.period > 0 and 0 < eye.view < 3.14):
            what = f"{eye.name}: width and height lie between 1 and 4096, view between 0 and 3.14 rad, period above 0"
            yield "eyes", eye.name, AnimatError(what)
    if model.timestep is not None and model.timestep <= 0:
        yield "", "", AnimatError("timestep must be longer than 0 ms")
