"""Ports laid one behind another in a flat vector."""

from __future__ import annotations

from animat.body.protocol import Port

__all__ = ["Layout"]


class Layout:
    """Collects the ports of one direction; `add` returns where the port's numbers lie."""

    def __init__(self) -> None:
        self.ports: list[Port] = []
        self.size = 0

    def add(
        self,
        name: str,
        unit: str,
        shape: tuple[int, ...] = (),
        *,
        rest: float | tuple[float, ...] = 0.0,
        low: float = -float("inf"),
        high: float = float("inf"),
    ) -> slice:
        """Append a port."""
        port = Port(name=name, unit=unit, shape=shape, offset=self.size, rest=rest, low=low, high=high)
        self.ports.append(port)
        self.size += port.size
        return slice(port.offset, self.size)
