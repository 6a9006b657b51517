"""What a viewer draws of a compiled MuJoCo model, and the muscles' paths."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from animat.body.model import BodyModel
from animat.body.mujoco.ports import Controls
from animat.body.protocol import Scene, Shape

__all__ = ["Paths", "colours_of", "make_scene"]

_KINDS = {
    mujoco.mjtGeom.mjGEOM_PLANE: ("plane", 2),
    mujoco.mjtGeom.mjGEOM_SPHERE: ("sphere", 1),
    mujoco.mjtGeom.mjGEOM_CAPSULE: ("capsule", 2),
    mujoco.mjtGeom.mjGEOM_ELLIPSOID: ("ellipsoid", 3),
    mujoco.mjtGeom.mjGEOM_CYLINDER: ("cylinder", 2),
    mujoco.mjtGeom.mjGEOM_BOX: ("box", 3),
    mujoco.mjtGeom.mjGEOM_MESH: ("mesh", 0),
}
#: Geometry in groups from 3 on is hidden by convention (collision shapes).
_FIRST_HIDDEN_GROUP = 3


class Paths:
    """The path points of all muscles, a fixed number for each; a path that touches fewer repeats its last."""

    def __init__(self, compiled: Any, controls: Controls) -> None:
        tendons = [int(tendon) for tendon in controls.tendons]
        for actuator in controls.ready:
            if compiled.actuator_trntype[actuator] == mujoco.mjtTrn.mjTRN_TENDON:
                tendons.append(int(compiled.actuator_trnid[actuator, 0]))
        self._tendons = tendons
        self.counts = tuple(self._count(compiled, tendon) for tendon in tendons)

    @staticmethod
    def _count(compiled: Any, tendon: int) -> int:
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
        found = np.zeros((sum(self.counts), 3))
        start = 0
        for tendon, count in zip(self._tendons, self.counts, strict=True):
            first, number = int(data.ten_wrapadr[tendon]), min(int(data.ten_wrapnum[tendon]), count)
            if number:
                found[start : start + number] = points[first : first + number]
                found[start + number : start + count] = points[first + number - 1]
            start += count
        return found


def make_scene(compiled: Any, model: BodyModel, paths: Paths) -> Scene:
    """Return the drawable shapes of every visible geometry."""
    shapes, colours = [], colours_of(compiled)
    for geom in range(compiled.ngeom):
        kind = _KINDS.get(mujoco.mjtGeom(int(compiled.geom_type[geom])))
        colour = colours[geom]
        if kind is None or compiled.geom_group[geom] >= _FIRST_HIDDEN_GROUP or colour[3] == 0:
            continue
        name, sizes = kind
        size = tuple(float(value) for value in compiled.geom_size[geom][:sizes])
        if name == "plane":
            size = tuple(value or 10.0 * float(compiled.stat.extent) for value in size)
        vertices, faces = _mesh(compiled, int(compiled.geom_dataid[geom])) if name == "mesh" else (b"", b"")
        shapes.append(
            Shape(
                link=int(compiled.geom_bodyid[geom]),
                kind=name,
                size=size,
                position=tuple(compiled.geom_pos[geom].tolist()),
                quaternion=tuple(compiled.geom_quat[geom].tolist()),
                colour=tuple(float(value) for value in colour),  # type: ignore[arg-type]
                vertices=vertices,
                faces=faces,
            )
        )
    focus = model.focus or (*compiled.stat.center.tolist(), float(compiled.stat.extent))
    return Scene(shapes=tuple(shapes), muscle_points=paths.counts, focus=focus)


def colours_of(compiled: Any) -> NDArray[np.float32]:
    """Return (r, g, b, a) of every geometry: its material's where it has one."""
    colours: NDArray[np.float32] = compiled.geom_rgba.copy()
    covered = compiled.geom_matid >= 0
    if covered.any():
        colours[covered] = compiled.mat_rgba[compiled.geom_matid[covered]]
    return colours


def _mesh(compiled: Any, mesh: int) -> tuple[bytes, bytes]:
    vertex, face = int(compiled.mesh_vertadr[mesh]), int(compiled.mesh_faceadr[mesh])
    vertices = compiled.mesh_vert[vertex : vertex + int(compiled.mesh_vertnum[mesh])]
    faces = compiled.mesh_face[face : face + int(compiled.mesh_facenum[mesh])]
    return np.ascontiguousarray(vertices, "<f4").tobytes(), np.ascontiguousarray(faces, "<u4").tobytes()
