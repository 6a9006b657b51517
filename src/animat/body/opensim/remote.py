"""The OpenSim engine in a process of its own, because OpenSim holds Python's lock while it simulates."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.body.model import BodyModel
from animat.body.opensim.quiet import missing
from animat.body.opensim.settings import OpenSimSettings, read_settings
from animat.body.opensim.wire import PackedReply, unpack
from animat.body.protocol import BodyEngine, BodyInfo, BodyReply
from animat.errors import AnimatError
from animat.link.errors import WorkerDied, WorkerHung
from animat.link.worker import Worker

__all__ = ["OpenSimLink", "make_opensim_engine"]


def make_opensim_engine(*, process: bool = True, **settings: Any) -> BodyEngine:
    """Return the engine, in its own process or (`process` false) in this one; `settings` are `OpenSimSettings`.

    Raises
    ------
    AnimatError
        If a setting is unknown or out of range, or OpenSim is not installed.
    """
    found = read_settings(settings)
    if not isinstance(process, bool):
        raise AnimatError(f"process must be true or false, got {process!r}")
    if importlib.util.find_spec("opensim") is None:
        raise missing("there is no module opensim")
    if process:
        return OpenSimLink(found)
    from animat.body.opensim.engine import OpenSimEngine

    return OpenSimEngine(found)


class OpenSimLink:
    """A `BodyEngine` that runs `OpenSimEngine` in a worker process, started with the first model."""

    def __init__(self, settings: OpenSimSettings) -> None:
        self._settings = settings
        self._worker: Worker | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process, None before `load`."""
        return None if self._worker is None else self._worker.pid

    def load(self, model: BodyModel) -> BodyInfo:
        """See `BodyEngine.load`."""
        self.close()
        self._name = model.name
        patience_s = self._settings.patience
        self._worker = Worker(
            "animat.body.opensim.worker",
            title=f"animat.body opensim {model.name}",
            patience_s=patience_s,
            setting="body",
        )
        info: BodyInfo = self._call("load", model, self._settings, reply=BodyInfo, limit_s=10 * patience_s)
        return info

    def read(self) -> BodyReply:
        """See `BodyEngine.read`."""
        return self._reply("read")

    def advance(self, controls: NDArray[np.float64], until: int) -> BodyReply:
        """See `BodyEngine.advance`."""
        return self._reply("advance", np.asarray(controls, dtype=float).tobytes(), until)

    def reset(self) -> None:
        """See `BodyEngine.reset`."""
        self._call("reset", reply=None)

    def save(self) -> bytes:
        """See `BodyEngine.save`."""
        state: bytes = self._call("save", reply=bytes)
        return state

    def restore(self, state: bytes) -> None:
        """See `BodyEngine.restore`."""
        self._call("restore", state, reply=None)

    def close(self) -> None:
        """End the worker; may be called twice."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _reply(self, method: str, *arguments: Any) -> BodyReply:
        packed: PackedReply = self._call(method, *arguments, reply=PackedReply)
        return unpack(packed)

    def _call(self, method: str, *arguments: Any, reply: Any, limit_s: float | None = None) -> Any:
        if self._worker is None:
            raise AnimatError("this body engine has no model; call load first")
        try:
            return self._worker.call(method, *arguments, reply=reply, limit_s=limit_s)
        except WorkerHung as error:
            # Where in Python it was says nothing: it is OpenSim that takes its time.
            told, _, _ = error.what.partition("\nCurrent thread")
            raise WorkerHung(
                f"OpenSim's process of {self._name!r} is lost: {told}\n"
                "If it only needs longer: `settings: {patience: ..}`; for a stiff body: `{integrator: cpodes}`"
            ) from None
        except WorkerDied as error:
            raise WorkerDied(f"OpenSim's process of {self._name!r} is lost: {error.what}") from None
