"""What crosses between a server and its brain; imports no NEST."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["About", "Answer", "PackedAnswer"]


class About(msgspec.Struct):
    """What a brain is, what can be called, and why others cannot."""

    nest: str
    processes: int
    calls: list[str]
    refused: dict[str, str]


class Answer(msgspec.Struct):
    """What all found; `notes` say what differed between them."""

    data: Any = None
    printed: str = ""
    notes: list[str] = []
    error: str | None = None


class PackedAnswer(msgspec.Struct):
    """An `Answer` as it is read by who passes it on: its data stay packed."""

    data: msgspec.Raw = msgspec.Raw(b"\xc0")
    printed: str = ""
    notes: list[str] = []
    error: str | None = None
