"""What a request says and how an answer is written, apart from HTTP.

Values cross from here to a brain, and back, packed (msgpack): who passes them on need not make them.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from animat.errors import AnimatError

__all__ = [
    "AskedCall",
    "AskedScript",
    "arguments",
    "encode",
    "handlers",
    "parse_body",
    "read_call",
    "read_script",
    "write",
]

#: Lists and objects that a body may hold: each takes fifty times the memory of its two characters, here and in a brain.
MOST_CONTAINERS = 500_000

_NAN = f"\0{secrets.token_hex(8)}"
_INFINITY = f"\0{secrets.token_hex(8)}"
_BACK = {
    f'"\\u0000{_NAN[1:]}"': '"NaN"',
    f'"\\u0000{_INFINITY[1:]}+"': "1e999",
    f'"\\u0000{_INFINITY[1:]}-"': "-1e999",
}


class AskedCall(msgspec.Struct, frozen=True):
    """What a request wants of a call: a list of arguments and a dictionary of named ones, packed.

    With `inspect`, it wants to know something about the function instead.
    """

    args: msgspec.Raw
    kwargs: msgspec.Raw
    inspect: str | None


class AskedScript(msgspec.Struct, frozen=True):
    """A script to run, and the names of the variables that are wanted, if `wanted` at all."""

    source: str
    returned: str | list[str] | None
    wanted: bool


def read_call(body: bytes, content_type: str, query: str) -> AskedCall:
    """Return what a request for a call says; raises as `parse_body`."""
    args, kwargs = _arguments(body, content_type, query)
    inspect = kwargs.pop("inspect", None) or _form(query).get("inspect")
    packed = msgspec.Raw(msgspec.msgpack.encode(args)), msgspec.Raw(msgspec.msgpack.encode(kwargs))
    return AskedCall(*packed, None if inspect is None else str(inspect))


def read_script(body: bytes, content_type: str, query: str) -> AskedScript:
    """Return what a request to run a script says.

    Raises
    ------
    AnimatError
        As `parse_body`, and if there is no script, or what is to be returned are no names.
    """
    args, kwargs = _arguments(body, content_type, query)
    source = kwargs.get("source", args[0] if args else None)
    returned = kwargs.get("return", kwargs.get("return_vars"))
    if not isinstance(source, str):
        raise AnimatError('the request must say "source": the text of the script')
    if not (returned is None or isinstance(returned, str) or _are_names(returned)):
        raise AnimatError('"return" is the name of a variable, or a list of names')
    return AskedScript(source, returned, "return" in kwargs or "return_vars" in kwargs)


def write(packed: bytes, literal: bool) -> bytes:
    """Return a packed value as JSON, see `encode`."""
    return encode(msgspec.msgpack.decode(packed), literal=literal)


def handlers(progress: Callable[[str, float], None]) -> dict[str, Callable[..., Any]]:
    """Return what a process that reads and writes for a server answers."""
    return {"read_call": read_call, "read_script": read_script, "write": write}


def parse_body(body: bytes, content_type: str) -> Any:
    """Return what a body says: a value of JSON, or a dictionary of a form's texts.

    What begins like a JSON object, list or string is JSON, whatever type it says it has.

    Raises
    ------
    AnimatError
        If it is not JSON, with the line, or holds too many lists and objects.
    """
    text = body.strip()
    containers = text.count(b"[") + text.count(b"{")
    if containers > MOST_CONTAINERS:
        raise AnimatError(f"the body holds {containers:,} lists and objects; {MOST_CONTAINERS:,} are the most")
    if not text:
        return None
    if "json" not in content_type and text[:1] not in b'{["':
        return _form(text.decode(errors="replace"))
    try:
        value = json.loads(text)
        msgspec.msgpack.encode(value)
        return value
    except json.JSONDecodeError as error:
        raise AnimatError(f"the body is not JSON: {error.msg} in column {error.colno}", line=error.lineno) from None
    except RecursionError:
        raise AnimatError("the body is nested too deeply") from None
    except (UnicodeError, ValueError, OverflowError) as error:
        raise AnimatError(f"the body cannot be used: {error}") from None


def arguments(body: Any, query: str) -> tuple[list[Any], dict[str, Any]]:
    """Return positional and named arguments of a call from its body, else from its query.

    An object gives names (and "args" the positional ones), a list positions, a single value one position.
    """
    said = _form(query) if body is None else body
    if isinstance(said, list):
        return said, {}
    if not isinstance(said, dict):
        return [said], {}
    named = dict(said)
    args = named.pop("args", [])
    return (args if isinstance(args, list) else [args]), named


def _arguments(body: bytes, content_type: str, query: str) -> tuple[list[Any], dict[str, Any]]:
    value = parse_body(body, content_type)
    args, kwargs = arguments(value, query)
    if value is None:
        kwargs.pop("nonfinite", None)
    return args, kwargs


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def encode(value: Any, *, literal: bool = False) -> bytes:
    """Return the value as JSON.

    Infinities are written ``1e999`` and ``-1e999``, which every parser that follows the standard of floating-point
    numbers reads as such, and NaN as the text ``"NaN"``; with `literal`, all three as Python's JSON writes them.
    """
    try:
        return json.dumps(value, allow_nan=literal, separators=(",", ":")).encode()
    except ValueError:
        text = json.dumps(_marked(value), separators=(",", ":"))
        for mark, number in _BACK.items():
            text = text.replace(mark, number)
        return text.encode()


def _marked(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return _NAN if math.isnan(value) else _INFINITY + ("+" if value > 0 else "-")
    if isinstance(value, list):
        return [_marked(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _marked(item) for key, item in value.items()}
    return value


def _form(text: str) -> dict[str, Any]:
    """Return the names and values of a form or query; one given several times is a list."""
    found: dict[str, list[Any]] = {}
    for name, word in parse_qsl(text, keep_blank_values=True):
        found.setdefault(name, []).append(_word(word))
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _word(word: str) -> Any:
    """Return a form's text as the JSON it spells, or as it is."""
    try:
        value = json.loads(word)
        msgspec.msgpack.encode(value)
        return value
    except (ValueError, RecursionError, OverflowError):
        return word
