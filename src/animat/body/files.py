"""The files that a body's file names - included models, meshes, textures - and where they lie."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import yaml

__all__ = ["NamedFile", "find", "is_body", "model_kind", "named_files", "read_xml"]

_KINDS = {".urdf": "urdf", ".sdf": "sdf", ".world": "sdf", ".osim": "osim", ".xml": "mjcf", ".mjcf": "mjcf"}
#: How many folders above a model may be the package that it belongs to, without a package.xml.
_NEAR = 2
_URI = re.compile(r"(package|model|file)://(.*)", re.DOTALL)


class NamedFile(NamedTuple):
    """A file that another one names."""

    #: As it is written.
    name: str
    path: Path
    #: The folder that must keep its name and place for `name` to lead to `path`.
    root: Path
    #: Whether only the last part of the name is right.
    guessed: bool = False


def model_kind(path: Path) -> str | None:
    """Return what a model file is written in (mjcf, urdf, sdf, osim): by its ending, of .xml files by its content."""
    kind = _KINDS.get(path.suffix.lower())
    if kind == "mjcf" and re.search(rb"<robot[\s>]", path.read_bytes()):
        return "urdf"
    return kind


def is_body(path: Path) -> bool:
    """Return whether a file by its ending, or a folder by what it holds, may be a body."""
    return path.suffix.lower() in (*_KINDS, ".yaml", ".yml") or (path / "body.yaml").is_file()


def named_files(path: Path) -> list[NamedFile]:
    """Return the files that a body.yaml, MJCF, URDF, SDF or OpenSim file names, and those that these name in turn.

    What does not exist is left out: an engine says it better. Each file comes once.
    """
    found: dict[Path, NamedFile] = {}
    for item in _of_yaml(path) if path.suffix in (".yaml", ".yml") else _of_model(path):
        found.setdefault(item.path.resolve(), item)
    found.pop(path.resolve(), None)
    return list(found.values())


def read_xml(path: Path) -> ElementTree.Element:
    """Return the root of an XML file; zeros and empty lines around it, which engines pass over, do not count."""
    return ElementTree.fromstring(path.read_bytes().strip(b"\0 \t\r\n"))


def find(name: str, home: Path, folders: tuple[str, ...] = ("",)) -> NamedFile | None:
    """Return the file that `name` in a model in the folder `home` means, or None.

    ``package://NAME/REST`` and ``model://NAME/REST`` are looked for in `home` and the folders above, the nearest first:
    in a folder NAME there, or in the folder itself, which may be the package under another name. Other names count from
    `folders` (relative to `home`), from `home`, and from the two folders above, where packages keep their meshes beside
    their models. Last, a file of that name in `folders`, in `home`, or the only one in a folder within it or beside it.
    """
    written, home = name.replace("\\", "/"), home.absolute()
    for guessed, places in enumerate((_places(written, home, folders), _guesses(written, home, folders))):
        for path, root in places:
            if _is_file(path):
                return NamedFile(name, Path(os.path.normpath(path)), Path(os.path.normpath(root)), bool(guessed))
    return None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or holds a null
        return False


def _folders(path: Path) -> list[Path]:
    try:
        return [item for item in path.iterdir() if item.is_dir()]
    except OSError:
        return []


def _places(name: str, home: Path, folders: tuple[str, ...]) -> Iterator[tuple[Path, Path]]:
    """Yield where a file may lie, with the folder that the name needs."""
    uri = _URI.match(name)
    if uri is not None and uri[1] == "file":
        name, uri = uri[2], None
    if uri is not None:
        package, _, rest = uri[2].lstrip("/").partition("/")
        for distance, above in enumerate((home, *home.parents)):
            yield above / package / rest, above / package
            if distance <= _NEAR or (above / "package.xml").is_file():
                yield above / rest, above
        name = rest
    for folder in dict.fromkeys((*folders, "")):
        yield home / folder / name, home / folder
    for above in list(home.parents)[:_NEAR]:
        yield above / name, above


def _guesses(name: str, home: Path, folders: tuple[str, ...]) -> Iterator[tuple[Path, Path]]:
    for folder in dict.fromkeys((*folders, "")):
        yield home / folder / Path(name).name, home / folder
    for above in (home, home.parent):
        found = [path for folder in _folders(above) if _is_file(path := folder / Path(name).name)]
        if len(found) == 1:
            yield found[0], found[0].parent


def _of_yaml(path: Path) -> Iterator[NamedFile]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError):
        return
    name = content.get("file") if isinstance(content, dict) else None
    if isinstance(name, str) and _is_file(path.parent / name):
        yield NamedFile(name, path.parent / name, path.parent)
        yield from _of_model(path.parent / name)


def _of_osim(path: Path) -> Iterator[NamedFile]:
    """Yield what elements such as ``<datafile>`` name, beside the file or in its Geometry, where OpenSim looks.

    What is only drawn is left out: OpenSim runs without it, and animat draws rods.
    """
    try:
        root = read_xml(path)
    except (OSError, ElementTree.ParseError, ValueError, LookupError):
        return
    for element in root.iter():
        if "file" not in element.tag or element.tag.startswith(("mesh_", "geometry_", "texture_")):
            continue
        for name in (element.text or "").split():
            for place in (path.parent / name, path.parent / "Geometry" / name):
                if place.is_file():
                    yield NamedFile(name, Path(os.path.normpath(place)), path.parent)
                    break


def _of_model(path: Path, outer: frozenset[Path] = frozenset()) -> Iterator[NamedFile]:
    if model_kind(path) == "osim":
        yield from _of_osim(path)
        return
    parts: list[tuple[Path, ElementTree.Element]] = []
    yield from _includes(path, path.parent, parts, set())
    folders = tuple(
        dict.fromkeys(
            value
            for _, root in parts
            for compiler in root.iter("compiler")
            for attribute in ("meshdir", "texturedir", "assetdir")
            if (value := compiler.get(attribute))
        )
    )
    for file, root in parts:
        for element in root.iter():
            if element.tag == "include":
                uri = element.findtext("uri", "").strip().rstrip("/")
                item = find(uri if uri.endswith(".sdf") else f"{uri}/model.sdf", path.parent) if uri else None
                if item is not None and not item.guessed and item.path.resolve() not in outer:
                    yield item
                    yield from _of_model(item.path, outer | {path.resolve(), item.path.resolve()})
                continue
            if element.tag == "mesh" and (uri := element.findtext("uri", "").strip()):
                yield from _meant(uri, path.parent, file.parent, folders)
            for attribute, name in element.attrib.items():
                if not attribute.startswith("file") or not name:
                    continue
                for item in _meant(name, path.parent, file.parent, folders):
                    yield item
                    if element.tag == "model" and item.path.resolve() not in outer:
                        yield from _of_model(item.path, outer | {path.resolve(), item.path.resolve()})


def _meant(name: str, home: Path, beside: Path, folders: tuple[str, ...]) -> list[NamedFile]:
    """Return all files that an engine may take, and only if there is none, what `find` makes of the name."""
    places = dict.fromkeys(above / folder for above in (home, beside) for folder in (*folders, ""))
    direct = [
        NamedFile(name, Path(os.path.normpath(place / name)), place) for place in places if _is_file(place / name)
    ]
    item = None if direct else find(name, home, folders)
    return direct if item is None else [item]


def _includes(
    file: Path, home: Path, parts: list[tuple[Path, ElementTree.Element]], seen: set[Path]
) -> Iterator[NamedFile]:
    """Collect a model file and those that it includes, from the folder of the whole model or their own."""
    try:
        root = read_xml(file)
    except (OSError, ElementTree.ParseError, ValueError, LookupError):
        return
    parts.append((file, root))
    seen.add(file.resolve())
    for element in root.iter("include"):
        name = element.get("file", "")
        for folder in (home, file.parent):
            path = folder / name
            if name and _is_file(path):
                if path.resolve() not in seen:
                    yield NamedFile(name, Path(os.path.normpath(path)), folder)
                    yield from _includes(path, home, parts, seen)
                break
