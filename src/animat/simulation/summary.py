"""What a run says of itself: `manifest.json` (what was run, on what) and `summary.json` (what came out)."""

from __future__ import annotations

import hashlib
import os
import platform
import resource
import socket
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from animat.brain.network import Network
from animat.brain.protocol import BrainInfo, BrainScript
from animat.errors import AnimatError
from animat.experiment.parts import input_hash
from animat.run.profile import profile_summary, read_profile
from animat.simulation.running import Running

__all__ = ["manifest", "summary"]

_PACKAGES = ("animat", "numpy", "mujoco", "opensim", "nest-simulator", "pyarrow", "pyzmq", "msgspec")


def manifest(sim: Running) -> dict[str, Any]:
    """Return what is run: description, overrides, hashes of every input, versions, layout, host; engines once open."""
    experiment, parts = sim.experiment, sim.parts
    part = experiment.part
    inputs = {experiment.file.name: _file_hash(experiment.file.read_bytes())}
    inputs |= {name: _file_hash(text.encode()) for name, text in parts.sources.items()}
    inputs |= {f"brain {name}": input_hash(brain) for name, brain in parts.brains.items()}
    inputs |= {f"body {name}": input_hash(body) for name, body in parts.bodies.items()}
    return {
        "format": 1,
        "name": part.name,
        "description": part.description,
        "experiment": "experiment",
        "overrides": list(experiment.overrides),
        "seed": part.seed,
        "step_ns": part.step,
        "duration_ns": part.duration,
        "inputs_sha256": inputs,
        "brains": {
            name: {
                **_described(parts.brains[name], info),
                "engine": info.engine,
                "version": info.version,
                "neurons": info.neurons,
                "synapses": info.synapses,
                "populations": len(info.populations),
                "min_delay_ms": info.min_delay_ms,
                "max_delay_ms": info.max_delay_ms,
                "build_s": info.build_s,
                "processes": part.all_brains[name].processes,
                "threads": part.all_brains[name].threads,
                "virtual_processes": part.all_brains[name].all_virtual_processes,
                "resolution_ns": part.all_brains[name].resolution,
            }
            for name, info in sim.engines.infos.items()
        },
        "bodies": {
            name: {
                "engine": info.engine,
                "version": info.version,
                "timestep_ns": info.timestep,
                "muscles": len(info.muscles),
                "joints": len(info.joints),
            }
            for name, info in sim.engines.body_infos.items()
        },
        "versions": {"python": platform.python_version(), **_versions()},
        "host": {
            "name": socket.gethostname(),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        },
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **({} if sim.checkpoint is None else {"resumed": sim.checkpoint.described()}),
    }


def _described(brain: Network | BrainScript, info: BrainInfo) -> dict[str, Any]:
    """Return what a brain is made of: a network's name, which states mode and size, or a script; what both note."""
    what = {"network": brain.name} if isinstance(brain, Network) else {"script": brain.path}
    return {**what, "notes": [*(brain.notes if isinstance(brain, Network) else ()), *info.notes]}


def summary(sim: Running) -> dict[str, Any]:
    """Return what came out: state, sizes, speed, rates, memory; the run's tables must have been flushed."""
    step, infos = sim.experiment.part.step, sim.engines.infos
    simulated = max(0, sim.loop.time - sim.start)
    rates: dict[str, float] = {}
    spikes = 0
    for name, counts in sim.recording.counts.items():
        spikes += int(counts.sum())
        for population, count in zip(infos[name].populations, counts, strict=True):
            key = f"{name}/{population.name}" if len(infos) > 1 else population.name
            rates[key] = float(count) / population.size / (simulated / 1e9) if simulated else 0.0
    return {
        "name": sim.experiment.part.name,
        "state": str(sim.state),
        "reason": sim.reason,
        "error": sim.error,
        "steps": sim.steps,
        "begin_ms": sim.start / 1e6,
        "simulated_ms": simulated / 1e6,
        "wall_s": time.monotonic() - sim.began,
        "real_time_factor": sim.profile.real_time_factor(step),
        "profile": _profile(sim),
        "neurons": sum(info.neurons for info in infos.values()),
        "synapses": sum(info.synapses for info in infos.values()),
        "spikes": spikes,
        "rates_hz": rates,
        "peak_memory_mb": {"simulation": _own_peak_mb(), **sim.engines.peak_memory_mb},
        "transfer_functions_put_aside": [
            {"function": bound.function.name, "problem": bound.problem} for bound in sim.loop.functions if bound.problem
        ],
    }


def _profile(sim: Running) -> dict[str, dict[str, float]]:
    try:
        return profile_summary(read_profile(sim.folder))
    except AnimatError:
        return {}


def _own_peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def _file_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
