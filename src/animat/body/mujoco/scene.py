"""What a viewer draws of a compiled MuJoCo model, and the paths of its muscles and tendons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from animat.body.model import BodyModel
from animat.body.mujoco.ports import Controls
from animat.body.mujoco.surfaces import Surface, flexes, height_field, mesh, skins
from animat.body.protocol import Cord, Scene, Shape

__all__ = ["Paths", "colours_of", "make_scene", "material_colours"]

_KINDS = {
    mujoco.mjtGeom.mjGEOM_PLANE: ("plane", 2),
    mujoco.mjtGeom.mjGEOM_SPHERE: ("sphere", 1),
    mujoco.mjtGeom.mjGEOM_CAPSULE: ("capsule", 2),
    mujoco.mjtGeom.mjGEOM_ELLIPSOID: ("ellipsoid", 3),
    mujoco.mjtGeom.mjGEOM_CYLINDER: ("cylinder", 2),
    mujoco.mjtGeom.mjGEOM_BOX: ("box", 3),
    mujoco.mjtGeom.mjGEOM_MESH: ("mesh", 0),
    mujoco.mjtGeom.mjGEOM_SDF: ("mesh", 0),
    mujoco.mjtGeom.mjGEOM_HFIELD: ("mesh", 0),
}
#: Geometry in groups from 3 on is hidden by convention (collision shapes).
_FIRST_HIDDEN_GROUP = 3
#: MuJoCo's colour of what says none; a material's counts there.
_NO_COLOUR = np.array([0.5, 0.5, 0.5, 1.0], np.float32)


class Paths:
    """The path points of all muscles, then of the other tendons in space that are drawn.

    Each has a fixed number of points, none for a muscle that pulls on a joint; a path that touches fewer repeats its
    last.
    """

    def __init__(self, compiled: Any, controls: Controls) -> None:
        muscles = [int(tendon) for tendon in controls.tendons]
        for actuator in controls.ready:
            pulls = compiled.actuator_trntype[actuator] == mujoco.mjtTrn.mjTRN_TENDON
            muscles.append(int(compiled.actuator_trnid[actuator, 0]) if pulls else -1)
        self.counts = tuple(self._count(compiled, tendon) for tendon in muscles)
        materials = material_colours(compiled)
        cords, tendons = [], [tendon for tendon in muscles if tendon >= 0]
        for tendon in range(compiled.ntendon):
            colour = _colour(compiled.tendon_rgba[tendon], int(compiled.tendon_matid[tendon]), materials)
            points = self._count(compiled, tendon)
            if tendon in tendons or not points or compiled.tendon_group[tendon] >= _FIRST_HIDDEN_GROUP or not colour[3]:
                continue
            cords.append(Cord(points=points, radius=float(compiled.tendon_width[tendon]), colour=colour))
            tendons.append(tendon)
        self.cords = tuple(cords)
        self._tendons = tendons
        self._counts = [self._count(compiled, tendon) for tendon in tendons]

    @staticmethod
    def _count(compiled: Any, tendon: int) -> int:
        if tendon < 0:
            return 0
        first = int(compiled.tendon_adr[tendon])
        kinds = compiled.wrap_type[first : first + int(compiled.tendon_num[tendon])]
        sites = np.count_nonzero(kinds == mujoco.mjtWrap.mjWRAP_SITE)
        round_shapes = np.count_nonzero(
            (kinds == mujoco.mjtWrap.mjWRAP_SPHERE) | (kinds == mujoco.mjtWrap.mjWRAP_CYLINDER)
        )
        return int(sites + 2 * round_shapes)

    def read(self, data: Any) -> NDArray[np.float64]:
        """Return (points, 3) in m."""
        points = data.wrap_xpos.reshape(-1, 3)
        found = np.zeros((sum(self._counts), 3))
        start = 0
        for tendon, count in zip(self._tendons, self._counts, strict=True):
            first, number = int(data.ten_wrapadr[tendon]), min(int(data.ten_wrapnum[tendon]), count)
            if number:
                found[start : start + number] = points[first : first + number]
                found[start + number : start + count] = points[first + number - 1]
            start += count
        return found


def make_scene(compiled: Any, model: BodyModel, paths: Paths, data: Any) -> Scene:
    """Return the drawable shapes of what is visible; a body whose every shape is in a hidden group shows these."""
    materials = material_colours(compiled)
    colours = colours_of(compiled, materials)
    drawable = (colours[:, 3] > 0) & np.isin(compiled.geom_type, [int(kind) for kind in _KINDS])
    visible = drawable & (compiled.geom_group < _FIRST_HIDDEN_GROUP)
    parts = [*skins(compiled), *flexes(compiled, data)]
    shown = {int(body) for body in compiled.geom_bodyid[visible]} | {part.body for part in parts}
    shapes = [
        _shape(compiled, geom, colours[geom])
        for geom in range(compiled.ngeom)
        if visible[geom] or (drawable[geom] and int(compiled.geom_bodyid[geom]) not in shown)
    ]
    shapes += [
        _drawn(part, link=part.body, colour=colour)
        for part in parts
        if (colour := _colour(part.rgba, part.material, materials))[3] and part.group < _FIRST_HIDDEN_GROUP
    ]
    focus = model.focus or (*compiled.stat.center.tolist(), float(compiled.stat.extent))
    return Scene(shapes=tuple(shapes), muscle_points=paths.counts, cords=paths.cords, focus=focus)


def _shape(compiled: Any, geom: int, colour: Any) -> Shape:
    kind = mujoco.mjtGeom(int(compiled.geom_type[geom]))
    name, sizes = _KINDS[kind]
    size = tuple(float(value) for value in compiled.geom_size[geom][:sizes])
    if name == "plane":
        size = tuple(value or 10.0 * float(compiled.stat.extent) for value in size)
    placed: dict[str, Any] = {
        "link": int(compiled.geom_bodyid[geom]),
        "position": tuple(compiled.geom_pos[geom].tolist()),
        "quaternion": tuple(compiled.geom_quat[geom].tolist()),
        "colour": tuple(colour.tolist()),
    }
    if name == "mesh":
        read = height_field if kind == mujoco.mjtGeom.mjGEOM_HFIELD else mesh
        return _drawn(read(compiled, int(compiled.geom_dataid[geom])), **placed)
    return Shape(kind=name, size=size, **placed)


def _drawn(surface: Surface, **placed: Any) -> Shape:
    return Shape(
        kind="mesh",
        vertices=np.ascontiguousarray(surface.points, "<f4").tobytes(),
        faces=np.ascontiguousarray(surface.faces, "<u4").tobytes(),
        **placed,
    )


def material_colours(compiled: Any) -> NDArray[np.float32]:
    """Return (r, g, b, a) that a material's texture multiplies a colour with, on average, and the material's own."""
    found = np.ones((compiled.nmat, 2, 4), np.float32)
    found[:, 1] = compiled.mat_rgba
    for material, texture in _textures(compiled):
        channels = int(compiled.tex_nchannel[texture])
        first = int(compiled.tex_adr[texture])
        count = int(compiled.tex_height[texture]) * int(compiled.tex_width[texture]) * channels
        mean = compiled.tex_data[first : first + count].reshape(-1, channels).mean(axis=0) / 255
        found[material, 0, :channels] = mean if channels >= 3 else mean[0]
    return found


def _textures(compiled: Any) -> Iterator[tuple[int, int]]:
    for material in range(compiled.nmat):
        for role in (mujoco.mjtTextureRole.mjTEXROLE_RGB, mujoco.mjtTextureRole.mjTEXROLE_RGBA):
            texture = int(compiled.mat_texid[material, int(role)])
            if texture >= 0:
                yield material, texture
                break


def _colour(rgba: Any, material: int, materials: NDArray[np.float32]) -> tuple[float, float, float, float]:
    colours = _mixed(np.array([rgba], np.float32), np.array([material]), materials)
    red, green, blue, alpha = colours[0].tolist()
    return (red, green, blue, alpha)


def _mixed(
    rgba: NDArray[np.float32], material: NDArray[np.int32], materials: NDArray[np.float32]
) -> NDArray[np.float32]:
    covered = material >= 0
    bare = covered & (rgba == _NO_COLOUR).all(axis=1)
    rgba[bare] = materials[material[bare], 1]
    rgba[covered] *= materials[material[covered], 0]
    return rgba


def colours_of(compiled: Any, materials: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (r, g, b, a) of every geometry, with its material and the mean of its texture."""
    return _mixed(compiled.geom_rgba.copy(), compiled.geom_matid, materials)
