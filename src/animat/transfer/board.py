"""The values that the loop and the transfer functions share: one board per brain, one per body, shared variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from animat.body.protocol import BodyInfo, BodyReply
from animat.brain.devices import KINDS, initial_values
from animat.brain.protocol import BrainReply, Change, Device

__all__ = ["Board", "BodyBoard", "BrainBoard"]

#: Spikes of one recorder in one step: neuron indices within its selection (uint32), times in ticks (int64).
Spikes = tuple[NDArray[np.uint32], NDArray[np.int64]]

NO_SPIKES: Spikes = (np.zeros(0, np.uint32), np.zeros(0, np.int64))


class BrainBoard:
    """Inputs and outputs of one brain, by the engine's device indices.

    Setting a source property to the value it already has sends nothing.
    """

    def __init__(self) -> None:
        self.devices: dict[int, Device] = {}
        self.elements: dict[int, int] = {}
        #: The attached device of each name, for those that outlive an edit.
        self.by_name: dict[str, int] = {}
        self.sinks: list[int] = []
        self.values: dict[int, float | list[float]] = {}
        self.spikes: dict[int, Spikes] = {}
        self.counts: list[int] = []
        self.inputs: dict[tuple[int, str], float | list[float]] = {}
        self._pending: dict[tuple[int, str], float | list[float]] = {}

    def add(self, index: int, device: Device, elements: int) -> None:
        """Take in an attached device with its values at rest."""
        self.devices[index] = device
        self.elements[index] = elements
        self.by_name[device.name] = index
        kind = KINDS[device.kind]
        if kind.direction == "source":
            for name, value in initial_values(device).items():
                self.inputs[index, name] = value
        elif kind.reads != "spikes":
            self.sinks.append(index)
            self.values[index] = [0.0] * elements if device.each else 0.0

    def forget(self, index: int) -> None:
        """Drop a detached device."""
        device = self.devices.pop(index)
        del self.elements[index]
        if self.by_name.get(device.name) == index:
            del self.by_name[device.name]
        if index in self.sinks:
            self.sinks.remove(index)
        self.values.pop(index, None)
        self.spikes.pop(index, None)
        for key in [key for key in self.inputs if key[0] == index]:
            del self.inputs[key]
            self._pending.pop(key, None)

    def rewind(self) -> None:
        """Return all values to rest, as the engine does in a reset."""
        devices, elements = dict(self.devices), dict(self.elements)
        self.sinks.clear()
        self._pending.clear()
        self.spikes = {}
        for index, device in devices.items():
            self.add(index, device, elements[index])

    def save(self) -> dict[str, Any]:
        """Return the attached devices and all values, for `restore`; a device is named by its place among them."""
        places = {index: place for place, index in enumerate(self.devices)}

        def by_place(values: dict[tuple[int, str], float | list[float]]) -> list[tuple[int, str, float | list[float]]]:
            return [(places[index], name, value) for (index, name), value in values.items()]

        return {
            "devices": msgspec.msgpack.encode(list(self.devices.values())),
            "elements": [self.elements[index] for index in self.devices],
            "inputs": by_place(self.inputs),
            "pending": by_place(self._pending),
            "values": [(places[index], value) for index, value in self.values.items()],
            "spikes": [(places[index], *spikes) for index, spikes in self.spikes.items()],
            "counts": self.counts,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Take what `save` returned, with the same devices added in the same order."""
        indices = list(self.devices)
        self.inputs = {(indices[place], name): value for place, name, value in saved["inputs"]}
        self._pending = {(indices[place], name): value for place, name, value in saved["pending"]}
        self.values = {indices[place]: value for place, value in saved["values"]}
        self.spikes = {indices[place]: (senders, ticks) for place, senders, ticks in saved["spikes"]}
        self.counts = saved["counts"]

    def set_input(self, device: int, name: str, value: float | list[float]) -> None:
        """Set a source property; it is sent with the next advance if it differs."""
        key = (device, name)
        if self.inputs.get(key) != value:
            self.inputs[key] = value
            self._pending[key] = value

    def take_changes(self) -> list[Change]:
        """Return what changed since the last call, in order of change."""
        changes: list[Change] = [(device, name, value) for (device, name), value in self._pending.items()]
        self._pending.clear()
        return changes

    def receive(self, reply: BrainReply) -> None:
        """Take over the outputs of an advance."""
        for device, value in zip(self.sinks, reply.values, strict=True):
            self.values[device] = value
        self.spikes = {
            device: (np.frombuffer(indices, np.uint32), np.frombuffer(times, np.int64))
            for device, (indices, times) in reply.spikes.items()
        }
        self.counts = reply.counts


class BodyBoard:
    """Controls and sensors of one body as flat vectors in the order of its `BodyInfo`."""

    def __init__(self, info: BodyInfo) -> None:
        self.info = info
        self.controls = info.rest()
        sensors = sum(port.size for port in info.sensors)
        self.sensors: NDArray[np.float64] = np.zeros(sensors)
        self.images: dict[str, NDArray[np.uint8]] = {}
        self.reply: BodyReply | None = None
        self.control_ports = {port.name: port for port in info.controls}
        self.sensor_ports = {port.name: port for port in info.sensors}
        self.image_ports = {port.name: port for port in info.images}

    def rest(self, port: str) -> None:
        """Set a control to its value at rest."""
        found = self.control_ports[port]
        self.controls[found.offset : found.offset + found.size] = found.rest

    def receive(self, reply: BodyReply) -> None:
        """Take over the state after an advance."""
        self.sensors[:] = reply.sensors
        self.images.update(reply.images)
        self.reply = reply


@dataclass
class Board:
    """Everything that crosses between brains, bodies and transfer functions."""

    brains: dict[str, BrainBoard]
    bodies: dict[str, BodyBoard]
    #: Variables by key: a shared name, or "function.parameter".
    variables: dict[str, Any] = field(default_factory=dict)
    initial: dict[str, Any] = field(default_factory=dict)
