"""What clients can watch: the streams state, signals, spikes, poses and message."""

from __future__ import annotations

from collections.abc import Mapping

from animat.brain.protocol import BrainReply
from animat.simulation.course import status
from animat.simulation.running import Running

__all__ = ["publish_step"]


def publish_step(sim: Running, replies: Mapping[str, BrainReply]) -> None:
    """Send the step that ended now to whoever listens; what nobody listens to costs nothing."""
    control, tick = sim.control, sim.loop.time
    control.look()
    if control.wanted(b"state"):
        control.publish(b"state", status(sim))
    if control.wanted(b"signals"):
        names = [column.name for column in sim.recording.signals.columns]
        control.publish(b"signals", {"tick": tick, "names": names, "values": sim.recording.signals.row().tolist()})
    if control.wanted(b"spikes"):
        for name, reply in replies.items():
            content = {"tick": tick, "brain": name, "sample": reply.sample, "counts": list(reply.counts)}
            control.publish(b"spikes", content)
    if control.wanted(b"poses"):
        for name, side in sim.board.bodies.items():
            if side.reply is not None:
                poses, paths = side.reply.poses.tolist(), side.reply.paths.tolist()
                control.publish(b"poses", {"tick": tick, "body": name, "poses": poses, "paths": paths})
