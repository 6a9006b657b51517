"""A body's reply as it crosses the link between the OpenSim engine's process and its parent."""

from __future__ import annotations

import msgspec
import numpy as np

from animat.body.protocol import BodyReply

__all__ = ["PackedReply", "pack", "unpack"]


class PackedReply(msgspec.Struct, array_like=True):
    """A `BodyReply` as it crosses the link: arrays as bytes of float64."""

    time: int
    sensors: bytes
    poses: bytes
    paths: bytes


def pack(reply: BodyReply) -> PackedReply:
    """Return a reply ready to be sent."""
    return PackedReply(reply.time, reply.sensors.tobytes(), reply.poses.tobytes(), reply.paths.tobytes())


def unpack(reply: PackedReply) -> BodyReply:
    """Return the reply that was sent."""
    return BodyReply(
        time=reply.time,
        sensors=np.frombuffer(reply.sensors).copy(),
        poses=np.frombuffer(reply.poses).copy().reshape(-1, 7),
        paths=np.frombuffer(reply.paths).copy().reshape(-1, 3),
    )
