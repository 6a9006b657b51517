"""Triangles of what is no primitive - meshes, height fields, skins, flexes - each fixed to one body.

A skin or flex bends; here every triangle, or part of one, follows the body that moves it most.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

__all__ = ["Surface", "flexes", "height_field", "mesh", "skins"]

Points = NDArray[np.float64]
Faces = NDArray[np.intp]

#: Most rows and columns of a height field that are drawn.
_GRID = 100


class Surface(NamedTuple):
    """Triangles in a body's frame: `points` (n, 3) in m, `faces` (m, 3); and their colour's source."""

    points: Points
    faces: Faces
    body: int = 0
    group: int = 0
    rgba: tuple[float, ...] = ()
    material: int = -1


def mesh(compiled: Any, number: int) -> Surface:
    """Return a mesh in its geom's frame."""
    vertices = slice(compiled.mesh_vertadr[number], compiled.mesh_vertadr[number] + compiled.mesh_vertnum[number])
    faces = slice(compiled.mesh_faceadr[number], compiled.mesh_faceadr[number] + compiled.mesh_facenum[number])
    return Surface(compiled.mesh_vert[vertices], compiled.mesh_face[faces])


def height_field(compiled: Any, number: int) -> Surface:
    """Return the top of a height field in its geom's frame, of a large one every few rows and columns."""
    rows, columns = int(compiled.hfield_nrow[number]), int(compiled.hfield_ncol[number])
    first = int(compiled.hfield_adr[number])
    across, along, top, _ = compiled.hfield_size[number]
    heights = compiled.hfield_data[first : first + rows * columns].reshape(rows, columns)
    row, column = (np.unique(np.linspace(0, n - 1, min(n, _GRID)).round().astype(int)) for n in (rows, columns))
    x, y = np.meshgrid(across * (2 * column / (columns - 1) - 1), along * (2 * row / (rows - 1) - 1))
    points = np.stack([x, y, top * heights[np.ix_(row, column)]], axis=-1).reshape(-1, 3)
    corner = (np.arange(len(row) - 1)[:, None] * len(column) + np.arange(len(column) - 1)).ravel()
    next_row = corner + len(column)
    faces = np.concatenate(
        [np.stack([corner, corner + 1, next_row + 1], axis=1), np.stack([corner, next_row + 1, next_row], axis=1)]
    )
    return Surface(points, faces)


def skins(compiled: Any) -> Iterator[Surface]:
    """Yield the skins' triangles by bone, in the frames of the bones' bodies."""
    for skin in range(compiled.nskin):
        start, count = int(compiled.skin_vertadr[skin]), int(compiled.skin_vertnum[skin])
        points = compiled.skin_vert[start : start + count]
        first = int(compiled.skin_faceadr[skin])
        faces = compiled.skin_face[first : first + int(compiled.skin_facenum[skin])]
        bones = np.arange(compiled.skin_bonenum[skin]) + compiled.skin_boneadr[skin]
        weights = np.zeros((len(bones), count))
        for row, bone in zip(weights, bones, strict=True):
            held = slice(
                compiled.skin_bonevertadr[bone], compiled.skin_bonevertadr[bone] + compiled.skin_bonevertnum[bone]
            )
            row[compiled.skin_bonevertid[held]] = compiled.skin_bonevertweight[held]
        owner = weights[:, faces].sum(axis=2).argmax(axis=0)
        for place, bone in enumerate(bones):
            local = (points - compiled.skin_bonebindpos[bone]) @ _matrix(compiled.skin_bonebindquat[bone])
            yield from _part(
                local,
                faces[owner == place],
                int(compiled.skin_bonebodyid[bone]),
                int(compiled.skin_group[skin]),
                tuple(compiled.skin_rgba[skin].tolist()),
                int(compiled.skin_matid[skin]),
            )


def flexes(compiled: Any, data: Any) -> Iterator[Surface]:
    """Yield the flexes' triangles; of each the third that is nearest to a corner follows the body of this corner."""
    for flex in range(compiled.nflex):
        start, count = int(compiled.flex_vertadr[flex]), int(compiled.flex_vertnum[flex])
        at = data.flexvert_xpos[start : start + count]
        faces = _flex_faces(compiled, flex)
        if not len(faces):
            continue
        bodies = _flex_bodies(compiled, data, flex, at)
        corners = at[faces]
        turned = [np.roll(corners, turn, axis=1) for turn in range(3)]
        thirds = np.concatenate(
            [
                np.stack([a, (a + b) / 2, corners.mean(axis=1), (a + c) / 2], axis=1)
                for a, b, c in (corner.transpose(1, 0, 2) for corner in turned)
            ]
        )
        owner = np.concatenate([bodies[np.roll(faces, turn, axis=1)[:, 0]] for turn in range(3)])
        for body in np.unique(owner):
            points = thirds[owner == body].reshape(-1, 3)
            first = 4 * np.arange(len(points) // 4)[:, None]
            yield from _part(
                (points - data.xpos[body]) @ data.xmat[body].reshape(3, 3),
                np.concatenate([first + np.array(half) for half in ([0, 1, 2], [0, 2, 3])]),
                int(body),
                int(compiled.flex_group[flex]),
                tuple(compiled.flex_rgba[flex].tolist()),
                int(compiled.flex_matid[flex]),
            )


def _flex_faces(compiled: Any, flex: int) -> Faces:
    if compiled.flex_dim[flex] == 2:
        first, count = int(compiled.flex_elemdataadr[flex]), int(compiled.flex_elemnum[flex])
        found: Faces = compiled.flex_elem[first : first + 3 * count].reshape(-1, 3).astype(np.intp)
    elif compiled.flex_dim[flex] == 3:
        first, count = int(compiled.flex_shelldataadr[flex]), int(compiled.flex_shellnum[flex])
        found = compiled.flex_shell[first : first + 3 * count].reshape(-1, 3).astype(np.intp)
    else:
        found = np.zeros((0, 3), np.intp)
    return found


def _flex_bodies(compiled: Any, data: Any, flex: int, at: Points) -> Faces:
    """Return the body that moves each vertex: its own, or where a few nodes move all the nearest node's."""
    first, count = int(compiled.flex_vertadr[flex]), int(compiled.flex_vertnum[flex])
    bodies: Faces = compiled.flex_vertbodyid[first : first + count].astype(np.intp)
    nodes = slice(compiled.flex_nodeadr[flex], compiled.flex_nodeadr[flex] + compiled.flex_nodenum[flex])
    if compiled.flex_nodenum[flex]:
        movers = compiled.flex_nodebodyid[nodes].astype(np.intp)
        distance = np.linalg.norm(at[:, None] - data.xpos[movers], axis=2)
        bodies = movers[distance.argmin(axis=1)]
    return np.maximum(bodies, 0)


def _part(
    points: Points, faces: Faces, body: int, group: int, rgba: tuple[float, ...], material: int
) -> Iterator[Surface]:
    if len(faces):
        used, places = np.unique(faces, return_inverse=True)
        yield Surface(points[used], places.reshape(-1, 3), body, group, rgba, material)


def _matrix(quaternion: Any) -> Points:
    turned = np.zeros(9)
    mujoco.mju_quat2Mat(turned, quaternion.astype(float))
    return turned.reshape(3, 3)
