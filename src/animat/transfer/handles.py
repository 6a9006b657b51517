"""What a transfer function holds in its hands: small objects with exactly the declared attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from animat.brain.devices import KINDS, check_value
from animat.errors import AnimatError, unknown_name
from animat.transfer.board import NO_SPIKES, Board, BrainBoard

__all__ = ["BodyHandle", "ImageHandle", "RecorderHandle", "SinkHandle", "SourceHandle", "VariableHandle"]


def _refuse(owner: str, name: str, known: list[str], written: bool) -> AnimatError:
    if written and name in known:
        return AnimatError(f"{owner}.{name} can only be read")
    return unknown_name(f"attribute of {owner}", name, known)


class SinkHandle:
    """Reads one value per step: `.voltage` (mV) of a leaky integrator, `.rate` (Hz) of a population rate."""

    __slots__ = ("_board", "_device", "_owner", "_reads")
    _board: BrainBoard
    _device: int
    _owner: str
    _reads: str

    def __init__(self, owner: str, board: BrainBoard, device: int, reads: str) -> None:
        for name, value in zip(self.__slots__, (board, device, owner, reads), strict=True):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> float | NDArray[np.float64]:
        if name == self._reads:
            value = self._board.values[self._device]
            return np.asarray(value) if isinstance(value, list) else value
        raise _refuse(self._owner, name, [self._reads], written=False)

    def __setattr__(self, name: str, value: object) -> None:
        raise _refuse(self._owner, name, [self._reads], written=True)


class RecorderHandle:
    """Reads the spikes of the last step: `.indices` (within the selection), `.times_ms`, `.count`, `.spiked`."""

    __slots__ = ("_board", "_device", "_owner")
    _board: BrainBoard
    _device: int
    _owner: str

    def __init__(self, owner: str, board: BrainBoard, device: int) -> None:
        for name, value in zip(self.__slots__, (board, device, owner), strict=True):
            object.__setattr__(self, name, value)

    @property
    def indices(self) -> NDArray[np.uint32]:
        """Neuron indices within the device's selection, one per spike."""
        return self._board.spikes.get(self._device, NO_SPIKES)[0]

    @property
    def times_ms(self) -> NDArray[np.float64]:
        """Spike times in ms, one per spike."""
        return self._board.spikes.get(self._device, NO_SPIKES)[1] / 1e6

    @property
    def count(self) -> int:
        """Number of spikes in the step."""
        return len(self.indices)

    @property
    def spiked(self) -> bool:
        """Whether there was a spike in the step; False before the first (the original platform says True there)."""
        return self.count > 0

    def __getattr__(self, name: str) -> object:
        raise _refuse(self._owner, name, ["indices", "times_ms", "count", "spiked"], written=False)

    def __setattr__(self, name: str, value: object) -> None:
        raise _refuse(self._owner, name, ["indices", "times_ms", "count", "spiked"], written=True)


class SourceHandle:
    """Reads and writes the properties of a spike source; equal values are not sent again."""

    __slots__ = ("_board", "_device", "_elements", "_names", "_owner")
    _board: BrainBoard
    _device: int
    _elements: int
    _names: tuple[str, ...]
    _owner: str

    def __init__(self, owner: str, board: BrainBoard, device: int, names: tuple[str, ...], elements: int) -> None:
        for name, value in zip(self.__slots__, (board, device, elements, names, owner), strict=True):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> float | NDArray[np.float64]:
        if name not in self._names:
            raise _refuse(self._owner, name, list(self._names), written=False)
        value = self._board.inputs[self._device, name]
        return np.asarray(value) if isinstance(value, list) else value

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._names:
            raise _refuse(self._owner, name, list(self._names), written=True)
        device = self._board.devices[self._device]
        plain = value if type(value) is float else _plain(value)
        check_value(
            f"{self._owner}.{name}",
            KINDS[device.kind].settable[name],
            plain,
            each=device.each,
            elements=self._elements,
        )
        self._board.set_input(self._device, name, plain)


def _plain(value: Any) -> Any:
    """Return numbers and arrays as float and list of float; anything else as it is, to be refused."""
    if isinstance(value, np.ndarray | np.generic | list | tuple):
        listed = np.asarray(value).tolist()
        return (
            [float(item) if isinstance(item, int | float) else item for item in listed]
            if isinstance(listed, list)
            else _plain(listed)
        )
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


#: A flat vector, the places of an attribute in it, and whether it reads as one float.
View = tuple[NDArray[np.float64], NDArray[np.intp], bool]


class BodyHandle:
    """Reads sensors and writes controls of a body under the declared attribute names.

    One scalar port reads as a float, several as a float64 array; a vector port (a position, a wrench) as its array.
    Assigning one number sets all.
    """

    __slots__ = ("_owner", "_views", "_writes")
    _owner: str
    _views: dict[str, View]
    _writes: frozenset[str]

    def __init__(
        self,
        owner: str,
        views: Mapping[str, View],
        writes: frozenset[str],
    ) -> None:
        for name, value in zip(self.__slots__, (owner, dict(views), writes), strict=True):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> float | NDArray[np.float64]:
        view = self._views.get(name)
        if view is None:
            raise _refuse(self._owner, name, list(self._views), written=False)
        vector, places, scalar = view
        return float(vector[places[0]]) if scalar else vector[places]

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._writes:
            raise _refuse(self._owner, name, list(self._views), written=True)
        vector, places, _ = self._views[name]
        try:
            array = np.asarray(value, dtype=float)
            if array.ndim and array.shape != places.shape:
                raise ValueError
        except (TypeError, ValueError):
            raise AnimatError(f"{self._owner}.{name} takes one number or {len(places)}, got {value!r}") from None
        if not np.isfinite(array).all():
            raise AnimatError(f"{self._owner}.{name} must be finite, got {value!r}")
        vector[places] = array


class ImageHandle:
    """Reads the newest picture of a camera or eye: `.value`, uint8 (height, width, channels)."""

    __slots__ = ("_images", "_name", "_shape")

    def __init__(self, images: dict[str, NDArray[np.uint8]], name: str, shape: tuple[int, ...]) -> None:
        self._images, self._name, self._shape = images, name, shape

    @property
    def value(self) -> NDArray[np.uint8]:
        """The newest picture; black before the first."""
        found = self._images.get(self._name)
        return np.zeros(self._shape, np.uint8) if found is None else found


class VariableHandle:
    """Reads and writes a variable kept between steps: `.value`."""

    __slots__ = ("_board", "_key", "_owner", "_writes")

    def __init__(self, owner: str, board: Board, key: str, writes: bool) -> None:
        self._owner, self._board, self._key, self._writes = owner, board, key, writes

    @property
    def value(self) -> Any:
        """The present value."""
        return self._board.variables[self._key]

    @value.setter
    def value(self, value: Any) -> None:
        if not self._writes:
            raise AnimatError(f"{self._owner} is declared readonly")
        self._board.variables[self._key] = value
