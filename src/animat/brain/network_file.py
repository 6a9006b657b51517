"""A network description as `network.yaml`: read with file and line in every error, and written back.

```yaml
name: two populations
populations:
  E:
    model: iaf_cond_alpha
    size: 100
    params: {C_m: 250 pF, g_L: 12.5 nS, V_th: -50}          # a plain number is in the model's own unit
    initial: {V_m: {uniform: {low: -70 mV, high: -50 mV}}}
    layout:
      lattice:
        shape: [10, 10, 1]
        lower: [-0.5 mm, -0.5 mm, 0 mm]
        upper: [0.5 mm, 0.5 mm, 0 mm]
        extent: [1.2 mm, 1.2 mm]                            # periodic; without it the boundaries are open
    drive: {rate: 800 Hz, weight: 4 nS, delay: 1.5 ms, start: 50 ms}
projections:
  - from: E
    to: E
    rule: {pairwise_bernoulli: {p: {gaussian: {p_center: 0.1, sigma: 0.4 mm}}}}
    weight: {lognormal: {mu: -0.72, sigma: 1}}              # of the number in nS
    delay: 1.5 ms
```
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from animat.brain.network import (
    Constant,
    Distribution,
    Fault,
    Network,
    Population,
    Stdp,
    Values,
    network_faults,
    weight_unit,
)
from animat.brain.numbers import Numbers
from animat.brain.synapses import STDP_ENTRIES
from animat.errors import AnimatError, unknown_name
from animat.units import quantity
from animat.yaml_lines import KeyPath, Located, dump_yaml, load_yaml, parse_yaml

__all__ = ["fault_in_file", "parse_network", "read_network", "write_network"]

#: Endings of field names that say the unit of a value; in the file the unit stands with the value.
SUFFIXES = {"_mm": "mm", "_ms": "ms", "_hz": "Hz"}
#: Fields with a unit that their name does not say. "model": the unit that the neuron's model uses.
FIELD_UNITS = {
    "lower": "mm",
    "upper": "mm",
    "points": "mm",
    "w_max": "model",
    "weight": "model",
    "params": "model",
    "initial": "model",
}
#: Units of NEST's models, one for each kind of quantity.
MODEL_UNITS = ("mV", "ms", "pA", "pF", "nS", "Hz", "mm")
#: Units of NEST's neuron parameters, by how their names begin.
PARAMETER_UNITS = {r"(V|E|Delta)_": "mV", r"C_m$": "pF", r"g_": "nS", r"(tau|t_ref)": "ms", r"I_": "pA"}
#: Names in the file of fields that are called otherwise in the description.
NAMES = {"pre": "from", "post": "to"}


def read_network(path: str | Path) -> Network:
    """Read and check `network.yaml`.

    Raises
    ------
    AnimatError
        With file and line; for unknown entries with the names that exist.
    """
    return _network(load_yaml(path))


def parse_network(text: str, file: str | Path = "network.yaml") -> Network:
    """Read and check the text of a `network.yaml`; see `read_network`."""
    return _network(parse_yaml(text, file))


def fault_in_file(fault: Fault, path: str | Path) -> AnimatError:
    """Return the error for what is wrong with the network of a `network.yaml`, at its line."""
    source = load_yaml(path)
    where, what = fault
    return source.error(what, _places(list(source.data["populations"]))(where))


def write_network(network: Network) -> str:
    """Return the text of a `network.yaml` that reads back as the same network."""
    content = _plain(network, None)
    content["populations"] = {item.pop("name"): item for item in content["populations"]}
    return dump_yaml(content)


def _network(source: Located) -> Network:
    content = dict(_map(source, source.data, ()))
    _check_entries(source.error, Network, content, ())
    populations = _map(source, content.get("populations"), ("populations",))
    for name, item in populations.items():
        if "name" in _map(source, item, ("populations", name)):
            raise source.error("a population's name is its key; remove this entry", ("populations", name, "name"))
    content["populations"] = [{"name": name, **item} for name, item in populations.items()]
    content.setdefault("name", source.file.stem)
    place_of = _places(list(populations))
    network: Network = _struct(_Reader(source, place_of), Network, content, ())
    for path, fault in network_faults(network):
        raise source.error(fault, place_of(path))
    for population in network.populations:
        if population.drive is not None:
            _check_weight(source, population, ("populations", population.name, "drive", "weight"))
    for place, projection in enumerate(network.projections):
        post = network.population(projection.post)
        _check_weight(source, post, ("projections", place, "weight"))
        if isinstance(projection.synapse, Stdp):
            _check_weight(source, post, ("projections", place, "synapse", "stdp", "w_max"))
    return network


def _places(names: Sequence[str]) -> Callable[[KeyPath], KeyPath]:
    """Return where an entry stands in the file, whose populations of these names are a map instead of a list."""

    def place_of(path: KeyPath) -> KeyPath:
        match path:
            case ("populations", int(place), *rest):
                return ("populations", names[place], *rest)
        return path

    return place_of


class _Reader(typing.NamedTuple):
    """A source and where its entries stand in it."""

    source: Located
    place: Callable[[KeyPath], KeyPath]

    def error(self, what: str, path: KeyPath) -> AnimatError:
        return self.source.error(what, self.place(path))

    def named(self, path: KeyPath) -> str:
        return _named(self.place(path))


def _map(source: Located, value: Any, path: KeyPath) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise source.error(f"{_named(path)} must be a map of entries", path)
    return value


def _named(path: KeyPath) -> str:
    return ".".join(map(str, path)) or "a network"


def _struct(reader: _Reader, kind: type[Any], content: Any, path: KeyPath) -> Any:
    if not isinstance(content, Mapping):
        raise reader.error(f"{reader.named(path)} must be a map of entries", path)
    fields = _check_entries(reader.error, kind, content, path, reader.named(path))
    values = {}
    for name, field in fields.items():
        if name in content:
            unit = _unit(field.name)
            values[field.name] = _value(reader, field.type, content[name], (*path, name), unit)
        elif field.required:
            raise reader.error(f"{reader.named(path)} needs {name!r}", path)
    for name, updates in STDP_ENTRIES.items() if kind is Stdp else ():
        if name in content and values["update"] not in updates:
            what = f"{name} means nothing with {values['update']}; it belongs to {' and '.join(updates)}"
            raise reader.error(what, (*path, name))
    return kind(**values)


def _check_entries(
    error: Callable[[str, KeyPath], AnimatError],
    kind: type[Any],
    content: Mapping[str, Any],
    path: KeyPath,
    named: str = "a network",
) -> dict[str, Any]:
    """Return the fields of `kind` by their names in the file; refuse an entry that is none of them."""
    fields = {_file_name(field.name): field for field in msgspec.structs.fields(kind)}
    for name in content:
        if name not in fields:
            raise error(unknown_name(f"entry in {named}:", name, fields).what, (*path, name))
    return fields


def _file_name(field: str) -> str:
    for suffix in SUFFIXES:
        field = field.removesuffix(suffix)
    return NAMES.get(field, field)


def _unit(field: str, inherited: str | None = None) -> str | None:
    for suffix, unit in SUFFIXES.items():
        if field.endswith(suffix):
            return unit
    return FIELD_UNITS.get(field, inherited)


def _value(reader: _Reader, kind: Any, value: Any, path: KeyPath, unit: str | None) -> Any:
    """Return `value` as the annotated type `kind`; numbers in `unit`."""
    choices = typing.get_args(kind) if typing.get_origin(kind) in (types.UnionType, typing.Union) else (kind,)
    never = (Numbers,) if unit in (None, "model") else (Numbers, bool)
    choices = tuple(choice for choice in choices if choice not in never)
    if value is None and types.NoneType in choices:
        return None
    tagged = {_tag(choice): choice for choice in choices if _tag(choice) and choice is not Values}
    listed = next((choice for choice in choices if typing.get_origin(choice) in (tuple, list)), None)
    if tagged and (isinstance(value, Mapping) or (isinstance(value, str) and value in tagged)):
        return _tagged(reader, tagged, value, path, unit)
    if typing.get_origin(kind) is dict and isinstance(value, Mapping):
        item = typing.get_args(kind)[1]
        return {
            name: _value(reader, item, inner, (*path, name), _parameter_unit(name) if unit == "model" else unit)
            for name, inner in value.items()
        }
    if Constant in choices and isinstance(value, int | float | str):
        return Constant(_number(reader, value, path, unit))
    if Values in choices and isinstance(value, list):
        return Values(_items(reader, tuple[float, ...], value, path, unit))
    if listed is not None and isinstance(value, list):
        return _items(reader, listed, value, path, unit)
    for choice in choices:
        if typing.get_origin(choice) is typing.Literal and value in typing.get_args(choice):
            return value
        if isinstance(choice, type) and issubclass(choice, msgspec.Struct) and not _tag(choice):
            return _struct(reader, choice, value, path)
        if choice is float and isinstance(value, int | float | str):
            return _number(reader, value, path, unit)
        if choice in (int, str, bool) and type(value) is choice:
            return value
    raise reader.error(f"{reader.named(path)} must be {_described(choices, tagged)}, got {value!r}", path)


def _tagged(reader: _Reader, tagged: Mapping[str, Any], value: Any, path: KeyPath, unit: str | None) -> Any:
    if isinstance(value, str):
        return _struct(reader, tagged[value], {}, path)
    if len(value) != 1:
        raise reader.error(f"{reader.named(path)} must have one entry, one of {', '.join(tagged)}", path)
    ((name, content),) = value.items()
    if name not in tagged:
        raise reader.error(unknown_name(f"entry in {reader.named(path)}:", name, tagged).what, (*path, name))
    kind = tagged[name]
    if issubclass(kind, typing.get_args(Distribution)):
        numbers = _struct_numbers(reader, kind, content, (*path, name), unit)
        return kind(**numbers)
    return _struct(reader, kind, content, (*path, name))


def _struct_numbers(
    reader: _Reader, kind: type[Any], content: Any, path: KeyPath, unit: str | None
) -> dict[str, float]:
    names = kind.__struct_fields__
    if not isinstance(content, Mapping) or set(content) != set(names):
        raise reader.error(f"{reader.named(path)} needs {{{', '.join(f'{name}: ..' for name in names)}}}", path)
    return {name: _number(reader, content[name], (*path, name), unit) for name in names}


def _items(reader: _Reader, kind: Any, value: list[Any], path: KeyPath, unit: str | None) -> Any:
    items = typing.get_args(kind)
    if typing.get_origin(kind) is list or items[-1] is Ellipsis:
        items = (items[0],) * len(value)
    if len(items) != len(value):
        raise reader.error(f"{reader.named(path)} needs {len(items)} values, got {len(value)}", path)
    found = [
        _value(reader, item, inner, (*path, place), unit)
        for place, (item, inner) in enumerate(zip(items, value, strict=True))
    ]
    return found if typing.get_origin(kind) is list else tuple(found)


def _parameter_unit(name: str) -> str:
    """Return the unit that a parameter of this name has ("model mV"), or that any will do ("model")."""
    found = next((unit for begin, unit in PARAMETER_UNITS.items() if re.match(begin, name)), "")
    return f"model {found}".strip()


def _check_weight(source: Located, post: Population, path: KeyPath) -> None:
    """Raise if a weight is given in a unit that its target does not have; numbers without a unit pass."""
    raw: Any = source.data
    for step in path:
        raw = raw[step] if isinstance(step, int) else raw.get(step, {}) if isinstance(raw, Mapping) else {}
    unit = weight_unit(post.model)
    for text in _leaves(raw):
        if isinstance(text, str) and unit is not None:
            try:
                quantity(text, unit)
            except AnimatError as error:
                what = f"weights onto {post.name} ({post.model}) are in {unit}: {error.what}"
                raise source.error(what, path) from None


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _leaves(inner)
    else:
        yield value


def _number(reader: _Reader, value: Any, path: KeyPath, unit: str | None) -> float:
    try:
        if unit is not None and unit.startswith("model"):
            return _model_number(value, unit.split()[1:] or MODEL_UNITS)
        return quantity(value, unit or "")
    except AnimatError as error:
        raise reader.error(f"{reader.named(path)}: {error.what}", path) from None


def _model_number(value: Any, units: Sequence[str]) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    for unit in units:
        try:
            return quantity(value, unit)
        except AnimatError as error:
            if len(units) == 1:
                raise AnimatError(f"{error.what}, or a number in {unit}") from None
    raise AnimatError(f"cannot read {value!r}; write a number in the model's unit, or text with {' or '.join(units)}")


def _tag(kind: Any) -> str:
    is_struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    return str(kind.__struct_config__.tag or "") if is_struct else ""


def _described(choices: tuple[Any, ...], tagged: Mapping[str, Any]) -> str:
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false", types.NoneType: "empty"}
    found = [words[choice] for choice in choices if choice in words]
    found += [f"one of {', '.join(tagged)}"] if tagged else []
    found += [
        f"one of {', '.join(typing.get_args(choice))}"
        for choice in choices
        if typing.get_origin(choice) is typing.Literal
    ]
    if any(typing.get_origin(choice) in (tuple, list) for choice in choices):
        found.append("a list")
    if any(typing.get_origin(choice) is dict for choice in choices):
        found.append("a map of entries")
    return " or ".join(found)


def _plain(value: Any, unit: str | None) -> Any:
    """Return a description as maps, lists, text and numbers, defaults left out."""
    match value:
        case Constant(number):
            return _plain(number, unit)
        case Values(numbers):
            return _plain(numbers, unit)
        case Numbers():
            return _plain(list(value), unit)
        case msgspec.Struct():
            content = {}
            for field in msgspec.structs.fields(value):
                item = getattr(value, field.name)
                default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
                told = not isinstance(value, Stdp) or value.update in STDP_ENTRIES.get(field.name, (value.update,))
                if told and (field.required or item != default):
                    content[_file_name(field.name)] = _plain(item, _unit(field.name, unit))
            return {tag: content} if (tag := _tag(type(value))) else content
        case dict():
            return {name: _plain(item, unit) for name, item in value.items()}
        case tuple() | list():
            return [_plain(item, unit) for item in value]
        case float() if unit not in (None, "model"):
            return f"{value!r} {unit}"
    return value
