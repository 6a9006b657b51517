"""Meshes and pictures that MuJoCo does not find or read by itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.body.files import find
from animat.errors import AnimatError, told

__all__ = ["lead"]

Corners = NDArray[np.float64]


def lead(spec: Any, home: Path, remarks: list[str]) -> bool:
    """Lead the file names of a `mujoco.MjSpec` to files, and read those meshes that MuJoCo cannot.

    To be called when it cannot be compiled as it is; returns whether anything changed. `home` is the model's folder;
    `remarks` gets what was guessed.

    Raises
    ------
    AnimatError
        If a mesh cannot be read.
    """
    changed, guessed = False, list[str]()

    def place(name: str, folder: str) -> str:
        nonlocal changed
        item = find(name, home, (folder,)) if name else None
        if item is None or name == str(item.path):
            return name
        changed = True
        if item.guessed:
            guessed.append(f"{name} ({os.path.relpath(item.path, home)})")
        return str(item.path)

    for asset in (*spec.meshes, *spec.hfields, *spec.skins):
        asset.file = place(asset.file, spec.compiler.meshdir)
    for picture in spec.textures:
        picture.file = place(picture.file, spec.compiler.texturedir)
        for side, name in enumerate(list(picture.cubefiles)):
            picture.cubefiles[side] = place(name, spec.compiler.texturedir)
    for mesh in spec.meshes:
        corners = _corners_of(Path(mesh.file)) if mesh.file and Path(mesh.file).is_file() else None
        if corners is not None:
            vertices, places = np.unique(corners.astype(np.float32), axis=0, return_inverse=True)
            mesh.uservert, mesh.userface = vertices.astype(float).ravel(), places.reshape(-1).astype(np.int32)
            mesh.file, changed = "", True
    if guessed:
        shown = ", ".join(guessed[:4]) + ", .." * (len(guessed) > 4)
        remarks.append(f"{len(guessed)} files are not where the model says and were taken from elsewhere: {shown}")
    return changed


def _corners_of(path: Path) -> Corners | None:
    if path.suffix.lower() == ".dae":
        return _read_collada(path)
    if path.suffix.lower() == ".stl":
        with path.open("rb") as file:
            start = file.read(1024)
        return _read_stl_text(path) if start.lstrip().startswith(b"solid") and b"facet" in start else None
    return None


def _read_stl_text(path: Path) -> Corners:
    """Return the (corners, 3) of the triangles of an STL file that is written as text, three corners each."""
    words = path.read_text(encoding="latin-1").split()
    try:
        found = np.array([words[k + 1 : k + 4] for k, word in enumerate(words) if word == "vertex"], float)
    except ValueError as error:
        raise AnimatError(f"this mesh cannot be read ({error})", file=path) from None
    if not len(found) or len(found) % 3:
        raise AnimatError("this mesh holds no triangles", file=path)
    return found


def _read_collada(path: Path) -> Corners:
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
        raise AnimatError(f"this mesh cannot be read ({told(error)})", file=path) from None
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
