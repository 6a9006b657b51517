"""Meshes and pictures that MuJoCo does not find or read by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.body.files import find
from animat.errors import AnimatError

__all__ = ["lead", "read_collada", "read_stl_text"]

Corners = NDArray[np.float64]


def lead(spec: Any, home: Path) -> bool:
    """Lead the file names of a `mujoco.MjSpec` to files, and read those meshes that MuJoCo cannot.

    To be called when it cannot be compiled as it is; returns whether anything changed. `home` is the model's folder.

    Raises
    ------
    AnimatError
        If a mesh cannot be read.
    """
    changed = False
    for asset in (*spec.meshes, *spec.hfields, *spec.skins):
        item = find(asset.file, home, (spec.compiler.meshdir,)) if asset.file else None
        corners = None if item is None or not hasattr(asset, "userface") else _corners_of(item.path)
        if corners is not None:
            vertices, places = np.unique(corners.astype(np.float32), axis=0, return_inverse=True)
            asset.uservert, asset.userface = vertices.astype(float).ravel(), places.reshape(-1).astype(np.int32)
            asset.file, changed = "", True
        elif item is not None and asset.file != str(item.path):
            asset.file, changed = str(item.path), True
    for picture in spec.textures:
        for side, name in enumerate([picture.file, *picture.cubefiles]):
            item = find(name, home, (spec.compiler.texturedir,)) if name else None
            if item is not None and name != str(item.path):
                if side == 0:
                    picture.file = str(item.path)
                else:
                    picture.cubefiles[side - 1] = str(item.path)
                changed = True
    return changed


def _corners_of(path: Path) -> Corners | None:
    if path.suffix.lower() == ".dae":
        return read_collada(path)
    if path.suffix.lower() == ".stl":
        with path.open("rb") as file:
            start = file.read(1024)
        return read_stl_text(path) if start.lstrip().startswith(b"solid") and b"facet" in start else None
    return None


def read_stl_text(path: Path) -> Corners:
    """Return the (corners, 3) of the triangles of an STL file that is written as text, three corners each."""
    words = path.read_text(encoding="latin-1").split()
    try:
        found = np.array([words[k + 1 : k + 4] for k, word in enumerate(words) if word == "vertex"], float)
    except ValueError as error:
        raise AnimatError(f"this mesh cannot be read ({error})", file=path) from None
    if not len(found) or len(found) % 3:
        raise AnimatError("this mesh holds no triangles", file=path)
    return found


def read_collada(path: Path) -> Corners:
    """Return the (corners, 3) in m of the triangles of a COLLADA file, three corners each.

    Of what the file says of itself the unit counts, the upward axis does not, as in RViz and Gazebo.

    Raises
    ------
    AnimatError
        If pycollada is not installed, or the file cannot be read or holds no triangles.
    """
    try:
        from collada import Collada
        from collada.common import DaeBrokenRefError, DaeUnsupportedError
    except ImportError:
        raise AnimatError("meshes in COLLADA need pycollada: pip install 'animat[collada]'", file=path) from None
    try:
        content = Collada(str(path), ignore=[DaeUnsupportedError, DaeBrokenRefError])
        corners = list(_corners(content.scene))
        metres = content.assetInfo.unitmeter or 1.0
    except Exception as error:  # a foreign parser of foreign files
        raise AnimatError(f"this mesh cannot be read ({type(error).__name__}: {error})", file=path) from None
    if not corners:
        raise AnimatError("this mesh holds no triangles", file=path)
    found: Corners = metres * np.concatenate(corners).astype(float)
    return found


def _corners(scene: Any) -> Iterator[NDArray[np.float32]]:
    for geometry in scene.objects("geometry") if scene is not None else ():
        for primitive in geometry.primitives():
            if hasattr(primitive, "triangleset"):
                primitive = primitive.triangleset()
            index = getattr(primitive, "vertex_index", None)
            if index is not None and np.shape(index)[1:] == (3,):
                yield primitive.vertex[index].reshape(-1, 3)
