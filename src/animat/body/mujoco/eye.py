"""What a body sees: eyes that cast rays, cameras that render, rangefinders."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from animat.body.model import Eye, Rangefinder
from animat.body.mujoco.scene import colours_of, material_colours
from animat.errors import AnimatError, told

__all__ = ["Camera", "RayEye", "Seer", "cast_ranges"]

Image = NDArray[np.uint8]


class Seer(Protocol):
    """Makes pictures of a simulated world."""

    def see(self, data: Any) -> Image:
        """Return a picture, uint8 (height, width, 3)."""

    def close(self) -> None:
        """Free what it holds."""


class RayEye:
    """One ray per pixel; the colour of what it meets, darker with distance. No graphics, equal on every machine."""

    def __init__(self, compiled: Any, eye: Eye) -> None:
        self._compiled, self._eye = compiled, eye
        self._camera = compiled.camera(eye.camera or f"eye {eye.name}").id
        up = np.tan(np.radians(compiled.cam_fovy[self._camera]) / 2)
        across = up * eye.width / eye.height
        columns = across * ((np.arange(eye.width) + 0.5) / eye.width * 2 - 1)
        rows = up * (1 - (np.arange(eye.height) + 0.5) / eye.height * 2)
        x, y = np.meshgrid(columns, rows)
        rays = np.stack([x, y, -np.ones_like(x)], axis=-1).reshape(-1, 3)
        self._rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
        self._materials = material_colours(compiled)
        self._met = np.zeros(len(rays), np.int32)
        self._distance = np.zeros(len(rays))

    def see(self, data: Any) -> Image:
        """Return a picture, uint8 (height, width, 3)."""
        eye, compiled, camera = self._eye, self._compiled, self._camera
        turned = self._rays @ data.cam_xmat[camera].reshape(3, 3).T
        body = int(compiled.cam_bodyid[camera])
        count = len(turned)
        eye_at, found = data.cam_xpos[camera], (self._met, self._distance, None)
        mujoco.mj_multiRay(compiled, data, eye_at, turned.ravel(), None, 1, body, *found, count, eye.far)
        colours = np.concatenate([colours_of(compiled, self._materials)[:, :3], [eye.background]])
        hit = self._met >= 0
        light = np.where(hit, 1 / (1 + np.maximum(self._distance, 0) / eye.dusk), 1.0)
        seen = colours[self._met] * light[:, None]
        picture: Image = np.round(255 * np.clip(seen, 0, 1)).astype(np.uint8).reshape(eye.height, eye.width, 3)
        return picture

    def close(self) -> None:
        """Nothing to free."""


class Camera:
    """Renders with OpenGL (`MUJOCO_GL`: egl or osmesa without a display), in one thread of its own."""

    def __init__(self, compiled: Any, eye: Eye) -> None:
        self._compiled, self._eye = compiled, eye
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="camera")
        self._renderer: Any = None
        self._option = mujoco.MjvOption()
        self._option.flags[mujoco.mjtVisFlag.mjVIS_RANGEFINDER] = 0

    def see(self, data: Any) -> Image:
        """Return a picture, uint8 (height, width, 3)."""
        return self._thread.submit(self._render, data).result()

    def close(self) -> None:
        """Free the renderer in its thread."""
        if self._renderer is not None:
            self._thread.submit(self._renderer.close).result()
            self._renderer = None
        self._thread.shutdown()

    def _render(self, data: Any) -> Image:
        eye = self._eye
        try:
            if self._renderer is None:
                self._renderer = mujoco.Renderer(self._compiled, eye.height, eye.width)
            self._renderer.update_scene(data, camera=eye.camera or f"eye {eye.name}", scene_option=self._option)
            picture: Image = self._renderer.render()
        except Exception as error:  # OpenGL libraries raise many kinds
            raise AnimatError(
                f"the camera {eye.name!r} cannot render ({told(error)}); set MUJOCO_GL=egl or "
                "MUJOCO_GL=osmesa, or use an eye of `kind: rays`, which needs no OpenGL"
            ) from None
        return picture.copy()


def cast_ranges(compiled: Any, data: Any, finders: tuple[Rangefinder, ...]) -> NDArray[np.float64]:
    """Return the distance in m that each rangefinder reads."""
    found = np.zeros(len(finders))
    geom = np.zeros(1, np.int32)
    for place, finder in enumerate(finders):
        site = compiled.site(f"range {finder.name}").id
        along = data.site_xmat[site].reshape(3, 3)[:, 0].copy()
        body = int(compiled.site_bodyid[site])
        distance = mujoco.mj_ray(compiled, data, data.site_xpos[site], along, None, 1, body, geom)
        found[place] = distance if 0 <= distance < finder.far else finder.far
    return found
