"""From a body model to an OpenSim model that can run: described bodies are built, `.osim` files kept as they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from animat.body.model import EARTH, BodyModel
from animat.body.opensim.described import add_links, add_parts
from animat.body.opensim.quiet import import_opensim
from animat.body.opensim.settings import OpenSimSettings
from animat.errors import AnimatError, unknown_name

__all__ = ["Built", "build", "short", "state_names"]

#: Entries of a description that act on a file's model, or on what is added to it.
_FOR_FILES = (
    "name",
    "source",
    "gravity",
    "closures",
    "muscles",
    "activation_dynamics",
    "actuators",
    "objects",
    "rewards",
    "magnets",
    "focus",
)


@dataclass
class Built:
    """An OpenSim model and its parts, by name, in the order of the ports."""

    model: Any
    #: Ground first, as "world".
    bodies: dict[str, Any]
    muscles: dict[str, Any]
    #: Coordinates that are free to move.
    coordinates: dict[str, Any]
    #: All actuators that are no muscles.
    actuators: dict[str, Any]
    #: By coordinate: the actuator that applies an effort.
    efforts: dict[str, Any] = field(default_factory=dict)
    #: By link: the force, and its six constant functions.
    wrenches: dict[str, tuple[Any, list[Any]]] = field(default_factory=dict)
    #: Constraints with the port closure/NAME, each with the body in whose axes OpenSim tells its force.
    closures: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    #: Each magnet's force and its three constant functions.
    magnets: list[tuple[Any, list[Any]]] = field(default_factory=list)
    #: The state at the reference pose.
    state: Any = None


def build(model: BodyModel, settings: OpenSimSettings) -> Built:
    """Return the OpenSim model of `model`.

    Raises
    ------
    AnimatError
        If a part or setting has no counterpart in OpenSim or in the file, or a file cannot be read.
    """
    opened = _new(model, settings) if model.source is None else _read(model, settings)
    own = {muscle.getAbsolutePathString() for muscle in opened.getMuscleList()}
    bodies = {"world": opened.getGround()} | _named(filter(_is_own, opened.getBodyList()), "world")
    for item in model.objects:
        if item.name in bodies:
            raise AnimatError(f"object {item.name!r} is already the name of a body; give it another")
    add_parts(opened, model, bodies)
    for muscle in opened.getMuscleList():
        _choose(muscle, model, settings, own=muscle.getAbsolutePathString() in own)
    state = _start(opened, model, settings)
    muscles = _named(opened.getMuscleList())
    if model.source is not None:
        _check_dynamics(muscles, model, settings)
    coordinates = _named(opened.getCoordinateSet().get(i) for i in range(opened.getCoordinateSet().getSize()))
    described = [joint.name for joint in model.joints if joint.kind in ("revolute", "slide")]
    built = Built(
        opened,
        bodies,
        muscles,
        {
            name: coordinate
            for name, coordinate in coordinates.items()
            if (name in described if model.source is None else _is_free(coordinate, state))
        },
        _named(part for part in opened.getActuatorList() if import_opensim().Muscle.safeDownCast(part) is None),
        closures=_closures(opened, model, bodies),
    )
    _add_ports(built, model)
    return built


def _new(model: BodyModel, settings: OpenSimSettings) -> Any:
    osim = import_opensim()
    if model.drives:
        raise AnimatError(
            f"the OpenSim engine has no drives such as {model.drives[0].name!r}: it knows muscles, motors, efforts and "
            "wrenches; write `engine: mujoco`"
        )
    opened = osim.Model()
    opened.setName(model.name)
    opened.setGravity(osim.Vec3(*(model.gravity or EARTH)))
    add_links(opened, model, settings.limits)
    opened.finalizeConnections()
    return opened


def _read(model: BodyModel, settings: OpenSimSettings) -> Any:
    osim = import_opensim()
    source = model.source
    assert source is not None
    if source.kind != "osim":
        raise AnimatError(
            f"OpenSim reads .osim files only, not {source.kind.upper()}; write `engine: mujoco`", file=source.path
        )
    for entry in msgspec.structs.fields(BodyModel):
        if entry.name not in _FOR_FILES and getattr(model, entry.name) != entry.default:
            raise AnimatError(
                f"`{entry.name}` does not act on an .osim file: OpenSim has no part of this kind, or the file itself "
                f"says it; what does: {', '.join(_FOR_FILES[2:])}"
            )
    for name in ("limit_stiffness", "limit_damping", "limit_transition"):
        if getattr(settings, name) is not None:
            raise AnimatError(f"`{name}` does not act on an .osim file, which has its own limits")
    try:
        opened = osim.Model(source.path)
        opened.finalizeConnections()
    except (RuntimeError, OSError) as error:
        raise AnimatError(f"OpenSim cannot read this file: {_reason(error)}", file=source.path) from None
    if model.gravity is not None:
        opened.setGravity(osim.Vec3(*model.gravity))
    return opened


def _choose(muscle: Any, model: BodyModel, settings: OpenSimSettings, *, own: bool) -> None:
    """Tell a muscle whether it has activation dynamics and an elastic tendon; a file's own keeps what nobody chose."""
    if not own or model.activation_dynamics is not None:
        muscle.set_ignore_activation_dynamics(not model.activation_dynamics)
    if not own or settings.tendon is not None:
        muscle.set_ignore_tendon_compliance(settings.tendon == "rigid")


def _start(opened: Any, model: BodyModel, settings: OpenSimSettings) -> Any:
    try:
        return opened.initSystem()
    except RuntimeError as error:
        for option, asked, entry in (
            ("ignore_activation_dynamics", model.activation_dynamics is False, "activation_dynamics: false"),
            ("ignore_tendon_compliance", settings.tendon == "rigid", "tendon: rigid"),
        ):
            if asked and option in str(error):
                raise AnimatError(
                    f"`{entry}` is impossible for muscles of this file, which OpenSim can only run as they are; leave "
                    f"it out ({short(error)})",
                    file=None if model.source is None else model.source.path,
                ) from None
        raise


def _check_dynamics(muscles: dict[str, Any], model: BodyModel, settings: OpenSimSettings) -> None:
    """Refuse a choice that a file's muscle silently does not follow."""
    assert model.source is not None
    for name, muscle in muscles.items():
        states = state_names(muscle)
        for asked, found, entry in (
            (model.activation_dynamics, "activation" in states, "activation_dynamics: true"),
            (
                None if settings.tendon is None else settings.tendon == "compliant",
                bool({"fiber_length", "normalized_tendon_force"} & states),
                "tendon: compliant",
            ),
        ):
            if asked and not found:
                kind = muscle.getConcreteClassName()
                raise AnimatError(
                    f"`{entry}` does not act on muscle {name!r} of this file, a {kind}", file=model.source.path
                )


def state_names(part: Any) -> set[str]:
    """Return the names of a component's state variables, such as activation."""
    found = part.getStateVariableNames()
    return {found.get(i).rsplit("/", 1)[-1] for i in range(found.getSize())}


def _is_own(body: Any) -> bool:
    """Return whether a body is the file's: not one that OpenSim adds, and makes anew, where joints form a loop."""
    owner = import_opensim().Body.safeDownCast(body.getOwner())
    return owner is None or not body.getName().startswith(f"{owner.getName()}_slave_")


def _is_free(coordinate: Any, state: Any) -> bool:
    return not (coordinate.isConstrained(state) or coordinate.getDefaultLocked())


def _named(components: Iterable[Any], *taken: str) -> dict[str, Any]:
    """Return components by name; where several share one, or it is taken or holds a slash, by path with dots."""
    found = list(components)
    count = Counter([*taken, *(component.getName() for component in found)])
    return {
        name
        if count[name := component.getName()] == 1 and "/" not in name
        else component.getAbsolutePathString().strip("/").replace("/", "."): component
        for component in found
    }


def _closures(opened: Any, model: BodyModel, bodies: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    parents: dict[str, str] = {}
    for joint in opened.getJointList():
        child, parent = (frame.findBaseFrame() for frame in (joint.getChildFrame(), joint.getParentFrame()))
        parents.setdefault(child.getAbsolutePathString(), parent.getAbsolutePathString())
    by_path = {body.getAbsolutePathString(): body for body in bodies.values()}
    found = {}
    for closure in model.closures:
        first, second = (bodies[name].getAbsolutePathString() for name in (closure.first, closure.second))
        common = by_path[_common(parents, first, second)]
        found[closure.name] = opened.getConstraintSet().get(closure.name), common
    return found


def _common(parents: dict[str, str], first: str, second: str) -> str:
    """Return the nearest body from which both bodies of a closure hang, or which is one of them."""
    above = _above(parents, first)
    return next((name for name in _above(parents, second) if name in above), "/ground")


def _above(parents: dict[str, str], name: str) -> list[str]:
    """Return a body and those from which it hangs, once round where a file's joints form a loop."""
    found = [name]
    while (parent := parents.get(found[-1])) is not None and parent not in found:
        found.append(parent)
    return found


def _add_ports(built: Built, model: BodyModel) -> None:
    """Add the actuators and forces that ports drive, and start the model anew."""
    osim = import_opensim()
    for name, coordinate in built.coordinates.items():
        motor = osim.CoordinateActuator(coordinate.getName())
        motor.setName(f"{name}_effort")
        motor.setOptimalForce(1.0)
        built.model.addForce(motor)
        built.efforts[name] = motor
    wrenches, magnets = {}, []
    for name, body in list(built.bodies.items())[1:]:
        centre = body.getMassCenter()
        wrenches[name] = _force(built, f"{name}_wrench", body, [centre.get(i) for i in range(3)])
    for magnet in model.magnets:
        if magnet.link not in built.bodies:
            raise unknown_name(f"link of the magnet {magnet.name!r}:", magnet.link, built.bodies)
        magnets.append(_force(built, f"{magnet.name}_magnet", built.bodies[magnet.link], magnet.point))
    built.state = built.model.initSystem()
    for name, motor in built.efforts.items():
        motor.setCoordinate(built.coordinates[name])
    for name, force in wrenches.items():
        built.wrenches[name] = force, _constants(force.get_forceFunctions()) + _constants(force.get_torqueFunctions())
    built.magnets = [(force, _constants(force.get_forceFunctions())) for force in magnets]


def _force(built: Built, name: str, body: Any, point: Sequence[float]) -> Any:
    """Add a force and torque of constant functions, in the world's axes, at a point of `body`; switched off."""
    osim = import_opensim()
    force = osim.PrescribedForce(name, body)
    force.setForceIsInGlobalFrame(True)
    force.setPointIsInGlobalFrame(False)
    force.setPointFunctions(*(osim.Constant(value) for value in point))
    force.setForceFunctions(*(osim.Constant(0.0) for _ in range(3)))
    force.setTorqueFunctions(*(osim.Constant(0.0) for _ in range(3)))
    force.set_appliesForce(False)
    built.model.addForce(force)
    return force


def _constants(functions: Any) -> list[Any]:
    """Return the constant functions that count: OpenSim copied those it was given."""
    osim = import_opensim()
    return [osim.Constant.safeDownCast(functions.get(number)) for number in range(functions.getSize())]


def _reason(error: BaseException) -> str:
    unknown = re.search(r"object type '\{(.+?)\}' is not a registered", str(error))
    if unknown is None:
        return short(error)
    version = import_opensim().GetVersion().split("-")[0]
    return f"it needs {unknown[1]}, which OpenSim {version} does not have; it belongs to a plugin or to another version"


def short(error: BaseException) -> str:
    """Return what OpenSim says, on one line."""
    return " ".join(str(error).split())[:500]
