"""What can be chosen about a NEST with MPI, and the folder name that follows from it."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from animat.brain.install.found import NEST_MPI, EngineInstall
from animat.errors import AnimatError

__all__ = ["NEEDED_MODELS", "VERSION", "NestMpi"]

VERSION = "3.10.0"

#: What animat's library, devices and tests use, and what is usual in NEST Desktop. Forms of a synapse model that
#: differ in storage only (``_hpc``, ``_lbl``) come with it.
NEEDED_MODELS = (
    "ac_generator",
    "aeif_cond_alpha",
    "aeif_cond_exp",
    "bernoulli_synapse",
    "clopath_synapse",
    "cont_delay_synapse",
    "correlation_detector",
    "dc_generator",
    "gamma_sup_generator",
    "glif_psc",
    "hh_psc_alpha",
    "ht_neuron",
    "ht_synapse",
    "iaf_cond_alpha",
    "iaf_cond_exp",
    "iaf_psc_alpha",
    "iaf_psc_alpha_multisynapse",
    "iaf_psc_delta",
    "iaf_psc_exp",
    "iaf_psc_exp_multisynapse",
    "inhomogeneous_poisson_generator",
    "izhikevich",
    "mip_generator",
    "multimeter",
    "noise_generator",
    "parrot_neuron",
    "parrot_neuron_ps",
    "poisson_generator",
    "pulsepacket_generator",
    "quantal_stp_synapse",
    "sinusoidal_poisson_generator",
    "spike_dilutor",
    "spike_generator",
    "spike_recorder",
    "static_synapse",
    "static_synapse_hom_w",
    "stdp_dopamine_synapse",
    "stdp_pl_synapse_hom",
    "stdp_synapse",
    "stdp_synapse_hom",
    "stdp_triplet_synapse",
    "step_current_generator",
    "tsodyks2_synapse",
    "tsodyks_synapse",
    "vogels_sprekeler_synapse",
    "volume_transmitter",
    "weight_recorder",
)


@dataclass(frozen=True)
class NestMpi:
    """Which NEST with MPI is wanted.

    Parameters
    ----------
    version
        NEST's, as on the package index.
    models
        ``"all"``, or names of the models to build in.
    mpicc
        The C compiler wrapper of an MPI that is there already; otherwise MPICH is installed beside NEST.
    """

    version: str = VERSION
    models: str | tuple[str, ...] = "all"
    mpicc: str | None = None

    @property
    def folder_name(self) -> str:
        """The folder's name: version, Python version, MPI and models."""
        python = f"py{sys.version_info.major}.{sys.version_info.minor}"
        mpi = "mpich" if self.mpicc_path is None else f"mpi-{_digest(self.mpicc_path)}"
        models = self.models if isinstance(self.models, str) else f"{len(self.models)}-{_digest(*sorted(self.models))}"
        return f"{NEST_MPI}-{self.version}-{python}-{mpi}-{models}"

    def is_met_by(self, engine: EngineInstall) -> bool:
        """Whether `engine`, which was found in the cache, is what is wanted, or more of it."""
        return (
            engine.name == NEST_MPI
            and engine.version == self.version
            and engine.mpicc == self.mpicc_path
            and engine.has(self.models)
        )

    @property
    def mpicc_path(self) -> str | None:
        """The absolute path of ``mpicc``, or None for a MPICH of its own."""
        return None if self.mpicc is None else str(self.mpi_tool("mpicc"))

    def mpi_tool(self, name: str) -> Path:
        """Return the path of ``mpicc``, or of another tool that lies beside it.

        Raises
        ------
        AnimatError
            If it does not exist.
        """
        assert self.mpicc is not None
        mpicc = shutil.which(self.mpicc)
        if mpicc is None:
            raise AnimatError(
                f"--mpicc {self.mpicc}: there is no such command. Where software comes as modules, load an MPI first "
                "(module avail mpi) and name its mpicc"
            )
        tool = Path(mpicc).absolute()
        if name != "mpicc":
            tool = tool.with_name(name)
        if not os.access(tool, os.X_OK):
            raise AnimatError(f"--mpicc {self.mpicc}: an MPI has {name} beside mpicc, and {tool} does not exist")
        return tool


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
