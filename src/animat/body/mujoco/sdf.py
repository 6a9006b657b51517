"""From an SDF file of Gazebo's to a MuJoCo specification: links, joints, shapes and masses of its models.

Sensors, plugins, lights and materials other than colours are left out, which a remark tells.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import mujoco
import numpy as np

from animat.body.files import find, read_xml
from animat.body.model import EARTH
from animat.body.mujoco.versions import per_dof
from animat.body.pose import compose, inverse, quaternion, relative, rotate
from animat.errors import AnimatError

__all__ = ["read_sdf"]

Element = Any
Pose = tuple[tuple[float, ...], tuple[float, ...]]
HERE: Pose = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))
#: Gazebo's time step in s where a file says none.
_TIMESTEP = 0.001
#: Files write large numbers (rad or m) where a joint has no limit.
_NO_LIMIT = 1e3
#: Shapes that collide are in a group that is drawn only where a link has no others.
_COLLISION_GROUP = 3


class _Link(NamedTuple):
    element: Element
    pose: Pose
    static: bool


class _Joint(NamedTuple):
    name: str
    element: Element
    parent: str
    child: str
    model: Pose
    #: Axes without a frame of their own are in the model's, up to version 1.4, or in the joint's.
    in_model: bool


class _Sdf:
    """Collects the links and joints of all models of a file, in the world's frame, and builds them."""

    def __init__(self) -> None:
        self.links: dict[str, _Link] = {}
        self.joints: list[_Joint] = []
        self.left_out: set[str] = set()

    def collect(self, root: Element, home: Path, place: Pose, prefix: str, static: bool, single: bool) -> None:
        """Take in every model below `root`; the links of the only one keep their bare names."""
        old = tuple(int(part) for part in root.get("version", "1.6").split(".")[:2]) < (1, 5)
        for holder in [root, *root.findall("world")]:
            for model in holder.findall("model"):
                inner = prefix if single else f"{prefix}{model.get('name', 'model')}::"
                self._model(model, home, _after(place, self._pose(model)), inner, static, old)
            for include in holder.findall("include"):
                self._include(include, home, place, prefix, static)

    def _include(self, include: Element, home: Path, place: Pose, prefix: str, static: bool) -> None:
        uri = include.findtext("uri", "").strip().rstrip("/")
        item = find(uri if uri.endswith(".sdf") else f"{uri}/model.sdf", home)
        if item is None or item.guessed:
            self.left_out.add(f"<include> {uri}, which is not here")
            return
        root = read_xml(item.path)
        name = include.findtext("name") or next((model.get("name", "model") for model in root.iter("model")), "model")
        static = static or _true(include.findtext("static", "0"))
        self.collect(root, item.path.parent, _after(place, self._pose(include)), f"{prefix}{name}::", static, True)

    def _model(self, model: Element, home: Path, place: Pose, prefix: str, static: bool, old: bool) -> None:
        static = static or _true(model.findtext("static", "0"))
        poses: dict[str, Pose] = {}
        for link in model.findall("link"):
            poses[link.get("name", "")] = _after(self._base(link, place, poses), self._pose(link))
            link.set("home", str(home))
            self.links[prefix + link.get("name", "")] = _Link(link, poses[link.get("name", "")], static)
        for joint in model.findall("joint"):
            names = [joint.findtext(end, "").strip() for end in ("parent", "child")]
            parent, child = ("world" if name == "world" else prefix + name for name in names)
            self.joints.append(_Joint(prefix + joint.get("name", ""), joint, parent, child, place, old))
        for inner in model.findall("model"):
            self._model(inner, home, _after(place, self._pose(inner)), f"{prefix}{inner.get('name')}::", static, old)
        for include in model.findall("include"):
            self._include(include, home, place, prefix, static)

    def _base(self, link: Element, place: Pose, poses: dict[str, Pose]) -> Pose:
        pose = link.find("pose")
        name = "" if pose is None else pose.get("relative_to", "")
        if name in ("", "__model__"):
            return place
        if name not in poses:
            raise AnimatError(f"link {link.get('name')!r}: its pose is relative to {name!r}, no link above it")
        return poses[name]

    def _pose(self, element: Element) -> Pose:
        pose = element.find("pose")
        if pose is None or not (pose.text or "").strip():
            return HERE
        x, y, z, *angles = (float(word) for word in pose.text.split())
        if _true(pose.get("degrees", "0")):
            angles = [float(angle) for angle in np.radians(angles)]
        return (x, y, z), quaternion(angles)

    def build(self, spec: Any) -> None:
        """Add all links to the specification: each below the parent of its first joint, others free, or fixed."""
        above: dict[str, _Joint] = {}
        ties: list[_Joint] = []
        for joint in self.joints:
            for end in (joint.parent, joint.child):
                if end != "world" and end not in self.links:
                    raise AnimatError(f"joint {joint.name!r} names the link {end!r}, which is not there")
            if joint.element.get("type") == "gearbox":
                self.left_out.add("gearbox joints")
            elif joint.child == "world" or joint.child in above:
                ties.append(joint)
            else:
                above[joint.child] = joint
        bodies: dict[str, Any] = {"world": spec.worldbody}
        for name in self.links:
            self._grow(spec, name, above, bodies, set())
        for joint in ties:
            self._tie(spec, joint)

    def _grow(self, spec: Any, name: str, above: dict[str, _Joint], bodies: dict[str, Any], open_: set[str]) -> None:
        if name in bodies:
            return
        if name in open_:
            raise AnimatError(f"the joints above link {name!r} go round in a circle")
        joint, link = above.get(name), self.links[name]
        parent = "world" if joint is None else joint.parent
        if parent != "world":
            self._grow(spec, parent, above, bodies, open_ | {name})
        start = HERE if parent == "world" else self.links[parent].pose
        position, turned = relative(start, link.pose)
        body = bodies[name] = bodies[parent].add_body(name=name, pos=position, quat=turned)
        if not link.static:
            _inertial(body, link.element, self._pose)
            if joint is None:
                body.add_freejoint(name=name)
            else:
                self._join(body, joint)
        for kind in ("collision", "visual"):
            for shape in link.element.findall(kind):
                self._shape(spec, body, shape, kind == "visual", Path(link.element.get("home")))
        for tag in ("sensor", "light", "projector"):
            if link.element.find(tag) is not None:
                self.left_out.add(f"{tag}s")

    def _axes(self, joint: _Joint) -> list[tuple[Element, tuple[float, ...]]]:
        """Return each axis of a joint and its direction in the child's frame."""
        turned = self._pose(joint.element)[1]
        to_child = inverse(self.links[joint.child].pose[1])
        found = []
        for tag in ("axis", "axis2"):
            axis = joint.element.find(tag)
            if axis is None:
                continue
            xyz = axis.find("xyz")
            direction = [float(word) for word in (xyz.text if xyz is not None and xyz.text else "0 0 1").split()]
            frame = "" if xyz is None else xyz.get("expressed_in", "")
            if frame not in ("", "__model__"):
                raise AnimatError(f"joint {joint.name!r}: its axis is in the frame {frame!r}; only __model__ is read")
            in_model = joint.in_model or frame or _true(axis.findtext("use_parent_model_frame", "0"))
            if in_model:
                direction = list(rotate(to_child, rotate(joint.model[1], direction)))
            else:
                direction = list(rotate(turned, direction))
            found.append((axis, tuple(direction)))
        return found

    def _join(self, body: Any, joint: _Joint) -> None:
        kind, anchor = joint.element.get("type", ""), self._pose(joint.element)[0]
        if kind == "ball":
            body.add_joint(name=joint.name, type=mujoco.mjtJoint.mjJNT_BALL, pos=anchor)
        elif kind in ("revolute", "continuous", "prismatic", "universal", "revolute2"):
            axes = self._axes(joint)[: 2 if kind in ("universal", "revolute2") else 1]
            for number, (axis, direction) in enumerate(axes):
                added = body.add_joint(name=joint.name + "_2" * number, pos=anchor, axis=direction)
                added.type = mujoco.mjtJoint.mjJNT_SLIDE if kind == "prismatic" else mujoco.mjtJoint.mjJNT_HINGE
                low, high = float(axis.findtext("limit/lower", "-1e16")), float(axis.findtext("limit/upper", "1e16"))
                if kind != "continuous" and -_NO_LIMIT < low < high < _NO_LIMIT:
                    added.range = (low, high)
                added.damping = per_dof(float(axis.findtext("dynamics/damping", "0")))
                added.frictionloss = float(axis.findtext("dynamics/friction", "0"))
                added.stiffness = per_dof(float(axis.findtext("dynamics/spring_stiffness", "0")))
                added.springref = float(axis.findtext("dynamics/spring_reference", "0"))
        elif kind != "fixed":
            raise AnimatError(f"joint {joint.name!r}: {kind} joints are not read")

    def _tie(self, spec: Any, joint: _Joint) -> None:
        """Close a loop: points of the child and the parent stay together, two along an axis, all if fixed."""
        kind, anchor = joint.element.get("type", ""), self._pose(joint.element)[0]
        if kind == "fixed" and joint.child != "world":
            tie = spec.add_equality(name=joint.name, type=mujoco.mjtEq.mjEQ_WELD)
            tie.objtype, tie.name1, tie.name2 = mujoco.mjtObj.mjOBJ_BODY, joint.child, joint.parent
            return
        if kind not in ("revolute", "ball") or joint.child == "world":
            raise AnimatError(f"joint {joint.name!r}: a {kind} joint that closes a loop is not read")
        points = [np.array(anchor)]
        if kind == "revolute":
            points.append(points[0] + 0.1 * np.array(self._axes(joint)[0][1]))
        for number, point in enumerate(points):
            tie = spec.add_equality(name=joint.name + "_2" * number, type=mujoco.mjtEq.mjEQ_CONNECT)
            tie.objtype, tie.name1, tie.name2 = mujoco.mjtObj.mjOBJ_BODY, joint.child, joint.parent
            tie.data[:3] = point

    def _shape(self, spec: Any, body: Any, shape: Element, visual: bool, home: Path) -> None:
        geometry = shape.find("geometry")
        form = next(iter(geometry), None) if geometry is not None else None
        found = None if form is None else self._form(spec, form, visual, home)
        if found is None:
            if form is not None:
                self.left_out.add(f"<{form.tag}> shapes" if form.tag != "mesh" else "meshes that are not here")
            return
        position, turned = self._pose(shape)
        geom = body.add_geom(pos=position, quat=turned, **found)
        if visual:
            geom.contype = geom.conaffinity = 0
            geom.mass = 0.0
        else:
            geom.group = _COLLISION_GROUP
            friction = shape.findtext("surface/friction/ode/mu")
            if friction is not None:
                geom.friction[0] = min(float(friction), 1e3)
        colour = shape.findtext("material/diffuse") or shape.findtext("material/ambient")
        if colour:
            geom.rgba = ([float(word) for word in colour.split()] + [1.0])[:4]

    def _form(self, spec: Any, form: Element, visual: bool, home: Path) -> dict[str, Any] | None:
        types = mujoco.mjtGeom
        if form.tag == "box":
            return {"type": types.mjGEOM_BOX, "size": [float(word) / 2 for word in form.findtext("size", "").split()]}
        if form.tag in ("sphere", "cylinder", "capsule"):
            size = [float(form.findtext("radius", "0")), float(form.findtext("length", "0")) / 2, 0.0]
            return {"type": getattr(types, f"mjGEOM_{form.tag.upper()}"), "size": size}
        if form.tag == "ellipsoid":
            return {"type": types.mjGEOM_ELLIPSOID, "size": [float(w) for w in form.findtext("radii", "").split()]}
        if form.tag == "plane":
            size = [float(word) / 2 for word in form.findtext("size", "2 2").split()]
            return {"type": types.mjGEOM_PLANE, "size": [*size, 1.0]}
        if form.tag != "mesh":
            return None
        item = find(form.findtext("uri", "").strip(), home)
        if item is None and visual:
            return None
        file = form.findtext("uri", "").strip() if item is None else str(item.path)
        name = f"{'visual' if visual else 'collision'} {len(spec.meshes)}"
        mesh = spec.add_mesh(name=name, file=file, scale=[float(w) for w in form.findtext("scale", "1 1 1").split()])
        if visual:
            mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL
        return {"type": types.mjGEOM_MESH, "meshname": name}


def read_sdf(path: Path, remarks: list[str]) -> Any:
    """Return the `mujoco.MjSpec` of an SDF file with models or a world.

    Raises
    ------
    AnimatError, ValueError, xml.etree.ElementTree.ParseError
        If it cannot be read.
    """
    root = read_xml(path)
    spec = mujoco.MjSpec()
    spec.modelname, spec.modelfiledir = path.stem, str(path.parent)
    spec.compiler.degree, spec.compiler.autolimits = False, True
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.timestep = float(root.findtext("world/physics/max_step_size", str(_TIMESTEP)))
    gravity = root.findtext("world/gravity") or root.findtext("world/physics/gravity")
    spec.option.gravity = EARTH if gravity is None else [float(word) for word in gravity.split()]
    sdf = _Sdf()
    try:
        models = [*root.findall("model"), *root.findall("world/model")]
        sdf.collect(root, path.parent, HERE, "", False, len(models) == 1)
        sdf.build(spec)
    except AnimatError as error:
        raise error.at(path) from None
    if any(True for _ in root.iter("plugin")):
        sdf.left_out.add("plugins")
    if sdf.left_out:
        remarks.append(f"{path.name}: left out are {', '.join(sorted(sdf.left_out))}")
    return spec


def _inertial(body: Any, link: Element, pose: Any) -> None:
    """Give a body its mass (1 kg) and inertia (1 kg m^2 about each axis), as SDF has it where a file says nothing."""
    inertial = link.find("inertial")
    inertial = ElementTree.Element("inertial") if inertial is None else inertial
    body.mass = float(inertial.findtext("mass", "1"))
    body.ipos, body.iquat = pose(inertial)
    numbers = [float(inertial.findtext(f"inertia/{name}", default)) for name, default in _INERTIA]
    if any(numbers[3:]):
        turned = np.zeros(9)
        mujoco.mju_quat2Mat(turned, np.array(body.iquat))
        xx, yy, zz, xy, xz, yz = numbers
        inner = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        world = turned.reshape(3, 3) @ inner @ turned.reshape(3, 3).T
        body.fullinertia = [world[0, 0], world[1, 1], world[2, 2], world[0, 1], world[0, 2], world[1, 2]]
        body.iquat = (1.0, 0.0, 0.0, 0.0)
    else:
        body.inertia = numbers[:3]
    body.explicitinertial = True


_INERTIA = (("ixx", "1"), ("iyy", "1"), ("izz", "1"), ("ixy", "0"), ("ixz", "0"), ("iyz", "0"))


def _after(first: Pose, second: Pose) -> Pose:
    """Return the pose `second`, given in the frame `first`, in the frame that `first` is given in."""
    moved = np.add(first[0], rotate(first[1], second[0]))
    return tuple(float(number) for number in moved), compose(first[1], second[1])


def _true(text: str | None) -> bool:
    return (text or "").strip().lower() in ("1", "true")
