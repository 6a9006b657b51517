"""What clients can watch: the streams state, signals, spikes, poses and message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from animat.brain.protocol import BrainReply
from animat.simulation.control import ControlEndpoint
from animat.simulation.signals import Signals
from animat.transfer.board import Board

__all__ = ["publish_step"]


def publish_step(
    control: ControlEndpoint,
    tick: int,
    status: Callable[[], dict[str, Any]],
    signals: Signals,
    board: Board,
    replies: Mapping[str, BrainReply],
) -> None:
    """Send the step that ended at `tick` to whoever listens; what nobody listens to costs nothing."""
    control.look()
    if control.wanted(b"state"):
        control.publish(b"state", status())
    if control.wanted(b"signals"):
        names = [column.name for column in signals.columns]
        control.publish(b"signals", {"tick": tick, "names": names, "values": signals.row().tolist()})
    if control.wanted(b"spikes"):
        for name, reply in replies.items():
            content = {"tick": tick, "brain": name, "sample": reply.sample, "counts": list(reply.counts)}
            control.publish(b"spikes", content)
    if control.wanted(b"poses"):
        for name, side in board.bodies.items():
            if side.reply is not None:
                poses, paths = side.reply.poses.tolist(), side.reply.paths.tolist()
                control.publish(b"poses", {"tick": tick, "body": name, "poses": poses, "paths": paths})
