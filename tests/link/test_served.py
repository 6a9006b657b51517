"""What of an exception crosses a link."""

from __future__ import annotations

from animat.errors import AnimatError
from animat.link.served import failure_of
from animat.link.wire import Failure, decoder, encode


class Mute(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


def crossed(error: BaseException) -> Failure:
    """Raise the exception, and return what the parent gets."""
    try:
        raise error
    except BaseException as raised:
        sent = encode(failure_of(raised))
    assert len(sent) < 100_000
    return decoder(Failure).decode(sent)


def test_whatever_an_exception_says_it_crosses() -> None:
    assert crossed(ValueError("no")).what == "ValueError: no"
    assert crossed(ValueError("a \ud800 b")).what == r"ValueError: a \ud800 b"
    assert crossed(AnimatError("a \ud800 b")).what == r"a \ud800 b"
    assert crossed(Mute()).what == "Mute: (what it says cannot be shown: KeyboardInterrupt)"


def test_long_texts_are_shortened_to_their_beginning_and_end() -> None:
    found = crossed(ValueError("begin" + "x" * 50_000_000 + "end"))
    assert found.what.startswith("ValueError: begin") and found.what.endswith("end")
    assert "(50,000,008 characters in all)" in found.what and "in crossed" in found.traceback
    assert len(crossed(AnimatError("x" * 50_000_000)).what) < 3000
