"""NEST itself: found or explained, and its kernel set up."""

from __future__ import annotations

import os
import platform
import re
import sys
from typing import Any

from animat.brain.protocol import BrainSettings
from animat.errors import AnimatError, text_of

__all__ = [
    "import_nest",
    "kernel_settings",
    "last_words",
    "reason",
    "reset_kernel",
    "set_nodes",
    "set_synapses",
    "use_cores",
]


#: Modules that NEST imports if they are there, for tables and plots; they take 0.7 s and 100 MB.
_OPTIONAL = ("pandas", "matplotlib", "h5py")


def import_nest(*, lean: bool = False) -> Any:
    """Return the `nest` module, silenced; a `lean` one without tables and plots, unless it was imported before.

    Raises
    ------
    AnimatError
        Saying how to get it on this platform.
    """
    os.environ.setdefault("PYNEST_QUIET", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if not lean:
        os.environ["MPLBACKEND"] = "Agg"  # a script's plots need no screen, and wait for nobody
    hidden = [name for name in _OPTIONAL if lean and name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        import nest
    except ImportError as error:
        raise AnimatError(_how_to_install(str(error))) from None
    finally:
        for name in hidden:
            del sys.modules[name]
    nest.verbosity = nest.VerbosityLevel.ERROR
    return nest


def _how_to_install(why: str) -> str:
    here = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    if platform.system() == "Windows":
        way = "there is no NEST for Windows; install animat in WSL (Windows Subsystem for Linux)"
    elif platform.system() == "Linux" and platform.machine() != "x86_64":
        way = "there is no NEST wheel for this processor; take NEST from conda-forge or build it from source"
    else:
        way = (
            f"try {sys.executable} -m pip install nest-simulator; PyPI has wheels for Linux x86_64 and macOS, and for "
            "other Python versions there is conda-forge or a build from source"
        )
    return (
        f"NEST cannot be imported on {here} ({why}): {way}. "
        "Any interpreter that has NEST, numpy, pyzmq and msgspec can be named: brain: {python: PATH}"
    )


#: The cores that this process may use, where the system tells.
_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


#: Where launchers say which of the processes on this machine this one is: Hydra, Open MPI, Slurm.
_PLACE_HERE = ("MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID")

#: Where they say how many there are on this machine.
_NUMBER_HERE = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_NTASKS_PER_NODE")


def use_cores(threads: int | None = None, virtual_processes: int = 1) -> None:
    """Keep this process on `threads` cores (None: all) where that matters.

    It does if NEST runs more OpenMP threads than that, one for every virtual process. It also does if the processes
    take all cores of this machine between them: two that share a core while a third program has the other wait for
    each other by turns of the scheduler, of some milliseconds each. Processes on one machine take different cores, as
    far as there are enough.
    """
    if not _CORES:
        return
    number = _told(_NUMBER_HERE, 1)
    if threads is None or (virtual_processes <= threads and (number == 1 or number * threads != len(_CORES))):
        os.sched_setaffinity(0, _CORES)
        return
    first = _told(_PLACE_HERE, 0) * threads % max(1, len(_CORES) - threads + 1)
    os.sched_setaffinity(0, _CORES[first:][:threads])


def _told(names: tuple[str, ...], default: int) -> int:
    return next((int(os.environ[name]) for name in names if os.environ.get(name, "").isdigit()), default)


def kernel_settings(settings: BrainSettings) -> dict[str, Any]:
    """Return what the kernel is set to: resolution (ms), virtual processes of this process, and seed.

    NEST counts in tics of 1 us unless the resolution is no whole number of them.
    """
    return {
        **({"tics_per_ms": 1_000_000} if settings.resolution % 1000 else {}),
        "resolution": settings.resolution / 1e6,
        "local_num_threads": settings.all_virtual_processes // settings.processes,
        "rng_seed": settings.seed,
        "overwrite_files": True,
    }


def reset_kernel(nest: Any, settings: BrainSettings) -> None:
    """Reset the kernel and set resolution, virtual processes and seed."""
    nest.ResetKernel()
    nest.SetKernelStatus(kernel_settings(settings))


def set_nodes(nodes: Any, statuses: list[dict[str, Any]]) -> None:
    """Set parameters of this process's nodes: a dictionary for all or one for each.

    `NodeCollection.set` first fetches all there is to know about the nodes (of a recorder all its events) to learn
    whether they are local.
    """
    from nest.nestkernel_api import llapi_set_nc_status

    llapi_set_nc_status(nodes._datum, statuses)


def set_synapses(synapses: Any, statuses: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Set parameters of this process's synapses: a dictionary for all or one for each.

    `SynapseCollection.set` refuses lists of values on several processes, and asks for the kernel's status, for which
    NEST may wait for processes that have none of the synapses.
    """
    from nest.nestkernel_api import llapi_set_connection_status

    llapi_set_connection_status(synapses._datum, statuses)


#: What NEST itself logs of an error that reaches Python without a text.
_LOGGED = re.compile(r"^\[ERROR\] \[[^]]*\] (.*(?:\n(?!\[).+)*)", re.MULTILINE)

_LOG_BYTES = 4096


def reason(error: BaseException) -> str:
    """Return what an exception of NEST's says; of one that says nothing, what NEST logged last.

    NEST leaves the text of some exceptions empty (a file that exists, Prepare called twice).
    """
    text = text_of(error).strip()
    if text and text != type(error).__name__:
        return text
    logged = _LOGGED.findall(last_words())
    return " ".join(logged[-1].split()) if logged else "NEST gave no reason; the brain's log may say more"


def last_words() -> str:
    """Return the end of what this process wrote to its standard error, where that is a file that can be read."""
    try:
        sys.stderr.flush()
        return os.pread(2, _LOG_BYTES, max(0, os.fstat(2).st_size - _LOG_BYTES)).decode(errors="replace")
    except (OSError, AttributeError):
        return ""
