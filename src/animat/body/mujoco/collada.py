"""The triangles of a COLLADA file (.dae)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from animat.errors import AnimatError

__all__ = ["read_collada"]


def read_collada(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return vertices, x, y, z after one another in m, and faces, three places of vertices each.

    Of what the file says of itself the unit counts, the upward axis does not, as in RViz and Gazebo.

    Raises
    ------
    AnimatError
        If pycollada is not installed, or the file cannot be read or holds no triangles.
    """
    try:
        import collada
    except ImportError:
        raise AnimatError("meshes in COLLADA need pycollada: pip install 'animat[collada]'", file=path) from None
    try:
        content = collada.Collada(str(path), ignore=[collada.DaeUnsupportedError, collada.DaeBrokenRefError])
        corners = [
            triangles.vertex[triangles.vertex_index].reshape(-1, 3)
            for geometry in (content.scene.objects("geometry") if content.scene is not None else ())
            for primitive in geometry.primitives()
            if (triangles := primitive.triangleset() if hasattr(primitive, "triangleset") else primitive) is not None
            and getattr(triangles, "vertex_index", None) is not None
            and np.shape(triangles.vertex_index)[1:] == (3,)
        ]
        metres = content.assetInfo.unitmeter or 1.0
    except Exception as error:  # a foreign parser of foreign files
        raise AnimatError(f"this mesh cannot be read ({type(error).__name__}: {error})", file=path) from None
    if not corners:
        raise AnimatError("this mesh holds no triangles", file=path)
    points = metres * np.concatenate(corners)
    vertices, places = np.unique(points.astype(np.float32), axis=0, return_inverse=True)
    return vertices.astype(np.float64).ravel(), places.reshape(-1).astype(np.int32)
