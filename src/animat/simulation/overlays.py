"""Values that hold for a while: what is under them comes back when the last of them ends."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

__all__ = ["Overlays"]


class Overlays:
    """For every key the value beneath and the values laid over it, the latest on top.

    Two events that overlap in time may end in any order: what counts is the latest of those still active.
    """

    def __init__(self) -> None:
        self._base: dict[Hashable, Any] = {}
        self._active: dict[Hashable, list[tuple[Hashable, Any]]] = {}

    def lay(self, key: Hashable, owner: Hashable, value: Any, base: Callable[[], Any]) -> None:
        """Lay `value` over `key` until `owner` lifts it; `base` tells what is beneath, if nothing lay there yet."""
        if key not in self._active:
            self._base[key] = base()
        self._active.setdefault(key, []).append((owner, value))

    def lift(self, key: Hashable, owner: Hashable) -> Any:
        """Take `owner`'s value away and return the one that holds now."""
        left = [(other, value) for other, value in self._active.get(key, []) if other != owner]
        if left:
            self._active[key] = left
            return left[-1][1]
        self._active.pop(key, None)
        return self._base.pop(key)

    def rebase(self, key: Hashable, value: Any) -> bool:
        """Put `value` beneath what lies over `key`; False if nothing does, and it takes effect at once."""
        if key not in self._active:
            return False
        self._base[key] = value
        return True

    def save(self) -> tuple[dict[Hashable, Any], dict[Hashable, list[tuple[Hashable, Any]]]]:
        """Return all, for `restore`."""
        return self._base, self._active

    def restore(self, saved: tuple[dict[Hashable, Any], dict[Hashable, list[tuple[Hashable, Any]]]]) -> None:
        """Take what `save` returned; it stays as it is."""
        base, active = saved
        self._base, self._active = dict(base), {key: list(values) for key, values in active.items()}

    def clear(self) -> None:
        """Forget everything."""
        self._base.clear()
        self._active.clear()
