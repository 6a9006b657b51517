"""Networks as SONATA files (Dai et al. 2020, doi:10.1371/journal.pcbi.1007696), as libsonata, bmtk and NEST read them.

Written, every population is a node population and every projection an edge population. libsonata reads one attribute
group of a population, so that all its neurons must have the same attributes; this way they do: positions only where
there is a layout, start values only where the model draws them. Readers also take names, sizes and indices over
unchanged.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from animat.brain.network import Network
from animat.brain.protocol import Progress
from animat.brain.sonata.circuit import circuit_files
from animat.brain.sonata.size import expected_file_bytes
from animat.errors import AnimatError

__all__ = ["circuit_files", "expected_file_bytes", "read_sonata", "write_sonata"]


def read_sonata(path: str | Path) -> Network:
    """Read the circuit of a `circuit_config.json`, or of a `simulation_config.json` that names one.

    Every type of node becomes a population, virtual nodes a population of relays; every edge population a projection
    with listed pairs for each two populations and type of edge. An edge's weight is `syn_weight` times `nsyns`.

    Raises
    ------
    AnimatError
        If h5py is missing; for what no engine of animat has (neurons with a morphology, models of other simulators,
        weights that a program computes); with the file, and the line of a table.
    """
    found: Network = _module("read").read(Path(path))
    return found


def write_sonata(network: Network, folder: str | Path, seed: int, progress: Progress = lambda what, done: None) -> Path:
    """Draw the synapses of a network and write it as SONATA; return the path of `circuit_config.json`.

    Synapses are those that an engine builds for the same seed. Positions are in micrometres, delays in ms, weights in
    the unit of the receptor; positions are stored with 32 bits, all else with 64, so that reading the files gives the
    same network. Memory stays bounded: synapses are written as they are drawn.

    Background drive, volume transmitters and periodic boundaries have no place in SONATA; the drive stands in
    `node_types.csv`, and all that a reader must add by hand is listed in the configuration under ``animat``.

    Parameters
    ----------
    network
        A description that was checked.
    folder
        Where the files go; it must not exist or be empty.
    seed
        Of the synapses, weights, delays and start values.
    progress
        Called with what is written and the fraction done.

    Raises
    ------
    AnimatError
        If h5py is missing, the folder cannot be used, or the disk has not enough room.
    """
    files = _module("files")
    with _emptied_on_failure(Path(folder), expected_file_bytes(network)) as place:
        config: Path = files.write(network, place, seed, progress)
    return config


def _module(name: str) -> Any:
    """Return a module that needs h5py."""
    try:
        return importlib.import_module(f"animat.brain.sonata.{name}")
    except ModuleNotFoundError as error:
        raise AnimatError(f"SONATA files need the package {error.name}: pip install 'animat[sonata]'") from None


@contextmanager
def _emptied_on_failure(folder: Path, size: float) -> Iterator[Path]:
    """Make an empty folder with enough room; what was written into it disappears if writing fails."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise AnimatError(
                "there is something here already; SONATA files go into a new or empty folder", file=folder
            )
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if size > free:
            folder.rmdir()
            raise AnimatError(
                f"SONATA files need about {size / 1e9:.1f} GB, this disk has {free / 1e9:.1f} GB left; "
                "choose another disk or a smaller network",
                file=folder,
            )
    except OSError as error:
        raise AnimatError(f"cannot write here ({error.strerror or error})", file=folder) from None
    try:
        yield folder
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise AnimatError(f"cannot write the SONATA files ({error.strerror or error})", file=folder) from None
        raise
