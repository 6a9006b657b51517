"""The configuration of a SONATA circuit: which files it is made of. Needs no h5py."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from animat.errors import AnimatError, unknown_name

__all__ = ["Circuit", "Part", "circuit_files", "load_json", "read_circuit"]

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")

#: Variables that stand for the configuration's folder wherever nobody says otherwise.
_FOLDER = ("configdir", "workingdir")

#: The components with the parameters of neurons and of synapses.
NEURON_PARAMETERS, SYNAPSE_PARAMETERS = "point_neuron_models_dir", "synaptic_models_dir"


@dataclass(frozen=True)
class Part:
    """A file of nodes or edges, and the table of their types (None: it has none).

    `populations` are those to read, and what the configuration says that each is made of; without any, all are read.
    """

    data: Path
    types: Path | None
    populations: Mapping[str, str | None]


class Said(msgspec.Struct, frozen=True):
    """What animat notes of a network when it writes one: its populations' names where files have others, and more."""

    name: str = ""
    names: dict[str, str] = {}
    modules: tuple[str, ...] = ()
    notes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Circuit:
    """A circuit's files, and what animat said when it wrote them."""

    file: Path
    nodes: tuple[Part, ...]
    edges: tuple[Part, ...]
    components: Mapping[str, Path]
    said: Said

    def parameters(self, component: str, name: str) -> Path:
        """Return the path of a file of parameters in the folder of a component."""
        if component not in self.components:
            raise unknown_name("component", component, self.components, file=self.file)
        return _existing(self.components[component] / name, self.file)


def read_circuit(path: Path) -> Circuit:
    """Read `circuit_config.json`, or a `simulation_config.json` that names one.

    Raises
    ------
    AnimatError
        With the file, and the line of a path to something that does not exist.
    """
    content = _Configuration(path)
    if not isinstance(content.data.get("networks"), dict) and isinstance(content.data.get("network"), str):
        other = content.path("network", content.data["network"])
        if other.resolve() == path.resolve():
            raise AnimatError("network: names this very file", file=path)
        return read_circuit(other)
    networks = content.map("networks", content.data.get("networks"))
    components = content.map("components", content.data.get("components") or {})
    try:
        said = msgspec.convert(content.data.get("animat") or {}, Said)
    except msgspec.ValidationError as error:
        raise AnimatError(f"animat: {error}", file=path) from None
    return Circuit(
        file=path,
        nodes=tuple(_parts(content, networks, "nodes", "nodes_file", "node_types_file")),
        edges=tuple(_parts(content, networks, "edges", "edges_file", "edge_types_file")),
        components={name: content.resolved(name, text) for name, text in components.items() if isinstance(text, str)},
        said=said,
    )


def circuit_files(path: Path) -> list[Path]:
    """Return all files of a circuit: configurations, tables, HDF5 files and every file of parameters beside them.

    Links are not followed, so that copies of the files that keep their places make the same circuit.
    """
    circuit = read_circuit(path)
    found = [path, circuit.file]
    for part in (*circuit.nodes, *circuit.edges):
        found += [part.data] if part.types is None else [part.data, part.types]
    for component in (NEURON_PARAMETERS, SYNAPSE_PARAMETERS):
        if component in circuit.components:
            found += sorted(circuit.components[component].glob("*.json"))
    return list(dict.fromkeys(_plain(file) for file in found))


def load_json(path: Path) -> Any:
    """Return the content of a JSON file; errors have file and line."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise AnimatError(f"this is no JSON: {error.msg}", file=path, line=error.lineno) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise AnimatError(f"cannot read this file: {why}", file=path) from None


class _Configuration:
    """A configuration whose paths begin with variables of its manifest and are relative to its folder."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.data = self.map("a configuration", load_json(file))
        manifest = self.map("manifest", self.data.get("manifest") or {})
        self._variables = {name.lstrip("$").strip("{}"): str(text) for name, text in manifest.items()}

    def map(self, what: str, value: object) -> dict[str, Any]:
        """Return `value`, which must be a map."""
        if not isinstance(value, dict):
            raise AnimatError(
                f"{what} must be a map of entries; a SONATA circuit has manifest, components and networks "
                "(with nodes and edges)",
                file=self.file,
            )
        return value

    def line(self, text: str) -> int | None:
        """Return the line on which a text stands first."""
        quoted = json.dumps(text, ensure_ascii=False)
        lines = enumerate(self.file.read_text(encoding="utf-8-sig").splitlines(), 1)
        return next((number for number, line in lines if quoted in line), None)

    def resolved(self, what: str, text: str) -> Path:
        """Return a path with its variables put in."""
        found = text
        for _ in range(len(self._variables) + 2):
            if not _VARIABLE.search(found):
                return _plain(self.file.parent / found)
            found = _VARIABLE.sub(lambda match: self._value(what, text, match[1] or match[2]), found)
        raise AnimatError(f"{what}: the variables in {text!r} name each other", file=self.file, line=self.line(text))

    def _value(self, what: str, text: str, name: str) -> str:
        if name in self._variables:
            return self._variables[name]
        if name in _FOLDER:
            return str(self.file.parent.absolute())
        error = unknown_name(f"variable in {what}:", f"${name}", (f"${known}" for known in self._variables))
        raise error.at(self.file, self.line(text))

    def path(self, what: str, text: object) -> Path:
        """Return the path of a file that must exist."""
        if not isinstance(text, str):
            raise AnimatError(f"{what} must be a path, got {text!r}", file=self.file)
        return _existing(self.resolved(what, text), self.file, f"{what}: ", self.line(text))


def _plain(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))


def _existing(path: Path, named_in: Path, what: str = "", line: int | None = None) -> Path:
    if not path.is_file():
        raise AnimatError(f"{what}there is no file {path}", file=named_in, line=line)
    return path


def _parts(content: _Configuration, networks: Mapping[str, Any], kind: str, data: str, types: str) -> Iterator[Part]:
    listed = networks.get(kind, [])
    if not isinstance(listed, list) or (kind == "nodes" and not listed):
        raise AnimatError(f"networks.{kind} must be a list of maps with {data} and {types}", file=content.file)
    for item in listed:
        entry = content.map(f"an entry of networks.{kind}", item)
        if entry.get("enabled", True) is False:
            continue
        if data not in entry:
            raise AnimatError(f"an entry of networks.{kind} needs {data}", file=content.file)
        populations = content.map("populations", entry.get("populations") or {})
        made_of = {name: said.get("type") if isinstance(said, dict) else None for name, said in populations.items()}
        for name, what in made_of.items():
            if kind == "edges" and what not in (None, "chemical"):
                raise AnimatError(
                    f"the edge population {name} is {what}; animat reads chemical synapses", file=content.file
                )
        yield Part(
            data=content.path(data, entry[data]),
            types=None if entry.get(types) in (None, "", "NULL") else content.path(types, entry[types]),
            populations=made_of,
        )
